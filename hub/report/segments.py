"""Tables about segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from hub.report.tables import simple_table
from hub.segments.words import written
from hub.sync.look import SegmentSize

_CHANNELS = {"email": "e-mail", "sms": "SMS", "ads": "ads"}
_CELL = 7
"""Columns of a terminal that a share takes, with the space around it."""
_MOST = 0.5


def sizes_table(sizes: Sequence[SegmentSize]) -> Table:
    """Show how large each segment is and who of it may be reached."""
    channels = [f"by {_CHANNELS[channel]}" for channel in _CHANNELS]
    table = simple_table("Segments", "segment", "members", "change", "of all", *channels, numbers=3 + len(channels))
    for size in sizes:
        if size.error:
            table.add_row(size.name, Text("failed", style="red"))
            continue
        reachable = [f"{size.reachable[channel]:,}" if size.reachable else "" for channel in _CHANNELS]
        change = "" if size.change is None else f"{size.change:+,}" if size.change else "="
        table.add_row(size.name, f"{size.members:,}", change, f"{size.share:.1%}", *reachable)
    return table


def overlap_tables(sizes: Sequence[SegmentSize], width: int) -> Iterator[Table]:
    """Show which share of each segment's members is also in each other one: as many columns at a time as fit.

    A row is a segment, a column another one under the number that its row has.
    """
    known = [size for size in sizes if size.overlap]
    numbered = list(enumerate(known, 1))
    first = max((len(f"{number} {size.name}") for number, size in numbered), default=0)
    at_a_time = max(1, (width - first) // _CELL)
    for start in range(0, len(numbered), at_a_time):
        part = numbered[start : start + at_a_time]
        heads = [str(number) for number, _size in part]
        title = "Overlap: who of the row is also in the column"
        table = simple_table(title, "segment", *heads, numbers=len(heads))
        for number, size in numbered:
            cells = [_share(size, other) for _number, other in part]
            table.add_row(f"{number} {size.name}", *cells)
        yield table


def _share(size: SegmentSize, other: SegmentSize) -> Text:
    if size.name == other.name:
        return Text("—", style="dim")
    if not size.members or not size.overlap[other.name]:
        return Text("·", style="dim")
    share = size.overlap[other.name] / size.members
    return Text(f"{share:.0%}" if share >= 0.005 else "<1%", style="bold" if share >= _MOST else "")


def preview_table(segment: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Show members with their evidence."""
    columns = list(rows[0]) if rows else ["person"]
    table = simple_table(f"{segment}: a sample", *columns)
    for column in table.columns:
        values = [row[str(column.header)] for row in rows if row[str(column.header)] is not None]
        if values and all(isinstance(value, int | float | Decimal) for value in values):
            column.justify = "right"
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else written(value)
