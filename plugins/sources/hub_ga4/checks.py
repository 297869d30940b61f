"""Say what an export holds: its days, its newest table, and what is missing to know whose events they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING

from hub import api
from hub_ga4.days import Day, gaps
from hub_ga4.reading import Reader, Table
from hub_ga4.sql import statement
from hub_ga4.storage import Storage

if TYPE_CHECKING:
    from hub_ga4 import Ga4

_LARGEST_FETCHED = 64 << 20


def of_source(source: Ga4, storage: Storage) -> Iterator[api.Finding]:
    """Yield findings about an export; its newest table is read, unless it is a large one in a bucket.

    Raises:
        SourceError: there is nothing that can be read.
    """
    days = source.days(storage)
    yield from _which_days(days)
    if source.config.system is None:
        yield api.Finding.warning(
            "no visitor can be a customer: this source does not say which shop it is a door to",
            next_step='Set `system` to that of the source of the orders, such as system = "shop".',
            code="no-system",
        )
    newest = days[max(days)]
    if not storage.is_local and newest.size > _LARGEST_FETCHED:
        yield api.Finding.info(f"{newest.table} has {newest.size / 1e6:,.0f} MB and is not fetched for a check")
        return
    with Reader(storage, source.zone, source.shop.country, source.shop.cache, prefix="checking-") as reader:
        [table] = reader.tables([newest])
        yield from _of_table(reader, table)
        yield from _of_values(reader, table, source.shop.currency)
        reader.release([newest])


def _which_days(days: Mapping[date, Day]) -> Iterator[api.Finding]:
    first, last = min(days), max(days)
    size = sum(day.size for day in days.values())
    yield api.Finding.ok(
        f"{len(days):,} days from {first} to {last}, {size / 1e6:,.1f} MB; the newest is {days[last].table}"
    )
    for begin, end in gaps(days):
        count = (end - begin).days + 1
        yield api.Finding.warning(
            f"no table for {begin}" + (f" to {end}" if count > 1 else ""),
            next_step="Extract the missing days too, if the property had visitors then.",
            code="missing-days",
            count=count,
        )


def _of_table(reader: Reader, table: Table) -> Iterator[api.Finding]:
    row = reader.con.execute(statement("look", days=table.rows, attributable=statement("attributable"))).fetchall()[0]
    events, withheld, users, purchases, named = row
    yield api.Finding.ok(f"{table.day.table} has {events:,} events of {reader.zone.key}'s day")
    if table.rejected:
        yield api.Finding.warning(
            f"{len(table.rejected):,} lines of {table.day.table} are no events",
            next_step="`hub rejected` lists them after a pull.",
            code="rejected-rows",
            count=len(table.rejected),
        )
    if withheld:
        yield api.Finding.info(
            f"{withheld:,} of {events:,} events have no consent to analytics: counted, and attributed to nobody",
            code="no-analytics-consent",
            count=withheld,
        )
    yield api.Finding.info(f"{users:,} customers signed in (user_id)", code="user-ids", count=users)
    if purchases and not named:
        yield api.Finding.warning(
            f"none of {purchases:,} purchases has a transaction_id",
            next_step="Let the tag send the order's number or id as transaction_id, or visitors stay unknown.",
            code="no-transaction-ids",
            count=purchases,
        )
    elif purchases:
        yield api.Finding.info(
            f"{named:,} of {purchases:,} purchases name their order", code="transaction-ids", count=named
        )
    if not users and not named:
        yield api.Finding.warning(
            "nothing says whose events these are: no user_id, no transaction_id",
            next_step="Set user_id at login, and transaction_id on purchases, in the site's tagging.",
            code="nobody-known",
        )


def _of_values(reader: Reader, table: Table, own: str | None) -> Iterator[api.Finding]:
    query = statement("currencies", events=statement("events", days=table.rows))
    found = {str(currency): int(count) for currency, count in reader.con.execute(query).fetchall()}
    foreign = {currency: count for currency, count in found.items() if currency.upper() != (own or "").upper()}
    if foreign:
        told = ", ".join(f"{currency} ({count:,} events)" for currency, count in foreign.items())
        yield api.Finding.info(
            f"values come in {told}: each of these needs its rate under [currencies], or its events are rejected",
            code="foreign-currencies",
            count=sum(foreign.values()),
        )
