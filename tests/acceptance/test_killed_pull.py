"""A pull that is killed at any point: the next one goes on, and the catalog ends as if nothing had happened."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hub_shopify.stand_in import ACCESS_TOKEN, Limits, ShopifyStandIn
from tests.acceptance.kit import Agency
from tests.ga4_export import Export, visits
from tests.nursery import nursery

KILLS = 20
TRIES = 8  # a pull may end before its time to be killed has come
HURRIED = """
import threading, time
wait, monotonic = threading.Event.wait, time.monotonic
time.monotonic = lambda: monotonic() * 200
threading.Event.wait = lambda self, timeout=None: wait(self, None if timeout is None else timeout / 200)
"""
"""A bulk operation advances by being asked about: hub waits between two questions, and here the clock runs faster."""
CLIENT = """
name = "Acme"
timezone = "Europe/Copenhagen"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "shopify"
store = "acme"
address = "{address}"

[sources.web]
plugin = "ga4"
system = "shop"
path = "exports/ga4"

[segments.carts]
plugin = "cart-abandoners"

[segments.winners]
plugin = "repeat"

[destinations.list]
plugin = "keeper"

[syncs.winners]
segment = "winners"
destination = "list"
"""
TABLES = (
    "customers",
    "orders",
    "order_lines",
    "carts",
    "cart_lines",
    "products",
    "consents",
    "events",
    "identities",
    "people",
    "consent_records",
)


@pytest.fixture
def shop() -> Iterator[ShopifyStandIn]:
    made = ShopifyStandIn(size=60, seed=3, specs=None, limits=Limits(bucket=1_000_000, restore_rate=1_000_000))
    made.address = made.start()  # type: ignore[attr-defined]
    yield made
    made.stop()


@pytest.fixture
def wired(agency: Agency, shop: ShopifyStandIn, monkeypatch: pytest.MonkeyPatch) -> Agency:
    """Wire a client to a shop and to what analytics saw of some of its customers in the last six days."""
    monkeypatch.setenv("HUB_SECRET__ACME__SHOP__ACCESS_TOKEN", ACCESS_TOKEN)
    numbers = [str(number) for number in shop.shop.customers]
    seen = visits(5, (datetime.now(UTC) - timedelta(days=7)).date(), days=6)
    for row in seen:
        row["user_id"] = numbers[int(row["user_id"][1:])] if row["user_id"] else None
    Export(agency.folder / "exports" / "ga4").put(*seen)
    agency.client(CLIENT.format(address=shop.address))  # type: ignore[attr-defined]
    return agency


def content(agency: Agency) -> dict[str, list[Any]]:
    """Return every row of the merged tables, but for when it was loaded."""
    found: dict[str, list[Any]] = {}
    with duckdb.connect(agency.state / "catalog.duckdb", read_only=True) as con:
        for table in TABLES:
            columns = [name for name in con.table(f"merged.{table}").columns if name != "loaded_at"]
            found[table] = con.execute(f"select {', '.join(columns)} from merged.{table} order by all").fetchall()
    return found


def forget_catalog(agency: Agency) -> None:
    for file in agency.state.glob("catalog*"):
        file.unlink()


def test_a_pull_killed_at_random_points_ends_with_the_catalog_of_one_that_was_not(wired: Agency) -> None:
    chance = random.Random("kills of a pull")
    with nursery(wired.folder, HURRIED) as hub:
        began = time.monotonic()
        hub.run("pull", "acme")
        longest = time.monotonic() - began
        undisturbed = content(wired)
        assert min(len(undisturbed[name]) for name in TABLES) > 0

        killed = 0
        forget_catalog(wired)
        for _ in range(KILLS * TRIES):
            if killed == KILLS:
                break
            began = time.monotonic()
            if hub.run_and_kill(chance.uniform(0, longest), "pull", "acme"):
                killed += 1
            else:
                longest = min(longest, time.monotonic() - began)  # the first one was slower, with nothing at hand
                assert content(wired) == undisturbed
                forget_catalog(wired)
        assert killed == KILLS
        hub.run("pull", "acme")

    assert content(wired) == undisturbed


def test_a_client_with_both_sources_is_pulled_planned_and_synced(wired: Agency, tmp_path: Path) -> None:
    pulled = {each["name"]: each["tables"] for each in wired.hub("pull", "acme", "--json").json["sources"]}
    assert pulled["shop"]["customers"]["read"] == 60
    assert pulled["web"]["events"]["read"] > 100

    planned = wired.hub("plan", "acme", "--no-pull", "--json").json["syncs"][0]
    assert planned["add"] > 0
    synced = wired.sync("--force")["syncs"][0]

    assert (synced["status"], synced["delivered"]) == ("ok", planned["add"])
    assert wired.sync()["syncs"][0]["calls"] == 0
    status = wired.hub("status", "acme").stdout
    assert all(name in status for name in ("orders", "events", "products"))
