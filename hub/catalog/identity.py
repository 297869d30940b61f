"""Find the persons and write the merged tables with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from hub.api import Table
from hub.catalog.blocks import one, quoted, sql
from hub.catalog.merge import Part, temporary
from hub.catalog.tables import data_columns, held, merged, per_person
from hub.sql import run

if TYPE_CHECKING:
    import duckdb

_PROFILE = ("first_name", "last_name", "city", "postcode", "locale", "birth_date", "gender", "tags", "created_at")
_NOBODY = "null::bigint as person_id"
_ADDED = {
    "order_lines": ", null::timestamp as order_placed_at, null::boolean as order_counted",
    "cart_lines": ", null::timestamp as cart_created_at",
    "engagement": ", null::boolean as by_mail",
}
"""What a merged table has besides the person, where it has more than its rows say."""
_WHO = {"customer_id": "m.customer_id", "email": "m.email", "phone": "m.phone"}


class Identity:
    """Resolve persons over the temporary ``m_<table>`` and write ``merged.<table>``."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        tables: Mapping[str, Table],
        orders: Sequence[Part],
        rows: Callable[[Table], str],
        given: frozenset[str],
    ) -> None:
        self.con = con
        self._given = given
        self._rows = rows
        self.orders = orders
        self.tables = tables

    def run(self) -> None:
        """Find components, let phones and visitors join, write every table."""
        self._run("contacts", contacts=" union all ".join(self._contacts()))
        self._run("tills")
        self._run("nodes")
        self._run("edges")
        self._components()
        for block in ("phones", "references", "persons", "contact_persons", "keep_tills"):
            self._run(block)
        self._write_shop()
        self._run("order_places")
        self._run("purchases", **per_person())
        self._write_visits()
        for name in ("consents", "engagement", "traits"):
            self._write_subjects(self.tables[name])
        self._run("mail_totals", **per_person())
        for name in ("identities", "consent_records"):
            self._run(name)
        self._run("people", fields=self._profile())
        for table in self.tables.values():
            if "." in table.name:
                self._write_own(table)

    def _run(self, block: str, **identifiers: str) -> None:
        run(self.con, sql(f"identity.{block}", **identifiers))

    def _contacts(self) -> list[str]:
        seen = {"customers": "coalesce(updated_at, created_at)", "carts": "coalesce(updated_at, created_at)"}
        parts = []
        for name in ("customers", "orders", "carts"):
            time = quoted(self.tables[name].time or "")
            # As each source gave them: an address that loses a field to another source's is still the person's.
            values = {"target": f"({self._rows(self.tables[name])})", "seen": seen.get(name, time), "known": time}
            parts.append(sql("identity.contacts_of", **values))
        for name, time in (("consents", "recorded_at"), ("engagement", "happened_at"), ("traits", "recorded_at")):
            kind = self._kind(name)
            parts.append(sql("identity.subjects_of", target=temporary(name), kind=kind, seen=time, known=time))
        attributable = sql("identity.attributable")
        parts.append(sql("identity.users_of", target=temporary("events"), attributable=attributable))
        return parts

    def _kind(self, name: str) -> str:
        return "subject_kind" if name == "consents" else sql("identity.kind_of_subject")

    def _components(self) -> None:
        self._run("simple_labels")
        changing = one(self.con, sql("identity.is_unfinished"))
        while changing == (True,):
            self._run("spread")
            changing = one(self.con, sql("identity.has_changed"))
            self._run("take_labels")
        self._run("labels")

    def _write_shop(self) -> None:
        self._run("addressed", target="merged.customers", rows="m_customers", **_WHO)
        self._write_orders()
        self._run("visitors" if "events" in self._given else "no_visits", attributable=sql("identity.attributable"))
        self._fill("carts", from_analytics=self._is_from_analytics())
        self._run("without_person", target="merged.products", rows="m_products")
        for name in ("order_lines", "cart_lines"):
            lines = {
                "product_type": "coalesce(l.product_type, k.product_type)",
                "products": sql("identity.join_products"),
            }
            self._fill(name, **lines)
        self._run("orders_without_lines")

    def _is_from_analytics(self) -> str:
        """Return the condition that a source gave a cart because visits told of it."""
        row = one(self.con, sql("identity.analytics_sources")) if self._given >= {"carts", "events"} else None
        sources = ", ".join("'" + name.replace("'", "''") + "'" for name in (row[0] if row and row[0] else []))
        return f"m.source in ({sources})" if sources else "false"

    def _fill(self, name: str, **identifiers: str) -> None:
        """Write a merged table by the block of its name, if a source gave any of it."""
        if name in self._given:
            self._run(name, **identifiers)
        else:
            self._leave_empty(name)

    def _leave_empty(self, name: str) -> None:
        self._run("nothing", target=merged(name), rows=temporary(name), more=_NOBODY + _ADDED.get(name, ""))

    def _write_orders(self) -> None:
        """Write the merged orders, or only their persons where no merging was needed."""
        if not self.orders:
            self._run("orders")
            return
        views = []
        for part in self.orders:
            load, target = str(part.load.load_id), part.load.physical
            self._run("orders_in_place", physical=target, load=load)
            columns = held(self.tables["orders"], part.load.brought)
            rank = str(part.rank)
            views.append(sql("identity.orders_of_load", columns=columns, load=load, rank=rank, physical=target))
        self._run("orders_view", rows=" union all ".join(views))

    def _write_visits(self) -> None:
        self._fill("events", attributable=sql("identity.attributable"))
        if "events" in self._given:
            for block in ("ads_signals", "arrivals", "matches"):
                self._run(block, attributable=sql("identity.attributable"))

    def _write_subjects(self, table: Table) -> None:
        if table.name != "consents" and table.name not in self._given:  # tags and traits may prove consents, too
            self._leave_empty(table.name)
            return
        shown, joins = "", ""
        if table.name == "consents":
            shown, joins = ", s.person_id", "left join email_person as s on s.email = m.shown_email"
        self._run(
            "subjected",
            target=merged(table.name),
            rows=temporary(table.name),
            kind=self._kind(table.name),
            shown=shown,
            joins=joins,
            also=sql("identity.by_mail") if table.name == "engagement" else "",
        )

    def _write_own(self, table: Table) -> None:
        """Write a plugin's own table, and a view that strategies read it by."""
        columns = data_columns(table)
        values = {"target": merged(table.name), "rows": temporary(table.name)}
        if "subject" in columns:
            self._run("subjected", **values, kind=self._kind(table.name), shown="", joins="", also="")
        elif {"customer_id", "email", "phone"} & set(columns):
            who = {n: f"m.{n}" if n in columns else "null::varchar" for n in ("customer_id", "email", "phone")}
            self._run("addressed", **values, **who)
        else:
            self._run("without_person", **values)
        schema, _, name = table.name.partition(".")
        condition = sql("identity.as_of", time=quoted(table.time)) if table.time else ""
        self._run("schema_of", schema=quoted(schema))
        view = f"{quoted(schema)}.{quoted(name)}"
        self._run("own_view", view=view, target=merged(table.name), condition="\n" + condition if condition else "")

    def _profile(self) -> str:
        fields = [f"arg_min({name}, place) as {name}" for name in ("country", *_PROFILE, "customer_id", "system")]
        fields.append("arg_min_null(region, place) filter (country is not null) as region")
        return ", ".join(fields)
