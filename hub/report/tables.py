"""Terminal tables of a run's numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from rich.box import SIMPLE_HEAD
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hub.api import Section
from hub.report.words import count, how_long, meaning, shown
from hub.sync.numbers import RunNumbers, SourceNumbers, Status, SyncNumbers, Trouble

_STYLES = {
    Status.OK: "green",
    Status.SKIPPED: "dim",
    Status.PARTIAL: "yellow",
    Status.REFUSED: "yellow",
    Status.FAILED: "red",
}


def run_tables(numbers: RunNumbers, *, delivered: bool) -> Iterator[RenderableType]:
    """Yield the tables of one run: sources, segments, audiences, who was withheld, and what to do next."""
    if numbers.sources:
        yield sources_table(numbers.sources)
    if numbers.segments:
        yield segments_table(numbers)
    if numbers.syncs:
        yield syncs_table(numbers.syncs)
        if delivered:
            yield delivery_table(numbers.syncs)
        elif any(sync.forecast and sync.forecast.calls for sync in numbers.syncs):
            yield forecast_table(numbers.syncs)
        if any(sync.withheld for sync in numbers.syncs):
            yield withheld_table(numbers.syncs, numbers.codes)
    yield from map(section_table, numbers.sections)
    yield from next_steps(numbers)


def simple_table(title: str, *columns: str, numbers: int = 0) -> Table:
    """Make a table in the house style; the last ``numbers`` columns are right-aligned."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(columns):
        is_number = position >= len(columns) - numbers
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    return table


def status_text(status: Status) -> Text:
    """Colour a status."""
    return Text(status.value, style=_STYLES[status])


def sources_table(sources: list[SourceNumbers]) -> Table:
    """Show what each source gave."""
    table = simple_table("Sources", "source", "status", "table", "rows", "rejected", numbers=2)
    for source in sources:
        first = True
        for name, counts in source.tables.items() or [("nothing new", {})]:
            head = (source.name, status_text(source.status)) if first else ("", "")
            table.add_row(*head, name, _number(counts.get("read")), _number(counts.get("rejected")))
            first = False
    return table


def segments_table(numbers: RunNumbers) -> Table:
    """Show how large each segment is."""
    table = simple_table("Segments", "segment", "members", numbers=1)
    for segment in numbers.segments:
        members = Text("failed", style="red") if segment.trouble else Text(f"{segment.members:,}")
        table.add_row(segment.name, members)
    return table


def syncs_table(syncs: list[SyncNumbers]) -> Table:
    """Show what each sync would change, or changed."""
    columns = ("sync", "status", "members", "cleared", "withheld", "add", "update", "remove")
    table = simple_table("Audiences", *columns, numbers=6)
    for sync in syncs:
        figures = (sync.members, sync.cleared, sum(sync.withheld.values()), sync.add, sync.update, sync.remove)
        table.add_row(sync.name, status_text(sync.status), *(_number(figure) for figure in figures))
    return table


def delivery_table(syncs: list[SyncNumbers]) -> RenderableType:
    """Show what became of the changes; a line where there were none."""
    busy = [sync for sync in syncs if sync.add + sync.update + sync.remove or sync.calls]
    if not busy:
        return Text("Nothing to send: no write calls.", style="dim")
    columns = ("sync", "delivered", "accepted", "rejected", "unknown", "failed", "held back", "calls")
    table = simple_table("Delivery", *columns, numbers=7)
    for sync in busy:
        figures = (sync.delivered, sync.accepted, sync.rejected, sync.unknown, sync.failed, sync.held_back, sync.calls)
        table.add_row(sync.name, *(_number(figure) for figure in figures))
    return table


def forecast_table(syncs: list[SyncNumbers]) -> Table:
    """Show how many calls the changes would take and about how long, whatever a guard holds included."""
    told = [(sync, sync.forecast) for sync in syncs if sync.forecast and sync.forecast.calls]
    is_held = any(sync.guards for sync, _ in told)
    title = "Forecast, once approved" if is_held else "Forecast"
    table = simple_table(title, "sync", "write calls", "reads", "later reads", "takes about", numbers=4)
    for sync, forecast in told:
        figures = (forecast.calls, forecast.reads, forecast.later)
        table.add_row(sync.name, *(_number(figure) for figure in figures), how_long(forecast.minutes))
    return table


def withheld_table(syncs: list[SyncNumbers], codes: Mapping[str, str]) -> Table:
    """Show who was withheld and why, over all syncs; ``codes`` says what extensions' codes mean."""
    table = simple_table("Withheld", "sync", "code", "why", "people", numbers=1)
    for sync in syncs:
        for position, (code, number) in enumerate(Counter(sync.withheld).most_common()):
            table.add_row("" if position else sync.name, code, meaning(code, codes), _number(number))
    return table


def section_table(section: Section) -> Table:
    """Show a table that an extension adds; columns of numbers at its end are right-aligned."""
    numbers = 0
    for values in reversed(list(zip(*section.rows, strict=True))):
        if any(isinstance(value, str) for value in values):
            break
        numbers += 1
    table = simple_table(escape(section.title), *section.columns, numbers=numbers)
    for row in section.rows:
        table.add_row(*(shown(value) for value in row))
    return table


def next_steps(numbers: RunNumbers) -> Iterator[Text]:
    """Yield a line for everything that someone should know or do."""
    if numbers.trouble:
        yield from _trouble("run", numbers.trouble)
    for note in numbers.notes:
        yield Text(f"note: {note}", style="dim")
    for source in numbers.sources:
        yield from _notes(f"source {source.name}", source.notes, source.trouble)
    for segment in numbers.segments:
        yield from _notes(f"segment {segment.name}", segment.notes, segment.trouble)
    for sync in numbers.syncs:
        for guard in sync.guards:
            yield Text(f"! {sync.name} is held by the {guard['guard']} guard: {guard['text']}", style="yellow")
            yield Text(f"  → {guard['next_step']}")
        yield from _notes(f"sync {sync.name}", sync.notes, sync.trouble)


def summary(numbers: RunNumbers) -> Text:
    """Say in one line how the run ended."""
    delivered = sum(sync.delivered + sync.accepted for sync in numbers.syncs)
    calls = sum(sync.calls for sync in numbers.syncs)
    changes = f"{count(delivered, 'change')} delivered in {count(calls, 'write call')}"
    text = f"{numbers.client}: {numbers.status.value}, {changes}"
    return Text(text, style=_STYLES[numbers.status])


def _notes(where: str, notes: list[str], trouble: Trouble | None) -> Iterator[Text]:
    for note in notes:
        yield Text(f"note: {where}: {note}", style="dim")
    if trouble:
        yield from _trouble(where, trouble)


def _trouble(where: str, trouble: Trouble) -> Iterator[Text]:
    yield Text(f"✗ {where}: {trouble.text}", style="red")
    if trouble.next_step:
        yield Text(f"  → {trouble.next_step}")


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
