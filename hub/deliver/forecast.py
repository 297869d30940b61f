"""Forecasts: what a destination says that a delivery would take, by how many members there are and by some of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pyarrow as pa

from hub.api import Destination, Forecast, Limit, Member, Op, Planned
from hub.consent.cleared import Cleared
from hub.deliver.batches import members_of, parts_of, removals_of
from hub.deliver.isolation import isolated
from hub.ledger import Audience, Ledger

SAMPLE = 1_000


def forecast(
    destination: Destination[Any],
    audience: Audience,
    ledger: Ledger,
    *,
    counts: Mapping[Op, int],
    some: Mapping[Op, Cleared],
    leaving: Collection[str] = (),
) -> Forecast | None:
    """Return what a delivery would take; None where the destination cannot tell. Nobody is asked.

    ``counts`` are how many members are due, ``some`` and ``leaving`` (keys) are up to ``SAMPLE`` of them.

    Raises:
        HubError: the destination cannot be delivered to as it is wired, or its plugin broke (PluginError).
    """
    can = destination.can
    # Without Op.REMOVE leaving is no call, except where everybody else is sent anew.
    due = {op: count for op, count in counts.items() if count and (op in can.ops or can.replaces)}
    if not due:
        return Forecast()
    samples = {op: _sample(cleared, permissions=can.permissions) for op, cleared in some.items() if op in due}
    if Op.REMOVE in due:
        tables = removals_of(ledger, audience.audience_id, [leaving], SAMPLE)
        samples[Op.REMOVE] = [member for table in tables for member in members_of(table)]
    with isolated(f"destination {destination.connection}", "forecast"):
        return destination.forecast(Planned(audience.name, audience.remote_id, due, samples))


def seconds(destination: Destination[Any], told: Forecast) -> float | None:
    """Return how long the limits make what was foretold; None where they do not tell.

    Raises:
        PluginError: the plugin broke.
    """
    with isolated(f"destination {destination.connection}", "seconds"):
        return destination.seconds(told)


def _sample(cleared: Cleared, *, permissions: bool) -> list[Member]:
    tables = (pa.Table.from_batches([batch]) for batch in cleared.read(SAMPLE) if batch.num_rows)
    parts = parts_of(tables, Limit(SAMPLE), lambda _: 0, permissions=permissions)
    return [member for part in parts for member in part.members]
