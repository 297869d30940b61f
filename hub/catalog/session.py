"""Read the catalog as of an instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hub.api import Table
from hub.catalog.addresses import normalise_email, normalise_phone
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.erasing import Holdings, dictionaries
from hub.catalog.facts import Facts
from hub.catalog.models import CatalogSettings, Reading, RejectedRow, TableReach, Till
from hub.catalog.registry import Registry, naive
from hub.catalog.tables import per_person
from hub.sql import run

if TYPE_CHECKING:
    import duckdb

_PERSON_TABLES = ("people", "identities", "consent_records")


class Session:
    """The catalog opened for reading; made by ``Catalog.session``.

    ``con`` has temporary views over what was known at ``as_of``; external access is off. ``as_of`` and ``now`` are
    naive UTC. It can answer one question at a time.
    """

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        tables: Mapping[str, Table],
        settings: CatalogSettings,
        as_of: datetime,
        now: datetime,
    ) -> None:
        self.con = con
        self.as_of = naive(as_of)
        self.now = naive(now)
        self._tables = tables
        self._settings = settings
        self._open()
        self.tables: frozenset[str] = frozenset(str(row[0]) for row in con.execute(sql("views.seen_tables")).fetchall())
        self._facts = Facts(con, self.tables)
        self._reach: list[tuple[Any, ...]] | None = None

    def _open(self) -> None:
        zone = ZoneInfo(self._settings.timezone)
        today = self.as_of.replace(tzinfo=ZoneInfo("UTC")).astimezone(zone).date()
        self.con.execute(sql("settings.instants_as_of"), {"value": self.as_of})
        self.con.execute(sql("settings.instants_now"), {"value": self.now})
        self.con.execute(sql("settings.today"), {"value": today})
        for block in ("views.views", self._totals("orders"), "views.carts", self._totals("mails"), "settings.closed"):
            run(self.con, sql(block, **per_person()))

    def _totals(self, kind: str) -> str:
        """Return the block of a kind of totals: those that are kept hold only after everything that they count."""
        is_after = one(self.con, sql("views.is_after"), {"until": f"{kind}_until"}) == (True,)
        return f"views.{'after_all' if is_after else 'amid'}_{kind}"

    @property
    def timezone(self) -> str:
        """Return the shop's IANA time zone."""
        return self._settings.timezone

    def prepare_facts(self, columns: Iterable[str] | None = None) -> None:
        """Make the temporary table ``facts`` with at least these columns (None: all).

        Raises:
            KeyError: there is no such fact.
        """
        self._facts.prepare(columns)

    def reach(self, table: str) -> list[TableReach]:
        """Return how far each source's rows of a table reach."""
        if self._reach is None:
            self._reach = self.con.execute(sql("schema.reach")).fetchall()
        return [TableReach(*row) for of, *row in self._reach if of == table]

    def readings(self) -> dict[str, Reading]:
        """Return how reading each source went; one that was never read is not among them."""
        rows = self.con.execute(sql("schema.readings")).fetchall()
        return {source: Reading(source, tuple(streams), trouble) for source, streams, trouble in rows}

    def given(self, source: str) -> frozenset[str]:
        """Return the tables that a source ever gave."""
        return frozenset(table for table in self._tables for reach in self.reach(table) if reach.source == source)

    def tills(self) -> tuple[Till, ...]:
        """Return the customer ids that have too many e-mails to be a person."""
        return tuple(Till(*row) for row in self.con.execute(sql("identity.stored_tills")).fetchall())

    def find(self, text: str) -> list[int]:
        """Return the person_ids of an e-mail, a phone or a customer id."""
        email = normalise_email(text) if "@" in text else None
        phone = normalise_phone(text, self._settings.country)
        values = {"email": email, "phone": phone, "text": text}
        return [int(row[0]) for row in self.con.execute(sql("views.find"), values).fetchall()]

    def rejected(self, limit: int = 100, source: str | None = None) -> list[RejectedRow]:
        """Return rows that could not be used."""
        rows = self.con.execute(sql("schema.rejected"), {"limit": limit, "source": source}).fetchall()
        return [RejectedRow(*row) for row in rows]

    def export_person(self, person_ids: Sequence[int]) -> dict[str, Any]:
        """Return everything held about people, as JSON data."""
        people = {"people": list(person_ids)}
        held: dict[str, Any] = {}
        for table in _PERSON_TABLES:
            rows = dictionaries(self.con.execute(sql("erase.person_rows", table=quoted(table)), people))
            held[table] = [_plain(row) for row in rows]
        registry = Registry(self.con, self.now)
        holdings = Holdings(self.con, self._tables, registry)
        holdings.want_people(list(person_ids))
        for load in registry.all():
            rows = [{"source": load.source, "system": load.system} | row for row in holdings.rows(load)]
            if rows:
                held.setdefault(load.table, []).extend(_plain(row) for row in rows)
        held["rejected_rows"] = [_plain(row) for row in holdings.rejected()]
        return held


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON data; what is unknown is left out."""
    return {name: _json(value) for name, value in row.items() if value is not None and name != "person_id"}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value
