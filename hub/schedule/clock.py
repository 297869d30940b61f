"""When a schedule is due, in a client's time zone.

cronsim was chosen over croniter: typed, without dependencies, and it follows Debian's cron where clocks change. A
fixed hour that a change skips runs right after it, one that comes twice runs once; ``*`` and ``*/n`` follow real time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim


def next_run(schedule: str, after: datetime, tz: ZoneInfo) -> datetime:
    """Return the first instant (UTC) after ``after`` (aware) at which a cron expression is due.

    Raises:
        ValueError: the expression is never due again.
    """
    for tick in CronSim(schedule, after.astimezone(tz)):
        # In the hour that comes twice cronsim names a fixed time's first occurrence, which may have passed.
        moment = tick.astimezone(UTC)
        if moment > after:
            return moment
    raise ValueError(f"{schedule!r} is never due after {after.isoformat()}")


def due(schedule: str | None, last_run: datetime | None, now: datetime, tz: ZoneInfo) -> bool:
    """Tell whether a sync is due: its schedule had a tick since its last run.

    Without a schedule, or before its first run, it always is, except where the clock went back behind the last run:
    that run's tick has been served.
    """
    if last_run is None:
        return True
    if last_run > now:
        return False
    return schedule is None or next_run(schedule, last_run, tz) <= now
