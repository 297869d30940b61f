"""Klaviyo as a client's source, pulled as hub does: who is in which segment, and what an order counts once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sandbox import Sandbox
from hub.segments import run_segments
from hub.sync.run import RunOptions, pull_client, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import StandIns, Wiring
from hub_klaviyo.stand_in import KlaviyoStandIn, LivedInKlaviyo
from hub_klaviyo.stand_in.activity import SHOPIFY
from hub_klaviyo.stand_in.people import iso
from hub_klaviyo.stand_in.shop_events import Goods, checkout, clicked, mail, opened, order, refund, view
from hub_shopify.stand_in import Limits, ShopifyStandIn
from tests.acceptance.kit import Agency
from tests.klaviyo_kit import Recorded, hold_against_the_vendor

SHOE = Goods(101, "Trail shoe", "899.00")
HOUR, DAY = 3_600.0, 86_400.0
HEAD = 'name = "Acme Shoes"\ntimezone = "UTC"\ncountry = "DK"\ncurrency = "DKK"\n'
KLAVIYO = '[sources.newsletter]\nplugin = "klaviyo"\nviews_allowed = true\n'
SEGMENTS = """
[segments.engaged]
plugin = "engaged"
[segments.cart-abandoners]
plugin = "cart-abandoners"
[segments.browse-abandoners]
plugin = "browse-abandoners"
[segments.repeat]
plugin = "repeat"
[destinations.newsletter]
plugin = "klaviyo"
[syncs.engaged]
segment = "engaged"
destination = "newsletter"
[syncs.carts]
segment = "cart-abandoners"
destination = "newsletter"
purpose = "cart_reminder"
attributes = { cart_url = "cart_url" }
"""
TABLES = ("customers", "consents", "engagement", "events", "products", "carts", "cart_lines", "orders", "order_lines")


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency")
    made.client(HEAD + KLAVIYO + SEGMENTS)
    return made


@pytest.fixture
def vendor(agency: Agency) -> Iterator[Recorded]:
    made = Recorded(job_seconds=0, clock=lambda: agency.clock().timestamp())
    made.start()
    yield made
    made.stop()
    hold_against_the_vendor(made.recorded)


def rehearsal(agency: Agency, vendor: KlaviyoStandIn, **others: str) -> Wiring:
    """Wire the client's own file, with the vendors' own addresses in it, to the stand-ins, as ``--sandbox`` does."""
    # Shopify's bulk operations are waited for in the real time.
    calm = {} if others else {"monotonic": lambda: agency.clock().timestamp(), "sleep": lambda _: None}
    around = Surroundings(clock=agency.clock, environ={}, **calm)
    workspace = load_workspace(agency.folder)
    secrets = {"klaviyo": KlaviyoStandIn.secrets, "shopify": ShopifyStandIn.secrets}
    stand_ins = StandIns({"klaviyo": vendor.base, **others}, secrets)
    return Wiring(workspace, load_client(workspace, "acme"), Plugins(agency.folder), around, stand_ins)


def members(agency: Agency, wiring: Wiring) -> dict[str, set[str]]:
    """Return the addresses in each segment."""
    now, found = agency.clock(), {}
    with wiring.catalog.session(now, now) as session:
        for name, result in run_segments(session, wiring.definitions).items():
            assert result.error is None, result.error
            query = f"select p.email from {result.table} join people as p using (person_id)"
            found[name] = {email for (email,) in session.con.execute(query).fetchall()}
    return found


def rows(wiring: Wiring) -> dict[str, list[Any]]:
    """Return everything that was read, but for when."""
    found = {}
    with duckdb.connect(str(wiring.catalog.path), read_only=True) as con:
        for table in TABLES:
            columns = [name for name in con.table(f"merged.{table}").columns if name != "loaded_at"]
            found[table] = con.execute(f"select {', '.join(columns)} from merged.{table} order by all").fetchall()
    return found


def live(vendor: Recorded) -> None:
    """Let some people read, look, leave a cart or buy."""
    now = vendor.clock()
    for name in ("reader", "machine", "left", "bought", "looker", "asked"):
        vendor.subscribe(f"{name}@example.com", consent_timestamp=iso(now - 90 * DAY))
    vendor.happen("Received Email", "reader@example.com", mail("Spring"), ago=10 * DAY)
    vendor.happen("Opened Email", "reader@example.com", opened("Spring"), ago=9 * DAY)
    vendor.happen("Opened Email", "machine@example.com", opened("Spring", machine=True), ago=9 * DAY)
    vendor.happen("Clicked Email", "machine@example.com", clicked("Spring", bot=True), ago=9 * DAY)
    for number, name in enumerate(("left", "bought", "silent")):
        about = checkout(f"t{number}", [SHOE], iso(now - 5 * HOUR))
        vendor.happen("Checkout Started", f"{name}@example.com", about, integration=SHOPIFY, ago=5 * HOUR)
    placed = order(1, [SHOE], iso(now - 4 * HOUR), checkout_token="t1", email="bought@example.com")
    vendor.happen("Placed Order", "bought@example.com", placed, integration=SHOPIFY, ago=4 * HOUR)
    for name, ago in (("looker", 5 * HOUR), ("left", 6 * HOUR), ("bought", 6 * HOUR)):
        vendor.happen("Viewed Product", f"{name}@example.com", view(SHOE), integration="API", ago=ago)
    vendor.subscribe("asked@example.com", consent="UNSUBSCRIBED")


def test_the_segments_find_their_people_and_the_gate_asks_what_klaviyo_knows(agency: Agency, vendor: Recorded) -> None:
    live(vendor)
    wiring = rehearsal(agency, vendor)

    run = run_client(wiring, RunOptions("sync", force=True))

    assert [source.trouble for source in run.sources] == [None]
    assert members(agency, rehearsal(agency, vendor)) == {
        "engaged": {"reader@example.com"},
        "cart-abandoners": {"left@example.com", "silent@example.com"},
        "browse-abandoners": {"looker@example.com"},
        "repeat": set(),
    }
    engaged, carts = run.syncs
    assert (engaged.members, engaged.withheld) == (1, {})
    # Leaving a cart is no consent.
    assert (carts.members, carts.withheld) == (2, {"NO_CONSENT": 1})
    [event] = [each for each in vendor.world.events if each["metric"] == "cart-abandoners"]
    assert (event["email"], event["properties"]["cart_url"]) == (
        "left@example.com",
        "https://shop.example.com/checkouts/ac/t0/recover?key=kt0",
    )


def test_an_opt_out_at_klaviyo_withholds_and_a_suppression_too(agency: Agency, vendor: Recorded) -> None:
    live(vendor)
    run_client(rehearsal(agency, vendor), RunOptions("sync", force=True))
    agency.clock.go(hours=3)
    vendor.suppress("reader@example.com", "SPAM_COMPLAINT")
    vendor.subscribe("left@example.com", consent="UNSUBSCRIBED")
    agency.clock.go(hours=1)

    run = run_client(rehearsal(agency, vendor), RunOptions("sync", force=True))

    engaged, carts = run.syncs
    assert (engaged.cleared, sum(engaged.withheld.values()), carts.cleared) == (0, 1, 0)
    assert carts.withheld == {"NO_CONSENT": 1, "OPTED_OUT": 1}


def test_the_catalog_is_the_same_after_a_second_pull_and_after_reading_everything_anew(
    agency: Agency, vendor: Recorded
) -> None:
    live(vendor)
    wiring = rehearsal(agency, vendor)
    pull_client(wiring)
    first = rows(wiring)
    agency.clock.go(hours=2)
    pull_client(rehearsal(agency, vendor))
    second = rows(wiring)
    wiring.catalog.delete()
    pull_client(rehearsal(agency, vendor))

    assert min(len(first[table]) for table in TABLES) > 0
    assert second == first
    assert rows(wiring) == first


def test_rows_that_cannot_be_used_are_named_and_the_others_stored(agency: Agency, vendor: Recorded) -> None:
    live(vendor)
    now = vendor.clock()
    wrong = order(7, [SHOE], iso(now - HOUR), total_price="a lot", email="poison@example.com")
    vendor.happen("Placed Order", "poison@example.com", wrong, integration=SHOPIFY, ago=HOUR)
    odd = order(8, [SHOE], iso(now - HOUR), financial_status="on the moon", email="poison@example.com")
    vendor.happen("Placed Order", "poison@example.com", odd, integration=SHOPIFY, ago=HOUR)

    pulled = pull_client(rehearsal(agency, vendor))

    [source] = pulled.sources
    assert source.trouble is None
    assert source.tables["orders"] == {"read": 3, "rejected": 2}
    with rehearsal(agency, vendor).catalog.session(agency.clock(), agency.clock()) as session:
        told = [(row.reason, row.origin) for row in session.rejected(10, "newsletter")]
    assert {reason for reason, _ in told} == {
        "total: 'a lot' is no amount",
        "status: 'on the moon' is none of pending, paid, refunded, cancelled, failed",
    }
    assert all(origin.startswith("Placed Order, event ") for _, origin in told)


def test_views_nobody_allowed_are_nobodys(agency: Agency, vendor: Recorded) -> None:
    live(vendor)
    agency.change("views_allowed = true\n", "")
    wiring = rehearsal(agency, vendor)

    pulled = pull_client(wiring)

    assert members(agency, wiring)["browse-abandoners"] == set()
    assert "3 of 3 events have no consent to analytics" in " ".join(pulled.sources[0].notes)


# Two doors to one shop.


@pytest.fixture
def shop(agency: Agency) -> Iterator[tuple[ShopifyStandIn, str]]:
    made = ShopifyStandIn(size=12, seed=7, now=agency.clock, specs=None, limits=Limits(bulk_polls=1))
    yield made, made.start()
    made.stop()


@pytest.mark.parametrize(("system", "times"), [("shop", 1), ("newsletter", 2)])
def test_an_order_that_both_doors_tell_counts_once_where_they_say_that_they_are_doors_to_one_shop(
    agency: Agency, vendor: Recorded, shop: tuple[ShopifyStandIn, str], system: str, times: int
) -> None:
    stand_in, address = shop
    shopify = '[sources.shop]\nplugin = "shopify"\nstore = "acme"\nclient_id = "x"\n'
    agency.client(HEAD + shopify + KLAVIYO + f'system = "{system}"\n' + SEGMENTS)
    known = [each for each in stand_in.shop.orders.values() if each.email]
    for each in known:
        placed = iso(each.processed_at.timestamp())
        about = order(each.number, [SHOE], placed, name=each.name, email=each.email, refunds=[refund("1.00")])
        vendor.happen("Placed Order", str(each.email), about, integration=SHOPIFY, ago=60)
    wiring = rehearsal(agency, vendor, shopify=address)

    pulled = pull_client(wiring)

    assert [source.trouble for source in pulled.sources] == [None, None]
    both = rows(wiring)["orders"]
    assert len(both) == len(stand_in.shop.orders) + (times - 1) * len(known)
    assert known


# The sandbox.


def test_a_new_client_of_the_sandbox_has_people_in_its_segments(tmp_path: Path) -> None:
    agency = Agency(tmp_path / "agency")
    header = ("--name", "Acme", "--timezone", "UTC", "--country", "DK", "--currency", "DKK")
    agency.hub(
        "client", "add", "berta", "--source", "klaviyo", "--destination", "klaviyo", *header,
        "--set", "shop.views_allowed=true",
    )  # fmt: skip
    with Sandbox([LivedInKlaviyo], agency.folder):
        pulled = agency.hub("pull", "berta", "--sandbox", "--json").json["sources"][0]
        planned = agency.hub("plan", "berta", "--sandbox", "--no-pull", "--json").json
        checked = agency.hub("check", "berta", "--sandbox").stdout

    assert (pulled["status"], min(table["read"] for table in pulled["tables"].values()) > 0) == ("ok", True)
    assert set(pulled["tables"]) == set(TABLES)
    assert {table["rejected"] for table in pulled["tables"].values()} == {0}
    found = {each["name"]: each["members"] for each in planned["segments"]}
    assert found["cart-abandoners"] > 0
    assert "Placed Order" in checked
