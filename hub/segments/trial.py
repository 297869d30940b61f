"""Try a segment on the small shops that its tests describe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hub.api import TABLES, ConfigError, Kind, Page, Stream, parse_duration
from hub.catalog import Catalog, CatalogSettings, Session
from hub.config.models import Row, SegmentTest
from hub.config.problems import suggest
from hub.segments.definitions import Definition
from hub.segments.explain import explain
from hub.segments.run import run_segments

_SOURCE = "example"
_KEY = b"an example needs no secret key.."
_LINES = {"orders": ("order_lines", "order_id"), "carts": ("cart_lines", "cart_id")}
_IDS = {"orders": "order_id", "carts": "cart_id", "products": "product_id", "events": "event_id"}
_DEFAULTS: dict[str, Row] = {
    "orders": {"status": "paid"},
    "order_lines": {"quantity": "1"},
    "cart_lines": {"quantity": "1"},
    "events": {"analytics_consent": "true"},
}
_NAMES = {"people": "customers"}
_PERSON = ("email", "user_id", "subject")
"""Columns in which an e-mail names a person."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One person of an example who is where they should not be, and why; without a person, why there is no answer."""

    person: str | None
    member: bool
    reason: str

    def __str__(self) -> str:
        if self.person is None:
            return self.reason
        return f"{self.person} is {'in and should not be' if self.member else 'not in and should be'}: {self.reason}"


def try_segment(
    definitions: Sequence[Definition], name: str, test: SegmentTest, settings: CatalogSettings
) -> Iterator[Outcome]:
    """Yield what the example's shop shows otherwise than it says; nothing where all is as it says.

    ``settings`` are the client's: its country, currency and time zone.

    Raises:
        ConfigError: a row that the catalog cannot use, or a member whom nobody knows.
    """
    with example_shop(test, settings) as session:
        result = run_segments(session, definitions, [name])[name]
        if result.unanswered is not None:
            yield Outcome(None, False, str(result.unanswered))
            return
        expected = {person: _who(session, person) for person in test.members}
        found = {person_id for (person_id,) in session.con.execute(f"select person_id from {result.table}").fetchall()}
        for person, person_id in expected.items():
            if person_id not in found:
                yield Outcome(person, False, explain(session, definitions, name, person_id).reason)
        for person_id in sorted(found - set(expected.values())):
            [(person,)] = session.con.execute(
                "select coalesce(email, phone, customer_id, person_ref) from people where person_id = ?", [person_id]
            ).fetchall()
            yield Outcome(str(person), True, explain(session, definitions, name, person_id).reason)


@contextmanager
def example_shop(test: SegmentTest, settings: CatalogSettings) -> Iterator[Session]:
    """Open a catalog that holds nothing but an example's rows, as of its instant.

    Raises:
        ConfigError: a row that the catalog cannot use.
    """
    tables = _tables(test)
    with TemporaryDirectory(prefix="hub-example-") as folder:
        catalog = Catalog(Path(folder), replace(settings, sources=[(_SOURCE, _SOURCE)]), _KEY)
        with catalog.writer(test.as_of) as writer:
            # A table that the stream names is there even where it has no rows.
            writer.load(_SOURCE, _SOURCE, "rows", Stream(tuple(tables), "changes"), [Page(dict(tables))])
        with catalog.session(test.as_of, test.as_of) as session:
            for rejected in session.rejected():
                raise ConfigError(f"{rejected.table}: {rejected.reason} ({rejected.raw})")
            yield session


def _tables(test: SegmentTest) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {name: [] for name in TABLES if name != "consents"}
    for field in ("people", "orders", "carts", "products", "events", "engagement", "traits"):
        table = _NAMES.get(field, field)
        for number, row in enumerate(getattr(test, field), 1):
            given = dict(row)
            lines, key = _LINES.get(table, (None, None))
            pieces = given.pop("lines", []) if lines else []
            if table in _IDS:
                given = {_IDS[table]: str(number)} | given
            tables[table].append(_row(test, field, table, number, given))
            for place, line in enumerate(pieces, 1):
                whole = {key: given[key], "line": str(place)} | line if key else line
                tables[str(lines)].append(_row(test, f"{field}.lines", str(lines), number, whole))
    tables["customers"] = _everybody(test, tables)
    return tables


def _row(test: SegmentTest, field: str, table: str, number: int, row: Mapping[str, Any]) -> Row:
    """Check a row's columns, and write its values as sources do."""
    columns = {column.name: column for column in TABLES[table].columns}
    for name in row:
        if name not in columns:
            raise ConfigError(f"{field} {number}: there is no column {name!r}; {suggest(name, columns)}")
    return _DEFAULTS.get(table, {}) | {
        name: _value(value, test.as_of if columns[name].kind is Kind.TIME else None) for name, value in row.items()
    }


def _value(value: Any, as_of: datetime | None) -> Any:
    """Write a value as text; a time may be a distance before the example's instant."""
    if isinstance(value, list | tuple):
        return [str(each) for each in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if as_of is not None and isinstance(value, str):
        try:
            distance = parse_duration(value)
        except ValueError:
            return value
        if isinstance(distance, timedelta):
            return (as_of - distance).isoformat()
    return str(value)


def _everybody(test: SegmentTest, tables: Mapping[str, Iterable[Row]]) -> list[Row]:
    """Return the people of the example: those it lists, and everybody who is named by an e-mail."""
    known: dict[str, Row] = {}
    for row in tables["customers"]:
        name = str(row.get("customer_id") or row.get("email") or row.get("phone"))
        known[name] = {"customer_id": name} | row
    mentioned = {row[column] for rows in tables.values() for row in rows for column in _PERSON if column in row}
    listed = {row["email"] for row in known.values() if "email" in row}
    for email in sorted({*mentioned, *test.members} - listed):
        if "@" in email:
            known[email] = {"customer_id": email, "email": email}
    return list(known.values())


def _who(session: Session, person: str) -> int:
    found = session.find(person)
    if len(found) != 1:
        how = "nobody" if not found else f"{len(found)} people"
        raise ConfigError(f"members names {person!r}, who is {how} in this example")
    return found[0]
