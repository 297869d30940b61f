"""Tell DuckDB how far a shop's clock is from UTC, week by week, so that it need not ask a library row by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

_START = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are what this module is about
_WEEK = timedelta(days=7)
_WEEKS = 90 * 52


@dataclass(frozen=True, slots=True)
class Offsets:
    """Seconds from UTC in each local week since 1970: ``before`` the week's ``bounds``, and ``after``."""

    bounds: tuple[datetime, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]


@cache
def offsets(timezone: str) -> Offsets:
    """Return a zone's offsets.

    A local time that the clock shows twice is the earlier one (DuckDB's own conversion takes the later); one
    that it skips counts as if it had not been skipped.
    """
    zone = ZoneInfo(timezone)
    starts = [_START + week * _WEEK for week in range(_WEEKS + 1)]
    at_start = [_offset(start, zone) for start in starts]
    bounds = [_bound(early, late, zone) for early, late in pairwise(starts)]
    return Offsets(tuple(bounds), tuple(at_start[:-1]), tuple(at_start[1:]))


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
