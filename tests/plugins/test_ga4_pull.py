"""The Analytics export beside a shop's own: whole pulls, whom the visitors are, and who abandoned a cart."""

from __future__ import annotations

import csv
import random
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.numbers import RunNumbers
from hub.sync.run import RunOptions, pull_client, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from tests.ga4_export import Export, Row, event, item, visits
from tests.ga4_shop import NOW, at
from tests.nursery import nursery

CLIENT = """
name = "Acme Shoes"
timezone = "Europe/Copenhagen"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
exported = 2026-11-21T11:30:00Z
[[sources.shop.files]]
path = "shop/customers.csv"
table = "customers"
columns = { customer_id = "id", email = "email" }
[[sources.shop.files]]
path = "shop/consents.csv"
table = "consents"
columns = { subject = "id", channel = "channel", status = "status", basis = "basis", recorded_at = "at" }
constants = { dated_by = "record" }
[[sources.shop.files]]
path = "shop/orders.csv"
table = "orders"
exported = 2026-11-21T11:30:00Z
columns = { order_id = "id", name = "name", customer_id = "customer", placed_at = "at", total = "total" }
constants = { status = "paid" }

[sources.web]
plugin = "ga4"
system = "shop"
path = "ga4"

[currencies]
EUR = 7.46

[destinations.list]
plugin = "file"

[segments.cart-abandoners]
plugin = "cart-abandoners"

[syncs.carts]
segment = "cart-abandoners"
destination = "list"
purpose = "cart_reminder"
attributes = { value = "cart_value", step = "cart_step", items = "cart_items" }
"""
A = item("a", 10.0, 2)
HOUR = timedelta(hours=1)


class Client:
    """A workspace with a shop's files and an export."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("clients", "shop", "ga4"):
            (folder / name).mkdir(parents=True)
        (folder / "hub.toml").touch()
        (folder / "clients" / "acme.toml").write_text(CLIENT)
        self.export = Export(folder / "ga4")

    def shop(self, customers: int, orders: list[tuple[str, str, str]]) -> None:
        """Write the shop's files: customers c0, c1, … who agreed to mails, and orders (id, customer, when)."""
        ids = [f"c{number}" for number in range(customers)]
        self._write("customers", ["id", "email"], [(one, f"{one}@example.com") for one in ids])
        said = [(one, "email", "subscribed", "opt_in_single", "2026-01-01T00:00:00Z") for one in ids]
        self._write("consents", ["id", "channel", "status", "basis", "at"], said)
        some = [("900", "somebody else", "2025-01-01T10:00:00Z"), *orders]
        rows = [(number, f"#{number}", customer, when, "100") for number, customer, when in some]
        self._write("orders", ["id", "name", "customer", "at", "total"], rows)

    def _write(self, name: str, header: list[str], rows: list[tuple[str, ...]]) -> None:
        with (self.folder / "shop" / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])

    def wiring(self) -> Wiring:
        workspace = load_workspace(self.folder)
        around = Surroundings(clock=lambda: NOW)
        return Wiring(workspace, load_client(workspace, "acme"), Plugins(self.folder), around)

    def pull(self) -> RunNumbers:
        return pull_client(self.wiring())

    def sync(self) -> RunNumbers:
        return run_client(self.wiring(), RunOptions("sync", force=True))

    def audience(self) -> dict[str, dict[str, str]]:
        """Return the audience's rows by customer."""
        with (self.folder / "audiences" / "acme" / "cart-abandoners.csv").open() as file:
            return {row["email"].partition("@")[0]: row for row in csv.DictReader(file)}

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.wiring().catalog.session(NOW, NOW) as session:
            return session.con.execute(query).fetchall()


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


def browsing(number: int, *steps: str, begun: str = "20 09:00", **columns: Any) -> list[Row]:
    """Return a visitor's steps, ten minutes apart."""
    visitor = f"{number}.{number}"
    params = {"currency": "EUR", "value": 20}
    return [
        event(at(begun) + place * HOUR / 6, name, visitor=visitor, items=[A], params=params, **columns)
        for place, name in enumerate(steps)
    ]


def test_whoever_left_a_cart_is_reminded_and_whoever_ordered_is_not(client: Client) -> None:
    client.shop(
        9,
        [
            ("1001", "c1", "2026-06-01T10:00:00Z"),
            ("1002", "c2", "2026-11-20T09:30:00Z"),  # analytics missed the purchase
            ("1003", "c3", "2026-11-20T09:05:00Z"),  # and here too, between two steps
            ("1004", "c4", "2026-11-01T09:05:00Z"),  # long before
        ],
    )
    cart = ("add_to_cart", "begin_checkout")
    client.export.put(
        *browsing(0, *cart, "add_payment_info", user_id="c0"),
        event(at("2"), "purchase", visitor="1.1", ecommerce={"transaction_id": "1001"}),
        *browsing(1, *cart),
        *browsing(2, *cart, user_id="c2"),
        *browsing(3, *cart, user_id="c3"),
        *browsing(4, "add_to_cart", user_id="c4"),
        *browsing(5, *cart, "purchase", user_id="c5", ecommerce={"transaction_id": "1009"}),
        *browsing(6, *cart, user_id="c6", consent=(None, None)),
        *browsing(7, *cart, user_id="c7", consent=("No", "No")),
        *browsing(8, *cart),
    )

    numbers = client.sync()

    assert numbers.status.value == "ok", numbers.as_json()
    reminded = client.audience()
    assert reminded.keys() == {"c0", "c1", "c4"}
    assert (reminded["c0"]["value"], reminded["c0"]["step"], reminded["c0"]["items"]) == ("149.20", "payment", "2")
    assert [reminded[who]["step"] for who in ("c1", "c4")] == ["checkout", "cart"]


