"""A shop behind the stand-in, and hub keeping a tag of its customers as a client's file says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub import api
from hub.sync.lines import close_line
from hub.sync.numbers import RunNumbers, SyncNumbers
from hub.sync.run import RunOptions, run_client
from hub_shopify import ShopifyTags
from hub_shopify.stand_in import ACCESS_TOKEN
from hub_shopify.stand_in.records import Customer
from tests.shopify_client import PERMANENT, Bench, bench

TAG = "VIP"
MEMBERS = "where not list_contains(coalesce(tags, []), 'left')"
CLIENT = f"""
[segments.vip]
plugin = "sql"
query = "select distinct person_id from customers {MEMBERS}"

[destinations.tags]
plugin = "shopify"
store = "acme"
address = "ADDRESS"

[syncs.prices]
segment = "vip"
destination = "tags"
audience = "{TAG}"
"""


@contextmanager
def tagging(folder: Path, *, people: int = 0, **options: Any) -> Iterator[Bench]:
    """Serve a shop of so many customers, and wire a source and a destination to it."""
    with bench(folder, **options) as made:
        made.rest = CLIENT.replace("ADDRESS", made.address)
        made.environ = {**PERMANENT, "HUB_SECRET__ACME__TAGS__ACCESS_TOKEN": ACCESS_TOKEN}
        for number in range(people):
            made.shop.add_customer(email=f"p{number}@example.com", first_name="Ada")
        yield made


@contextmanager
def destination(made: Bench) -> Iterator[ShopifyTags]:
    """Make the destination as a run does."""
    wiring = made.wiring()
    with wiring.open_ledger() as ledger:
        found = wiring.destination("tags", ledger)
        try:
            assert isinstance(found, ShopifyTags)
            yield found
        finally:
            close_line(found)


def member(number: int | str, remote_id: str | None = None) -> api.Member:
    """Return a member as hub hands it over."""
    return api.Member(f"{number:>032}", customer_id=str(number), remote_id=remote_id)


def batch(op: api.Op, members: Sequence[api.Member], tag: str = TAG) -> api.Batch:
    """Return a batch as hub sends it."""
    return api.Batch(op, tag, "batch", members)


def sync(made: Bench, **options: bool) -> RunNumbers:
    """Run the client a second later."""
    made.clock.go(seconds=1)
    return run_client(made.wiring(), RunOptions("sync", **options))


def plan(made: Bench) -> RunNumbers:
    """Plan a second later."""
    made.clock.go(seconds=1)
    return run_client(made.wiring(), RunOptions("plan", deliver=False))


def prices(run: RunNumbers) -> SyncNumbers:
    """Return the one sync's numbers."""
    (numbers,) = run.syncs
    return numbers


def tagged(made: Bench, tag: str = TAG) -> set[int]:
    """Return the numbers of the customers with a tag."""
    return {number for number, each in made.shop.customers.items() if tag in each.tags}


def people(made: Bench) -> list[Customer]:
    """Return the shop's customers in order."""
    return list(made.shop.customers.values())
