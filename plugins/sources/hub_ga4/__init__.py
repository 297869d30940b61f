"""Read the Google Analytics 4 export: what BigQuery extracts, from a folder or a bucket."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

from hub import api
from hub_ga4 import checks, formats
from hub_ga4.config import Ga4Config
from hub_ga4.days import Day, bounds, by_day, changed, periods
from hub_ga4.extracts import Extracts
from hub_ga4.reading import BATCH, Reader, Table
from hub_ga4.sql import listed, statement
from hub_ga4.storage import Storage, open_storage
from hub_ga4.tokens import token_host

PAGE_BYTES = 64 << 20
PAGE_DAYS = 31
REST = timedelta(days=7)
"""A cart that nobody touched for so long is over; what comes after belongs to another one."""

_MICROSECOND = timedelta(microseconds=1)


class Ga4(api.Source[Ga4Config]):
    """Read the Google Analytics 4 export to BigQuery: Parquet, Avro or JSON lines in a folder or bucket."""

    name = "ga4"
    Config = Ga4Config
    streams: ClassVar[Mapping[str, api.Stream]] = {
        "events": api.Stream(("events",), "window"),
        "carts": api.Stream(("carts", "cart_lines"), "snapshot"),
        "consents": api.Stream(("consents",), "changes"),
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._reaches: dict[str, api.Reach] = {}
        self._storage: Storage | None = None
        self._days: dict[date, Day] | None = None

    def client(self, connect: api.Connect) -> api.Http | None:
        """Make the client that a service account's key is traded with; buckets are read by Arrow."""
        key = self.config.google_key
        return None if key is None else connect(base_url=token_host(key))

    def read(self, stream: str, since: Any, until: datetime) -> Iterator[api.Page]:  # noqa: ARG002 - what lies there is read
        """Yield the days whose files are new or changed, and the carts and consents that follow from them."""
        storage = self.storage()
        days = self.days(storage)
        self._clear()
        storage.tidy(found for day in days.values() for found in day.files)
        with Reader(storage, self.zone, self.shop.country, self.shop.cache) as reader:
            if stream == "events":
                yield from self._events(reader, days, since)
            elif stream == "carts":
                yield from self._carts(reader, days, since)
            else:
                yield from self._consents(reader, days, since)

    def reach(self, table: str) -> api.Reach:
        """Say how far a table reaches: from the first day that it comes from until the last event seen."""
        stream = next(name for name, stream in self.streams.items() if table in stream.tables)
        return self._reaches.get(stream, api.Reach())

    def check(self) -> Iterator[api.Finding]:
        """Say which days are there, and what the newest of them holds; nothing is stored."""
        storage = self.storage()
        yield from checks.of_source(self, storage)

    @property
    def zone(self) -> ZoneInfo:
        """Return the property's time zone."""
        return ZoneInfo(self.config.timezone or self.shop.timezone)

    def storage(self) -> Storage:
        """Return the folder or bucket."""
        if self._storage is None:
            http = self.http if self.config.google_key is not None else None
            self._storage = open_storage(self.config, self.shop, self.connection, http)
        return self._storage

    def days(self, storage: Storage) -> dict[date, Day]:
        """Return the days that are there; they are looked up once in a run.

        Raises:
            SourceError: there is no daily table; where other files lie, what they are and which export is needed.
        """
        if self._days is None:
            files = storage.files()
            self._days = by_day(files)
            for found in files[:20] if not self._days else ():
                formats.format_of(storage.head(found, formats.HEAD), f"{storage.label}/{found.name}")
            if not self._days:
                raise api.SourceError(
                    f"no file at {storage.label} is named events_YYYYMMDD; {_looked_at(len(files))}",
                    next_step="Extract the daily tables of the BigQuery export there, each under its own name.",
                )
        return self._days

    def _clear(self) -> None:
        """Remove what a run that was killed left in the cache."""
        for path in self.shop.cache.glob("reading-*"):
            shutil.rmtree(path, ignore_errors=True)

    def _extracts(self) -> Extracts:
        return Extracts(self.shop.cache / "days", (self.zone.key, self.shop.country))

    def _events(self, reader: Reader, days: Mapping[date, Day], since: Any) -> Iterator[api.Page]:
        extracts, settings = self._extracts(), self.zone.key
        seen = dict(since["days"]) if since and since["timezone"] == settings else {}
        waiting = changed(days, seen)
        total = _rows_of(reader.storage, waiting)
        extracts.tidy(days.values())
        for period in periods(waiting, PAGE_BYTES, PAGE_DAYS):
            tables = reader.tables(period)
            for table in tables:
                extracts.keep(reader, table)
            seen |= {day.day.isoformat(): day.mark for day in period}
            self._reaches["events"] = self._reach(days, seen, extracts)
            with reader.events(tables) as rows:
                yield api.Page(
                    {"events": rows},
                    cursor={"days": seen, "timezone": settings},
                    window=bounds(period[0].day, period[-1].day, self.zone),
                    rejected=[reject for table in tables for reject in table.rejected],
                    total=total,
                    notes=_notes(tables, reader.unknown),
                )
            reader.release(period)

    def _carts(self, reader: Reader, days: Mapping[date, Day], since: Any) -> Iterator[api.Page]:
        extracts = self._extracts()
        recent = self._recent(days)
        cursor = extracts.mark({day.day.isoformat(): day.mark for day in recent} | {"": str(self.config.carts)})
        if since == cursor:
            return
        self._make_extracts(reader, extracts, recent)
        self._reaches["carts"] = self._reach(days, [day.day.isoformat() for day in recent], extracts)
        steps = statement("steps", steps=listed(extracts.steps(recent)))
        reader.con.execute(steps, {"rest_us": REST // _MICROSECOND})
        for name in ("found_carts", "found_lines"):
            reader.con.execute(statement(name))
        for name in ("carts", "cart_lines"):
            for batch in reader.con.sql(statement(name)).to_arrow_reader(BATCH):
                yield api.Page({name: pa.Table.from_batches([batch])}, cursor=cursor)
        empty = {
            name: reader.con.sql(f"from ({statement(name)}) limit 0").to_arrow_table()
            for name in ("carts", "cart_lines")
        }
        yield api.Page(empty, cursor=cursor)

    def _consents(self, reader: Reader, days: Mapping[date, Day], since: Any) -> Iterator[api.Page]:
        extracts, settings = self._extracts(), [self.zone.key, self.shop.country]
        seen = dict(since["days"]) if since and since["settings"] == settings else {}
        waiting = changed(days, seen)
        if not waiting:
            return
        later = [day for day in days.values() if day.day >= waiting[0].day]
        self._make_extracts(reader, extracts, later)
        self._reaches["consents"] = self._reach(days, [day.isoformat() for day in days], extracts)
        query = statement(
            "consents", signals=listed(extracts.signals(later)), changed=listed(extracts.signals(waiting))
        )
        seen |= {day.day.isoformat(): day.mark for day in waiting}
        rows = reader.con.sql(query).to_arrow_table()
        yield api.Page({"consents": rows}, cursor={"days": seen, "settings": settings})

    def _recent(self, days: Mapping[date, Day]) -> list[Day]:
        """Return the days from which carts are rebuilt."""
        oldest = max(days) - self.config.carts
        return [day for day in days.values() if day.day > oldest]

    def _make_extracts(self, reader: Reader, extracts: Extracts, days: Iterable[Day]) -> None:
        """Make what is missing, because the cache was emptied or a run was killed before it came so far."""
        for period in periods(extracts.missing(days), PAGE_BYTES, PAGE_DAYS):
            for table in reader.tables(period):
                extracts.keep(reader, table)
            reader.release(period)

    def _reach(self, days: Mapping[date, Day], seen: Iterable[str], extracts: Extracts) -> api.Reach:
        """Return from when until when events are known: from the first day seen to the last event of the newest."""
        known = sorted(date.fromisoformat(day) for day in seen)
        newest = max(day for day in days if day in known)
        start, _ = bounds(known[0], newest, self.zone)
        begin, end = bounds(newest, newest, self.zone)
        return api.Reach(start, min(extracts.last(days[newest]) or begin, end))


def _rows_of(storage: Storage, days: Sequence[Day]) -> int | None:
    """Return how many rows the files hold, where they are Parquet on this machine and tell it for nothing."""
    count = 0
    for found in (each for day in days for each in day.files):
        if not storage.is_local or storage.head(found, 4) != b"PAR1":
            return None
        try:
            count += pq.read_metadata(storage.local(found)).num_rows
        except pa.ArrowInvalid:
            return None  # reading it will say what is wrong
    return count


def _notes(tables: Sequence[Table], unknown: Iterable[str]) -> list[str]:
    outside = {table.day.table: table.outside for table in tables if table.outside}
    notes = [
        f"{sum(outside.values()):,} events lie outside the day of their table and were left out: {', '.join(outside)}"
    ]
    notes = notes if outside else []
    if unknown:
        names = ", ".join(sorted(unknown)[:10])
        notes.append(
            f"hub does not know these names of countries, and takes silence about consent there for a no: {names}"
        )
    return notes


def _looked_at(count: int) -> str:
    return "there is no file at all" if not count else f"{count:,} other files lie there"


@api.hookimpl
def hub_sources() -> Iterable[type[api.Source[Any]]]:
    """Offer the Analytics source."""
    return [Ga4]
