"""Which files hold which day, and which of them are to be read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

KINDS = ("daily", "fresh", "intraday")
"""The tables of a day, the one that counts first (Analytics help, "BigQuery Export")."""

_TABLE = re.compile(r"(?:^|[^a-z0-9])events_(?:(intraday|fresh)_)?(\d{8})(?!\d)", re.IGNORECASE)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """A file of the export: its place below the folder or bucket, its size, and when it was last written."""

    name: str
    size: int
    stamp: int


@dataclass(frozen=True, slots=True)
class Day:
    """A day's table: of the kind that counts, in one file or several."""

    day: date
    kind: str
    files: tuple[Found, ...]

    @property
    def mark(self) -> str:
        """Return a text that changes when any of the files does."""
        told = json.dumps([self.kind, [[each.name, each.size, each.stamp] for each in self.files]])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(each.size for each in self.files)

    @property
    def table(self) -> str:
        """Return the table's name in BigQuery."""
        return f"events_{'' if self.kind == 'daily' else self.kind + '_'}{self.day:%Y%m%d}"


def table_of(name: str) -> tuple[date, str] | None:
    """Return the day and the kind of table that a file's name tells, or None."""
    found = list(_TABLE.finditer(name))
    if not found:
        return None
    kind, digits = found[-1].groups()
    try:
        return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date(), (kind or "daily").lower()
    except ValueError:
        return None


def by_day(files: Iterable[Found]) -> dict[date, Day]:
    """Return the days in order: daily over fresh over intraday where a day has several tables."""
    tables: dict[date, dict[str, list[Found]]] = {}
    for each in sorted(files):
        told = table_of(each.name)
        if told is not None:
            tables.setdefault(told[0], {}).setdefault(told[1], []).append(each)
    days = {}
    for day in sorted(tables):
        kind = next(kind for kind in KINDS if kind in tables[day])
        days[day] = Day(day, kind, tuple(tables[day][kind]))
    return days


def changed(days: Mapping[date, Day], seen: Mapping[str, str]) -> list[Day]:
    """Return the days whose files are new or other than those seen, the earliest first."""
    return [each for day, each in days.items() if seen.get(day.isoformat()) != each.mark]


def bounds(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return when the first day begins and the last one ends, in UTC: a day of the property's time zone."""
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + _DAY))
    return start.astimezone(UTC), end.astimezone(UTC)


def periods(days: Sequence[Day], most_bytes: int, most_days: int) -> Iterator[list[Day]]:
    """Yield runs of days that follow each other without a gap, none larger than the limits unless it is one day."""
    period: list[Day] = []
    for each in days:
        follows = bool(period) and each.day - period[-1].day == _DAY
        fits = len(period) < most_days and sum(day.size for day in period) + each.size <= most_bytes
        if period and not (follows and fits):
            yield period
            period = []
        period.append(each)
    if period:
        yield period


def gaps(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Yield (first, last) of the days that are missing between others."""
    before = None
    for day in sorted(days):
        if before is not None and day - before > _DAY:
            yield before + _DAY, day - _DAY
        before = day
