"""How every client stands, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from rich.console import RenderableType
from rich.text import Text

from hub.report.tables import simple_table
from hub.report.words import age


class Standing(Protocol):
    """What a status line is made of."""

    client: str
    last_run: datetime | None
    last_status: str | None
    last_good: datetime | None
    next_run: datetime | None
    freshness: list[tuple[str, str, datetime | None, str]]
    withheld: dict[str, int]
    problems: list[str]
    next_step: str | None


def status_parts(clients: Sequence[Standing], now: datetime) -> Iterator[RenderableType]:
    """Yield a table of all clients, then problems and next steps."""
    table = simple_table(
        "Clients", "client", "last run", "last good run", "next run", "data until", "withheld", numbers=1
    )
    for each in clients:
        oldest = min((until for _, _, until, _ in each.freshness if until is not None), default=None)
        table.add_row(
            each.client,
            f"{each.last_status}, {age(each.last_run, now)}" if each.last_run else "never",
            age(each.last_good, now),
            f"{each.next_run:%Y-%m-%d %H:%M} UTC" if each.next_run else "at every tick",
            f"{oldest:%Y-%m-%d %H:%M} UTC" if oldest else "",
            f"{sum(each.withheld.values()):,}",
        )
    yield table
    for each in clients:
        for problem in each.problems:
            yield Text(f"! {each.client}: {problem}", style="yellow")
        if each.next_step:
            yield Text(f"  → {each.next_step}")
    if not any(each.next_step for each in clients):
        yield Text("Nobody must act.", style="green")
