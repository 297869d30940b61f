"""What the deliveries that a run prepared would take: calls, and about how long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.api import Forecast, HubError, Op
from hub.deliver.forecast import SAMPLE, forecast, seconds
from hub.deliver.sending import counters
from hub.ledger import Ledger
from hub.plan.diff import due, some_leaving
from hub.sync.numbers import ForecastNumbers
from hub.sync.target import PreparedSync

if TYPE_CHECKING:
    import duckdb

_FINDING = Forecast(calls=1, reads=1)
"""To look for an audience and make it, which counts for the limits and not for the sync."""


def foresee(con: duckdb.DuckDBPyConnection, ledger: Ledger, syncs: Iterable[PreparedSync]) -> None:
    """Tell of every sync what its delivery would take, in the order in which they are delivered.

    What a guard holds, or a destination that cannot be heard, is told of as if it were let through. Syncs of one
    connection share its limits, with the calls that listen: the time of each is what it adds to those before it.
    """
    taken: dict[str, Forecast] = {}
    for sync in syncs:
        connection, destination = sync.target.settings.destination, sync.target.destination
        try:
            found = _forecast(con, ledger, sync)
            if found is None:
                continue
            asked = counters(destination)
            before = taken.get(connection) or Forecast(reads=sum(asked or ()))
            taken[connection] = before + found
            if asked is not None and found.calls and sync.target.audience.remote_id is None:
                taken[connection] += _FINDING
            begins, ends = seconds(destination, before), seconds(destination, taken[connection])
        except HubError as error:
            sync.numbers.notes.append(f"no forecast: {error}")
            continue
        minutes = None if begins is None or ends is None else (ends - begins) / 60
        sync.numbers.forecast = ForecastNumbers(found.calls, found.reads, found.later, minutes)


def _forecast(con: duckdb.DuckDBPyConnection, ledger: Ledger, sync: PreparedSync) -> Forecast | None:
    target, difference = sync.target, sync.difference
    counts = due(con, difference)
    some = {op: found for op in (Op.ADD, Op.UPDATE) if counts.get(op) and (found := difference.select(op, SAMPLE))}
    return forecast(
        target.destination,
        target.audience,
        ledger,
        counts=counts,
        some=some,
        leaving=some_leaving(con, difference, SAMPLE) if counts.get(Op.REMOVE) else (),
    )
