"""Merge what the sources gave: one row per thing and shop, the source listed first wins a field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from hub.api import Table
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.models import CatalogSettings
from hub.catalog.registry import Load, Registry
from hub.catalog.tables import data_columns, held, listed, own_key
from hub.config.models import ConsentFrom

if TYPE_CHECKING:
    import duckdb

_TRUTHS = ("yes", "true", "1", "y", "t", "granted")


def temporary(table: str) -> str:
    """Return the name of a table merged but without persons."""
    return quoted("m_" + table)


@dataclass(frozen=True, slots=True)
class Part:
    """A load with its place among the loads of its table."""

    load: Load
    rank: int
    select: str


class Merger:
    """Make the temporary ``m_<table>`` of every table."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        tables: Mapping[str, Table],
        registry: Registry,
        settings: CatalogSettings,
        now: datetime,
    ) -> None:
        self.con = con
        self.tables = tables
        self.registry = registry
        self.settings = settings
        self.now = now
        self._aliased = False
        self._made: dict[str, str] = {}

    def run(self) -> list[Part]:
        """Merge all tables, and add the consents that tags, traits and columns prove.

        Return the loads of the orders where each shop has one and nothing had to be merged.
        """
        self._aliases()
        for table in self.tables.values():
            self._merge(table)
        self._derive_consents()
        orders = self.parts(self.tables["orders"])
        return [] if self._aliased or self._is_shared(orders, "system") else orders

    def clear(self) -> None:
        """Drop what was made: what is a view this time may be a table the next."""
        for target, kind in self._made.items():
            self.con.execute(sql("merge.drop", kind=kind, name=target))
        self._made.clear()

    def _is_shared(self, parts: Sequence[Part], scope: str) -> bool:
        """Tell whether two loads speak of the same shop, or come from the same source."""
        return max(Counter(getattr(part.load, scope) for part in parts).values(), default=0) > 1

    def given(self) -> frozenset[str]:
        """Return the names of the tables that sources gave."""
        return frozenset(name for name, table in self.tables.items() if self.parts(table))

    def parts(self, table: Table) -> list[Part]:
        """Return the loads of a table, the one that wins first."""
        places = {name: place for place, (name, _) in enumerate(self.settings.sources)}
        loads = [load for load in self.registry.of_table(table.name) if load.source in places]
        loads.sort(key=lambda load: (places[load.source], load.stream != table.name, load.stream))
        parts = []
        for number, load in enumerate(loads):
            rank = places[load.source] * 100 + min(number, 99)
            columns, load_id = held(table, load.brought), str(load.load_id)
            select = sql("merge.rows_of_load", columns=columns, load=load_id, rank=str(rank), physical=load.physical)
            parts.append(Part(load, rank, select))
        return parts

    def rows(self, table: Table) -> str:
        """Return a select over a table's rows as every source gave them, before merging."""
        parts = self.parts(table)
        if parts:
            return " union all ".join(part.select for part in parts)
        columns = ", ".join(f"null::{kind} as {quoted(name)}" for name, kind in data_columns(table).items())
        return sql("merge.no_rows", columns=columns)

    def _aliases(self) -> None:
        """Find which order names and ids are one order."""
        rows = self.rows(self.tables["orders"])
        found = one(self.con, sql("merge.needs_alias", rows=rows))
        self._aliased = bool(found and found[0])
        self.con.execute(sql("merge.aliases", rows=rows) if self._aliased else sql("merge.no_aliases"))

    def _merge(self, table: Table) -> None:
        parts = self.parts(table)
        scope = "source" if table.key[0] == "source" else "system"
        several = self._is_shared(parts, scope)
        renamed = self._aliased and table.name in {"orders", "order_lines"}
        rows, target = self.rows(table), temporary(table.name)
        if table.name == "consents":
            self._show_customers(parts)
        straight = not several and not renamed and table.name != "consents"
        self._made[target] = "view" if straight else "table"
        if not several and not renamed:
            block = "merge.straight" if straight else "merge.materialised"
            self.con.execute(sql(block, target=target, rows=rows))
        elif scope == "source":
            self._merge_by_source(table, target, rows)
        else:
            self._merge_by_system(table, target, rows, renamed=renamed)

    def _merge_by_source(self, table: Table, target: str, rows: str) -> None:
        latest = {"consents": "merge.latest_consent", "traits": "merge.latest_trait"}
        order = sql(latest[table.name]) if table.name in latest else "source_rank"
        key = listed(own_key(table))
        self.con.execute(sql("merge.by_source", target=target, key=key, order=order, rows=rows))

    def _merge_by_system(self, table: Table, target: str, rows: str, *, renamed: bool) -> None:
        keys = own_key(table)
        rows = sql("merge.renamed", rows=rows) if renamed else f"select *, {quoted(keys[0])} as own_id from ({rows})"
        columns = listed(data_columns(table))
        if table.parent:
            query = sql("merge.children", target=target, rows=rows, parent_key=quoted(keys[0]), columns=columns)
            self.con.execute(query)
            return
        same = " and ".join(f"e.{quoted(key)} is not distinct from t.{quoted(key)}" for key in keys)
        fields = [name for name in data_columns(table) if name not in keys]
        first = ", ".join(f"arg_min({quoted(name)}, place) as {quoted(name)}" for name in fields)
        self.con.execute(
            sql("merge.by_system", target=target, rows=rows, key=listed(keys), same=same, columns=columns, first=first)
        )

    def _show_customers(self, parts: Sequence[Part]) -> None:
        for part in parts:
            target, load = part.load.physical, str(part.load.load_id)
            self.con.execute(sql("merge.show_customers", target=target, load=load))

    def _derive_consents(self) -> None:
        """Add what tags, traits and columns prove, dated by the first time they were seen."""
        if not self.settings.consent_from:
            self.con.execute(sql("merge.forget_all_signals"))
            return
        self.con.execute(sql("merge.signals"))
        for rule in self.settings.consent_from:
            self._find_signals(rule)
        self.con.execute(sql("merge.forget_signals"))
        self.con.execute(sql("merge.keep_signals"), {"now": self.now})
        rank = len(self.settings.sources) * 100
        for rule in self.settings.consent_from:
            values = {
                "rule": digest(rule),
                "channels": list(rule.grants),
                "basis": rule.basis,
                "evidence": rule.evidence,
            }
            self.con.execute(sql("merge.derived_consents"), values | {"rank": rank})
        self.con.execute(sql("merge.grant_ads"))

    def _find_signals(self, rule: ConsentFrom) -> None:
        values = [rule.value.strip().lower()] if rule.value else list(_TRUTHS)
        known = {"rule": digest(rule)}
        if rule.tag is not None:
            self.con.execute(sql("merge.tag_signal"), known | {"name": rule.tag.strip()})
            return
        name = rule.trait or rule.column or rule.metafield or ""
        if rule.column and rule.column in data_columns(self.tables["customers"]):
            self.con.execute(sql("merge.column_signal", column=quoted(rule.column)), known | {"values": values})
            return
        names = [name.lower(), f"customer.metafields.{name.lower()}"]
        self.con.execute(sql("merge.trait_signal"), known | {"names": names, "values": values})


def digest(rule: ConsentFrom) -> str:
    """Return what identifies a rule, so that a changed one is seen for the first time."""
    return sha256(rule.model_dump_json().encode()).hexdigest()[:16]
