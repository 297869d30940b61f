"""Read a shop's CSV exports: the layouts hub knows by their headers, and any other file through a mapping."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

import pyarrow as pa

from hub import api
from hub_csv import checks
from hub_csv.config import STREAM_OF, CsvConfig, FileMapping
from hub_csv.files import Found, Opened, by_pattern, in_folder, label_of, open_file
from hub_csv.pages import Reading
from hub_csv.parts import Part, in_utc, known_headers, of_layout, of_mapping, of_query, recognise
from hub_csv.reading import Database, Reader


class CsvSource(api.Source[CsvConfig]):
    """Read Shopify's, Klaviyo's and Mailchimp's CSV exports, and any other CSV through a mapping."""

    name = "csv"
    Config = CsvConfig
    streams: ClassVar[Mapping[str, api.Stream]] = {
        "customers": api.Stream(("customers", "consents", "traits"), "snapshot"),
        "orders": api.Stream(("orders", "order_lines"), "snapshot"),
        "carts": api.Stream(("carts", "cart_lines"), "snapshot"),
        "products": api.Stream(("products",), "snapshot"),
        "events": api.Stream(("events",), "snapshot"),
        "engagement": api.Stream(("engagement",), "snapshot"),
    }

    def read(self, stream: str, since: Any, until: datetime) -> Iterator[api.Page]:  # noqa: ARG002 - files are read whole
        """Yield everything the stream's files hold, unless no file changed since the cursor."""
        parts, notes = self._parts(stream)
        if not parts:
            if since:
                raise api.SourceError(
                    f"there were files for {stream} and now there is none",
                    next_step="Put the exports back; if the shop really has none any more, remove the source.",
                )
            if notes:
                yield api.Page({}, notes=notes)
            return
        cursor = self._fingerprint(parts, notes)
        if since == cursor:
            return
        schemas: dict[str, pa.Schema] = {}
        with Reader(self._database) as reader:
            reading = Reading(reader, parts, notes)
            for table, rows in reading.rows():
                schemas[table] = rows.schema
                yield api.Page({table: rows})
            given = {feed.table for part in reading.parts for feed in part.feeds}
            empty = {table: _empty(schemas.get(table), table) for table in sorted(given)}
            yield api.Page(empty, cursor=cursor, rejected=reader.rejected, notes=reading.notes)

    def reach(self, table: str) -> api.Reach:
        """Say how fresh a table is: the export's own date, else the newest file's time."""
        parts, _ = self._parts(STREAM_OF[table]) if table in STREAM_OF else ([], [])
        fresh = [part.fresh for part in parts if table in {feed.table for feed in part.feeds} or part.title == table]
        return api.Reach(fresh_until=max(fresh, default=None))

    def check(self) -> Iterator[api.Finding]:
        """Say what each file was taken for and what its rows look like; nothing is stored."""
        for stream in self.streams:
            try:
                parts, notes = self._parts(stream)
                yield from checks.of_stream(self._database, parts)
            except api.SourceError as error:
                yield api.Finding.error(str(error), next_step=error.next_step, code="unusable-file")
                continue
            yield from (api.Finding.warning(note, code="unknown-file") for note in notes)

    def close(self) -> None:
        """Let go of the database, if anything was read."""
        if "_database" in vars(self):
            self._database.close()

    @cached_property
    def _database(self) -> Database:
        return Database(self.shop.cache, self.shop.timezone)

    def _parts(self, stream: str) -> tuple[list[Part], list[str]]:
        """Open the stream's files, from the oldest to the newest, and say which are not read."""
        notes: list[str] = []
        parts = [self._mapped(mapping, notes) for mapping in self.config.files if mapping.stream == stream]
        flat = [part for some in parts for part in some]
        if self.config.folder is not None:
            flat += self._known(stream, notes)
        flat.sort(key=lambda part: (part.fresh, part.label))
        return flat, notes

    def _known(self, stream: str, notes: list[str]) -> list[Part]:
        workspace = self.shop.workspace
        folder = workspace / str(self.config.folder)
        expected, parts, unknown = known_headers(), [], []
        skipped: list[str] = []
        found_files = in_folder(folder, workspace, skipped, recursive=self.config.recursive)
        streams: set[str] = set()
        for found in found_files:
            opened = open_file(found, encoding="utf-8", delimiter=None, expected=expected)
            layout = recognise(opened)
            if layout is None:
                unknown.append(opened)
                continue
            streams.add(layout.stream)
            if layout.stream == stream:
                dated = self._moment(self.config.consent_date, found)
                parts.append(of_layout(opened, layout, fresh=self._moment(self.config.exported, found), dated=dated))
        if found_files and len(unknown) == len(found_files):
            raise api.SourceError(
                f"no file in {label_of(folder, workspace)} has the headers of an export that hub knows; "
                f"{unknown[0].found.label} has: {', '.join(unknown[0].header[:12])}",
                next_step="Read such a file through a mapping: [[sources.<name>.files]] with path, table and columns.",
            )
        # Every stream comes by here: the first that has a file tells.
        if stream == next((name for name in self.streams if name in streams), "customers"):
            notes += [*(_unknown(opened) for opened in unknown), *skipped]
        return parts

    def _mapped(self, mapping: FileMapping, notes: list[str]) -> list[Part]:
        expected = frozenset(text.strip().casefold() for text in (*mapping.columns.values(), *mapping.traits.values()))
        opened = [
            open_file(found, encoding=mapping.encoding, delimiter=mapping.delimiter, expected=expected)
            for found in by_pattern(mapping.path, self.shop.workspace, notes)
        ]
        dates = [
            (self._moment(mapping.exported, one.found), self._moment(mapping.consent_date, one.found)) for one in opened
        ]
        if mapping.query is not None:
            fresh, dated = max(dates)
            return [of_query(tuple(opened), mapping, fresh=fresh, dated=dated)]
        return [
            of_mapping(one, mapping, fresh=fresh, dated=dated)
            for one, (fresh, dated) in zip(opened, dates, strict=True)
        ]

    def _moment(self, given: datetime | None, found: Found) -> datetime:
        return found.modified if given is None else in_utc(given, self.shop.timezone)

    def _fingerprint(self, parts: list[Part], notes: list[str]) -> dict[str, Any]:
        opened = [one for part in parts for one in (part.query.opened if part.query else (part.opened,))]
        files = sorted({(one.found.label, one.found.size, one.found.modified_ns) for one in opened})
        settings = f"{self.config.model_dump_json()}|{self.shop.timezone}"
        return {
            "files": [list(file) for file in files],
            "settings": _digest(settings),
            # A file that is not read and was not there before is told, though no other changed.
            **({"notes": _digest("\n".join(notes))} if notes else {}),
        }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _unknown(opened: Opened) -> str:
    return (
        f"{opened.found.label} was not read: its headers are of no export that hub knows "
        f"({', '.join(opened.header[:8])}); read it through a mapping"
    )


def _empty(schema: pa.Schema | None, table: str) -> pa.Table:
    names = [name for name in api.TABLES[table].key if name not in ("system", "source")]
    return (schema or pa.schema([(name, pa.string()) for name in names])).empty_table()


@api.hookimpl
def hub_sources() -> Iterable[type[api.Source[Any]]]:
    """Offer the CSV source."""
    return [CsvSource]