def test_the_shop_says_later_that_it_was_bought(client: Client) -> None:
    client.shop(1, [])
    client.export.put(*browsing(0, "add_to_cart", user_id="c0"))
    client.sync()
    assert client.audience().keys() == {"c0"}
    client.shop(1, [("1001", "c0", "2026-11-20T09:20:00Z")])

    client.sync()

    assert client.audience().keys() == set()


def test_a_pull_says_how_many_visitors_the_shop_knows(client: Client) -> None:
    client.shop(3, [("1001", "c1", "2026-06-01T10:00:00Z")])
    client.export.put(
        *browsing(1, "view_item", "purchase", ecommerce={"transaction_id": "1001"}),
        *browsing(2, "view_item", user_id="c2"),
        *browsing(3, "view_item", "purchase", ecommerce={"transaction_id": "9999"}),
        *browsing(4, "view_item", user_id="c0", consent=("No", "No")),
    )

    [_, web] = client.pull().sources

    assert web.notes == [
        "1 of 2 transactions are orders of the shop, 2 of 2 customer ids are the shop's, 2 of 3 browsers are its customers'",
        "1 of 6 events have no consent to analytics: counted, and attributed to nobody",
    ]
    assert client.ask("select count(*), count(person_id) from events") == [(6, 5)]


def test_what_customers_said_stands_in_the_catalog(client: Client) -> None:
    client.shop(2, [])
    client.export.put(
        *browsing(0, "view_item", user_id="c0"), *browsing(1, "view_item", user_id="c1", consent=("No", "No"))
    )

    client.pull()

    assert client.ask("select subject, channel, status from consents where source = 'web' order by 1, 2") == [
        ("c0", "ads", "unknown"),
        ("c0", "analytics", "subscribed"),
        ("c1", "ads", "never"),
        ("c1", "analytics", "unsubscribed"),
    ]


def test_a_second_pull_with_nothing_new_reads_nothing(client: Client) -> None:
    client.shop(1, [])
    client.export.put(*browsing(0, "add_to_cart", user_id="c0"))
    client.pull()

    [_, web] = client.pull().sources

    assert web.tables == {}


def test_a_screen_export_fails_the_source_with_what_is_needed(client: Client) -> None:
    client.shop(1, [])
    (client.folder / "ga4" / "Traffic acquisition.csv").write_text("# ----\n# Acme Shoes\nSource,Sessions\n")

    [shop, web] = client.pull().sources

    assert (shop.status.value, web.status.value) == ("ok", "failed")
    assert web.trouble is not None
    assert "hub needs the export to BigQuery" in web.trouble.text
    assert "Link the property to BigQuery" in str(web.trouble.next_step)


# -- killed

KILLS = 20


def everything(client: Client) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the catalog holds that does not depend on when it was read."""
    tables = dict.fromkeys(("events", "carts", "cart_lines", "consents"), "loaded_at")
    tables |= {"people": "known_from", "identities": "address_key"}
    return {
        name: client.ask(f"select * exclude ({left_out}) from {name} order by all") for name, left_out in tables.items()
    }


def test_a_pull_killed_at_random_points_ends_as_one_that_was_not(tmp_path: Path) -> None:
    chance = random.Random("kills of a pull")
    undisturbed, disturbed = Client(tmp_path / "undisturbed"), Client(tmp_path / "disturbed")
    killed = 0
    with nursery(disturbed.folder) as hub:
        for again in range(2):  # the first read, and one after every second day was written again
            rows = visits(5 + again, date(2026, 11, 1), days=8, visitors=40)
            for one in (undisturbed, disturbed):
                one.shop(40, [("1001", "c3", "2026-11-05T10:00:00Z")])
                odd_days = [row for row in rows if one.export.day_of(row).day % 2]
                one.export.put(*odd_days)
            began = time.monotonic()
            undisturbed.pull()
            longest = time.monotonic() - began
            while killed < KILLS * (again + 1) // 2:
                began = time.monotonic()
                if hub.run_and_kill(chance.uniform(0, longest), "pull", "acme"):
                    killed += 1
                else:  # it was too quick: the same once more, in files that are new
                    longest = min(longest, time.monotonic() - began)
                    disturbed.export.put(*odd_days)
            hub.run("pull", "acme")

    assert everything(disturbed) == everything(undisturbed)
    assert len(everything(undisturbed)["events"]) > 200
    cache = disturbed.folder / ".hub" / "acme" / "cache" / "web"
    assert [path.name for path in cache.iterdir()] == ["days"]
