"""Tables about runs and rejected rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from hub.catalog import RejectedRow
from hub.ledger import Run
from hub.report.tables import simple_table


def runs_table(runs: Sequence[Run]) -> Table:
    """List runs."""
    table = simple_table("Runs", "run", "command", "started (UTC)", "took", "status")
    for run in runs:
        took = f"{(run.ended_at - run.started_at).total_seconds():.1f} s" if run.ended_at else ""
        table.add_row(
            run.run_id, run.command, f"{run.started_at:%Y-%m-%d %H:%M:%S}", took, run.status or "under way, or died"
        )
    return table


def rejected_table(rows: Sequence[RejectedRow], *, raw: bool) -> Table:
    """List rejected rows with where they stood and why."""
    columns = ("source", "table", "where", "record", "reason", *(("row",) if raw else ()))
    table = simple_table("Rejected rows", *columns)
    for row in rows:
        cells = [row.source, row.table, row.origin or "", str(row.record or ""), row.reason]
        table.add_row(*cells, *((row.raw or "",) if raw else ()))
    return table


def rejected_json(row: RejectedRow, *, raw: bool) -> dict[str, Any]:
    """Return a rejected row as JSON data."""
    names = ("source", "table", "origin", "record", "reason", *(("raw",) if raw else ()))
    return {name: getattr(row, name) for name in names}
