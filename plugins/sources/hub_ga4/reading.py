"""Read days of the export: bring their files here, look at them, and give their rows as events."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import pyarrow as pa

from hub import api
from hub_ga4 import formats
from hub_ga4.days import Day, Found, bounds
from hub_ga4.layout import NEEDED, selections
from hub_ga4.sql import UNKNOWN, connection, failures, listed, statement
from hub_ga4.storage import Storage

BATCH = 122_880
_MOST_REJECTED = 1_000
_MOST_OUTSIDE = 0.01
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Table:
    """One day's table, ready to be read.

    ``rows`` selects it in uniform columns. ``first`` and ``last`` are the times of its events; ``outside`` counts
    those that lie in another day.
    """

    day: Day
    rows: str
    events: int
    outside: int
    first: datetime | None
    last: datetime | None
    rejected: tuple[api.Reject, ...] = ()


@dataclass(slots=True)
class Reader:
    """Read tables with one database; a context manager that leaves nothing behind but what it fetched on purpose."""

    storage: Storage
    zone: ZoneInfo
    country: str | None
    cache: Path
    prefix: str = "reading-"
    folder: Path = field(init=False)
    unknown: set[str] = field(default_factory=set)
    con: Any = field(init=False)
    _countries: set[str] = field(default_factory=set)
    _made: dict[Found, Path] = field(default_factory=dict)
    _json: dict[Found, str] = field(default_factory=dict)
    _labels: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix=self.prefix, dir=self.cache))
        self.con = connection(self.folder, self.country)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.con.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tables(self, days: Sequence[Day]) -> list[Table]:
        """Make the tables of some days ready.

        Raises:
            SourceError: a file is no export of events, cannot be read, or lies in another time zone.
        """
        paths = {day.day: [self._parquet(found) for found in day.files] for day in days}
        self._know_countries([path for some in paths.values() for path in some])
        return [self._table(day, paths[day.day]) for day in days]

    @contextmanager
    def events(self, tables: Sequence[Table]) -> Iterator[pa.RecordBatchReader]:
        """Stream the events of some tables, in the canonical columns."""
        rows = self.con.sql(statement("events", days=together(tables))).to_arrow_reader(BATCH)
        try:
            yield rows
        finally:
            rows.close()

    def release(self, days: Iterable[Day]) -> None:
        """Delete what was fetched and made for days that are done."""
        for found in (each for day in days for each in day.files):
            path = self._made.pop(found, None)
            if path is not None:
                path.unlink(missing_ok=True)
            self.storage.release([found])

    def _label(self, found: Found) -> str:
        return f"{self.storage.label}/{found.name}"

    def _parquet(self, found: Found) -> Path:
        """Return a Parquet file with the rows of one of any format."""
        path = self.storage.local(found)
        label = self._labels[path] = self._label(found)
        with failures(label), path.open("rb") as file:
            format_ = formats.format_of(file.read(formats.HEAD), label)
        if format_ == "parquet":
            return path
        if found not in self._made:
            target = self.folder / f"{len(self._made)}-{path.stem}.parquet"
            with failures(label):
                if format_ == "avro":
                    formats.from_avro(path, target, label)
                else:
                    formats.from_json(self.con, path, target, format_)
                    self._json[found] = format_
            self._made[found] = target
            self._labels[target] = label
        return self._made[found]

    def _know_countries(self, paths: list[Path]) -> None:
        """Learn which names of countries occur, so that each is read once."""
        names = self._countries
        for path in paths:
            source = statement("parquet", files=listed([path]))
            chosen = self._chosen(source, path)
            query = statement(
                "names_of_countries", country=chosen["geo.country"], source=source, usable=chosen["usable"]
            )
            with failures(self._labels[path]):
                names |= {name for (name,) in self.con.execute(query).fetchall() if name is not None}
        self.con.execute(statement("know_countries", unknown=UNKNOWN), {"names": sorted(names)})
        self.unknown |= {row[0] for row in self.con.execute(statement("unknown_countries", unknown=UNKNOWN)).fetchall()}

    def _chosen(self, source: str, path: Path) -> dict[str, str]:
        with failures(self._labels[path]):
            found = self.con.sql(f"select * from {source} limit 0")
        types = dict(zip(found.columns, found.types, strict=True))
        missing = [name for name in NEEDED if name not in types]
        if missing:
            raise api.SourceError(
                f"{self._labels[path]} is no table of events: it has no {', '.join(missing)}",
                next_step="Extract the daily tables events_YYYYMMDD of the export, whole.",
            )
        return selections(types) | {"usable": "_unusable is not true" if "_unusable" in types else "true"}

    def _table(self, day: Day, paths: list[Path]) -> Table:
        source = statement("parquet", files=listed(paths))
        chosen = self._chosen(source, paths[0])
        start, end = bounds(day.day, day.day, self.zone)
        span = {"from": _microseconds(start), "until": _microseconds(end)}
        counting = statement("span", event_timestamp=chosen["event_timestamp"], source=source, usable=chosen["usable"])
        with failures(self._labels[paths[0]]):
            events, outside, first, last = self.con.execute(counting, span).fetchall()[0]
        if outside > max(1, _MOST_OUTSIDE * events):
            raise self._other_zone(day, _instant(first), _instant(last))
        rows = statement("day", source=source, from_us=span["from"], until_us=span["until"], **_named(chosen))
        rejected = tuple(reject for found in day.files for reject in self._rejected(found))
        return Table(day, rows, events, outside, _instant(first), _instant(last), rejected)

    def _other_zone(self, day: Day, first: datetime | None, last: datetime | None) -> api.SourceError:
        return api.SourceError(
            f"the events of {day.table} lie between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} UTC, which is no "
            f"day of {self.zone.key}",
            next_step="Set `timezone` of this source to the property's reporting time zone (Analytics: Admin > "
            "Property details).",
        )

    def _rejected(self, found: Found) -> Iterator[api.Reject]:
        """Yield the lines of a file that are no events.

        Raises:
            SourceError: there are too many to be accidents.
        """
        if found not in self._json:
            return
        source = statement("parquet", files=listed([self._made[found]]))
        count = int(self.con.execute(statement("count_unusable", source=source)).fetchall()[0][0])
        if count > _MOST_REJECTED:
            raise api.SourceError(
                f"more than {_MOST_REJECTED:,} lines of {self._label(found)} are no events",
                next_step="Extract the daily tables events_YYYYMMDD of the export, whole.",
            )
        if count:
            for record, raw in formats.unusable(self.con, self.storage.local(found), self._json[found]):
                yield api.Reject("events", self._label(found), "not an event of Analytics", raw, record)


def together(tables: Sequence[Table]) -> str:
    """Return a select over the rows of several tables."""
    return " union all ".join(table.rows for table in tables)


def _named(chosen: dict[str, str]) -> dict[str, str]:
    """Return the selections under the names that the statement ``day`` has for them."""
    session, event = "session_traffic_source_last_click.", "collected_traffic_source.manual_"
    paths = {
        "analytics": "privacy_info.analytics_storage",
        "ads": "privacy_info.ads_storage",
        "country": "geo.country",
        "device": "device.category",
        "transaction_id": "ecommerce.transaction_id",
        "purchase_revenue": "ecommerce.purchase_revenue",
        "refund_value": "ecommerce.refund_value",
    }
    for part in ("source", "medium"):
        paths |= {
            f"session_{part}": f"{session}cross_channel_campaign.{part}",
            f"campaign_{part}": f"{session}manual_campaign.{part}",
            f"event_{part}": f"{event}{part}",
            f"first_{part}": f"traffic_source.{part}",
        }
    plain = {name: text for name, text in chosen.items() if "." not in name}
    return plain | {name: chosen[path] for name, path in paths.items()}


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
