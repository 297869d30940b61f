"""Tables about segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from hub.report.tables import simple_table
from hub.sync.look import SegmentSize


def sizes_table(sizes: Sequence[SegmentSize]) -> Table:
    """Show how large each segment is and who of it may be reached."""
    table = simple_table("Segments", "segment", "members", "of all", "by e-mail", "by ads", numbers=4)
    for size in sizes:
        if size.error:
            table.add_row(size.name, "failed", "", "", "")
            continue
        reachable = [f"{size.reachable.get(channel, 0):,}" for channel in ("email", "ads")]
        table.add_row(size.name, f"{size.members:,}", f"{size.share:.1%}", *reachable)
    return table


def preview_table(segment: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Show members with their evidence."""
    columns = list(rows[0]) if rows else ["person"]
    table = simple_table(f"{segment}: a sample", *columns)
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value.strftime("%Y-%m-%d %H:%M") if isinstance(value, datetime) else str(value)
