"""Why a client's carts are left."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.segments import CartReport, report_carts, run_segments
from hub.sync.explain import open_session
from hub.sync.look import pull_first
from hub.sync.wiring import Wiring


def look_at_carts(wiring: Wiring, window: timedelta, as_of: datetime | None, *, pull: bool) -> CartReport:
    """Count how the carts of a window ended, by what is known of them and by the client's segments."""
    if pull:
        pull_first(wiring)
    with open_session(wiring, as_of) as session:
        results = run_segments(session, wiring.definitions, max_lag=wiring.client.guards.max_lag)
        return report_carts(session, window, [results[name] for name in wiring.client.segments if name in results])
