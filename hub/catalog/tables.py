"""How canonical tables lie in the database: types, keys and the physical tables of single loads."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hub.api import TABLES, Kind, Table
from hub.catalog.blocks import quoted, sql

TYPES = {
    Kind.TEXT: "varchar",
    Kind.ID: "varchar",
    Kind.EMAIL: "varchar",
    Kind.PHONE: "varchar",
    Kind.COUNTRY: "varchar",
    Kind.INTEGER: "bigint",
    Kind.NUMBER: "double",
    Kind.MONEY: "decimal(18, 2)",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "timestamp",
    Kind.DATE: "date",
    Kind.TEXTS: "varchar[]",
}
_EXTRA = {
    "orders": {"original_total": "decimal(18, 2)"},
    "consents": {"shown_email": "varchar", "shown_phone": "varchar"},
}
DERIVED = {
    "orders": {
        "counted": ("boolean", "is_counted(status, test)"),
        "discounted": ("boolean", "is_discounted(discount, discount_codes)"),
        "net": ("decimal(18, 2)", "cast(total - coalesce(refunded, 0) as decimal(18, 2))"),
    },
}
"""What is computed from a row when it is read, so that a shop with one source needs no second copy of its orders."""
DERIVED_TABLES = {
    "purchases": frozenset({"orders"}),
    "order_totals": frozenset({"orders"}),
    "order_gaps": frozenset({"orders"}),
    "orders_without_lines": frozenset({"orders", "order_lines"}),
    "mail_totals": frozenset({"engagement"}),
}
"""What a rebuild writes beside the canonical tables for strategies to read, and which of them it is made of."""
_WHOSE = {"customer_id", "user_id", "subject", "visitor_id"}
_NOTES = {
    "_note": "varchar[]",
    "loaded_at": "timestamp",
}


def data_columns(table: Table) -> dict[str, str]:
    """Return the columns that hold data, with their types: the table's own and those the catalog adds."""
    columns = {column.name: TYPES[column.kind] for column in table.columns}
    return columns | _EXTRA.get(table.name, {})


def canonical_tables(names: Iterable[str]) -> frozenset[str]:
    """Return the canonical tables that some tables are or are made of; other names are left out."""
    tables = (DERIVED_TABLES.get(name, frozenset({name} & TABLES.keys())) for name in names)
    return frozenset[str]().union(*tables)


def spare(table: Table) -> frozenset[str]:
    """Return the columns that a load has only once a page brought them: to store what nobody gives takes time.

    No statement but a select of the load's rows may name them: neither keys, nor times, nor what says whose a row is.
    """
    if table.name == "consents":
        return frozenset()
    named = {*table.key, table.time, *table.person, *_WHOSE}
    return frozenset(
        each.name for each in table.columns if each.name not in named and each.kind not in {Kind.EMAIL, Kind.PHONE}
    )


def lacking(table: Table, brought: Collection[str]) -> frozenset[str]:
    """Return the spare columns that nobody brought."""
    return spare(table).difference(brought)


def definition(table: Table, brought: Collection[str]) -> str:
    """Return the column list of a load's physical table; of the spare columns it has those that were brought."""
    derived = {name: kind for name, (kind, _) in DERIVED.get(table.name, {}).items()}
    absent = lacking(table, brought)
    columns = data_columns(table) | derived | ({"person_id": "bigint"} if derived else {}) | _NOTES
    return ", ".join(f"{quoted(name)} {kind}" for name, kind in columns.items() if name not in absent)


def held(table: Table, brought: Collection[str]) -> str:
    """Return the select list of a load's rows: NULL for what nobody brought."""
    absent = lacking(table, brought)
    return ", ".join(
        f"null::{kind} as {quoted(name)}" if name in absent else quoted(name)
        for name, kind in data_columns(table).items()
    )


def per_person() -> dict[str, str]:
    """Return the select lists of what is kept per person, the same for what is computed as of an instant."""
    return {name: sql(f"identity.{name}") for name in ("totals", "gaps", "before", "mails")}


def own_key(table: Table) -> tuple[str, ...]:
    """Return the key within one source: without ``system`` or ``source``."""
    return table.key[1:] if table.key[0] in {"system", "source"} else table.key


def physical(table: str, load_id: int) -> str:
    """Return the name of the physical table of a load."""
    return f"raw.{quoted(f'{table}_{load_id}')}"


def merged(table: str) -> str:
    """Return the name of the merged table; a plugin's own table has a dot in its name."""
    return f"merged.{quoted(table)}"


def same_key(table: Table, left: str, right: str) -> str:
    """Return the condition that two rows have the same key, missing parts compared equal."""
    return " and ".join(
        f"{left}.{quoted(column)} is not distinct from {right}.{quoted(column)}" for column in own_key(table)
    )


def listed(columns: Iterable[str], alias: str | None = None) -> str:
    """Return a select list of columns."""
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + quoted(column) for column in columns)
