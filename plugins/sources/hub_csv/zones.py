"""Tell DuckDB how far a shop's clock is from UTC, week by week, so that it need not ask a library row by row."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pyarrow as pa

_START = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are what this module is about
_WEEK = timedelta(days=7)
_WEEKS = 90 * 52


@cache
def offsets(timezone: str) -> pa.Table:
    """Return a zone's seconds from UTC in each local week since 1970: ``before`` the ``bound`` in it, and ``after``.

    A local time that the clock shows twice is the earlier one (DuckDB's own conversion takes the later); one
    that it skips counts as if it had not been skipped.
    """
    zone = ZoneInfo(timezone)
    starts = [_START + week * _WEEK for week in range(_WEEKS + 1)]
    at_start = [_offset(start, zone) for start in starts]
    bounds = [_bound(early, late, zone) for early, late in pairwise(starts)]
    columns = {"bound": pa.array(bounds, pa.timestamp("us")), "before": at_start[:-1], "after": at_start[1:]}
    return pa.table({"week": range(_WEEKS), **columns})


def _offset(local: datetime, zone: ZoneInfo) -> int:
    return int((local.replace(tzinfo=zone).utcoffset() or timedelta()).total_seconds())


def _bound(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """Return from which second on the offset of the week's end holds."""
    before = _offset(early, zone)
    if before == _offset(late, zone):
        return late
    while late - early > timedelta(seconds=1):
        middle = early + timedelta(seconds=(late - early) // timedelta(seconds=2))
        early, late = (middle, late) if _offset(middle, zone) == before else (early, middle)
    return late
