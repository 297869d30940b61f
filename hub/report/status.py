"""How every client stands, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from hub.ledger import Freshness
from hub.report.tables import simple_table
from hub.report.words import age


class Standing(Protocol):
    """What a status line is made of."""

    client: str
    last_run: datetime | None
    last_status: str | None
    last_good: datetime | None
    next_run: datetime | None
    freshness: list[Freshness]
    withheld: dict[str, int]
    problems: list[str]
    next_step: str | None


def status_parts(clients: Sequence[Standing], now: datetime) -> Iterator[RenderableType]:
    """Yield a table of all clients, then problems and next steps."""
    table = simple_table(
        "Clients", "client", "last run", "last good run", "next run", "data until", "withheld", numbers=1
    )
    for each in clients:
        oldest = min((known.fresh_until for known in each.freshness if known.fresh_until is not None), default=None)
        table.add_row(
            each.client,
            f"{each.last_status}, {age(each.last_run, now)}" if each.last_run else "never",
            age(each.last_good, now),
            f"{each.next_run:%Y-%m-%d %H:%M} UTC" if each.next_run else "at every tick",
            f"{oldest:%Y-%m-%d %H:%M} UTC" if oldest else "",
            f"{sum(each.withheld.values()):,}",
        )
    yield table
    if len(clients) == 1 and clients[0].freshness:
        yield _data_table(clients[0], now)
    for each in clients:
        for problem in each.problems:
            yield Text(f"! {each.client}: {problem}", style="yellow")
        if each.next_step:
            yield Text(f"  → {each.next_step}")
    if not any(each.next_step for each in clients):
        yield Text("Nobody must act.", style="green")


def _data_table(client: Standing, now: datetime) -> Table:
    """Show how far each table reaches, and when it was last read."""
    table = simple_table("Data", "source", "table", "status", "from", "until", "read", "rows", "rejected", numbers=2)
    for each in client.freshness:
        table.add_row(
            each.source,
            each.table,
            each.status,
            f"{each.start:%Y-%m-%d %H:%M} UTC" if each.start else "the beginning",
            f"{each.fresh_until:%Y-%m-%d %H:%M} UTC" if each.fresh_until else "unknown",
            age(each.read_at, now),
            f"{each.rows:,}",
            f"{each.rejected:,}",
        )
    return table
