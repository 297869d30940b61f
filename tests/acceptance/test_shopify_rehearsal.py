"""A Shopify client rehearsed against the sandbox, and a pull killed at any point."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hub.sync.run import pull_client
from hub.sync.wiring import StandIns, Wiring
from hub_shopify.stand_in import Limits, ShopifyStandIn
from hub_shopify.stand_in.generate import generate
from tests.acceptance.kit import until
from tests.nursery import nursery
from tests.shopify_client import Bench, Clock, Shop, bench

KILLS, TRIES = 20, 6
TABLES = ("customers", "consent_records", "orders", "order_lines", "carts", "cart_lines", "products")


def everything(made: Bench) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of the catalog, without what differs from one catalog to another or waits for a recount."""
    left_out = "'loaded_at', 'person_id', 'lifetime_orders', 'lifetime_spend'"
    return {table: made.rows(table, f"columns(lambda name: name not in ({left_out}))") for table in TABLES}


class Now(Clock):
    """The real time, for processes that know no other."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


def test_the_client_s_own_file_is_rehearsed_with_the_stand_in_s_secrets(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        made.shop.add_customer(email="ada@example.com")
        real, made.address = made.address, "https://acme.myshopify.com"
        made.credential, made.environ = 'client_id = "the-real-one"', {}
        wiring = made.wiring()
        stand_ins = StandIns({"shopify": real}, {"shopify": ShopifyStandIn.secrets})
        rehearsal = Wiring(wiring.workspace, wiring.client, wiring.plugins, wiring.around, stand_ins)

        [source] = pull_client(rehearsal).sources

    assert source.status == "ok"
    assert source.tables["customers"]["read"] == 1
    assert ".hub/sandbox/acme" in str(rehearsal.catalog.path)
    assert not wiring.catalog.exists


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Bench]:
    """Serve a shop that changes, read by processes of their own in the real time."""
    shop = generate(Shop(), size=150, seed=7)
    with bench(tmp_path, shop, clock=Now(), limits=Limits(bulk_polls=1)) as made:
        yield made


def test_a_pull_killed_at_random_points_ends_as_one_that_was_not(
    served: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in served.environ.items():
        monkeypatch.setenv(name, value)
    served.wiring()
    chance, killed = random.Random("kills of a pull"), 0
    with nursery(served.folder) as hub:
        began = time.monotonic()
        hub.run("pull", "acme")
        longest = time.monotonic() - began
        for number in range(1, KILLS * TRIES + 1):
            if killed == KILLS:
                break
            if number % 4 == 0:
                served.wiring().catalog.delete()  # everything is read in bulk again
            change(served.shop, chance)
            changed = int(time.time())
            began = time.monotonic()
            was_killed = hub.run_and_kill(chance.uniform(0, longest), "pull", "acme")
            killed += was_killed
            longest = longest if was_killed else min(longest, time.monotonic() - began)
        until(lambda: int(time.time()) > changed)  # Shopify counts in seconds: what is new in this one is read later
        hub.run("pull", "acme")
        killed_often = everything(served)
        served.wiring().catalog.delete()
        hub.run("pull", "acme")

    assert killed == KILLS
    afresh = everything(served)
    for table in TABLES:
        assert [each for each in killed_often[table] if each not in afresh[table]] == [], table
        assert len(killed_often[table]) == len(afresh[table]), table


def change(shop: Shop, chance: random.Random) -> None:
    """Let something happen in the shop."""
    customer = chance.choice(list(shop.customers.values()))
    shop.update_customer(customer, first_name=f"P{chance.random()}")
    shop.add_order([shop.line("Sock", "3.00"), shop.line("Boot", "30.00")], customer)
    shop.remove_line(order := chance.choice(list(shop.orders.values())), order.lines[0])
    shop.add_checkout([shop.checkout_line("Cap", "5.00")], customer)
