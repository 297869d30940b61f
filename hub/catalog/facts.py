"""Facts: one row per person, made of groups of columns; only the groups that are asked for are computed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hub.catalog.blocks import sql

if TYPE_CHECKING:
    import duckdb

# group -> the table without which nothing is known, its columns that count (0 where a person has none), and the others
GROUPS: dict[str, tuple[str | None, tuple[str, ...], tuple[str, ...]]] = {
    "profile": (None, (), ("country", "region", "city", "age", "gender", "locale", "tags")),
    "orders": (
        "orders",
        ("orders", "spend", "discounted_orders", "full_price_orders"),
        ("avg_order", "first_order_at", "last_order_at"),
    ),
    "intervals": ("orders", (), ("median_days_between_orders",)),
    "products": ("order_lines", (), ("product_types", "last_product_type")),
    "open_carts": (
        "carts",
        ("open_carts",),
        ("cart_id", "cart_value", "cart_items", "cart_url", "cart_step", "cart_at"),
    ),
    "past_carts": ("carts", ("carts_abandoned_90d", "carts_recovered_90d"), ()),
    "visits": (
        "events",
        ("sessions_30d", "views_30d", "engaged_seconds_30d"),
        ("last_seen_at", "viewed_types_30d"),
    ),
    "arrivals": ("events", (), ("first_traffic_source",)),
    "engagement": (
        "engagement",
        ("emails_received", "emails_opened_90d", "emails_clicked_90d"),
        ("last_engaged_at",),
    ),
    "stage": ("orders", (), ("journey_stage",)),
}
"""A count is 0 only where a source gives the table; otherwise it is unknown."""

FACT_COLUMNS = frozenset(name for _, counts, others in GROUPS.values() for name in (*counts, *others))


def tables_behind(columns: Iterable[str] | None) -> frozenset[str]:
    """Return the canonical tables that facts are computed from; None means all facts."""
    wanted = FACT_COLUMNS if columns is None else frozenset(columns)
    tables = {table for table, counts, others in GROUPS.values() if wanted & {*counts, *others}}
    return frozenset(table or "customers" for table in tables)


class Facts:
    """Compute facts on a session's connection: only the columns asked for, since an aggregate costs by column."""

    def __init__(self, con: duckdb.DuckDBPyConnection, seen: frozenset[str]) -> None:
        self._con = con
        self._seen = seen
        self._made: frozenset[str] | None = None

    def prepare(self, columns: Iterable[str] | None) -> None:
        """Make ``facts`` with these columns and those made before."""
        wanted = FACT_COLUMNS if columns is None else frozenset(columns) - {"person_id"}
        unknown = wanted - FACT_COLUMNS
        if unknown:
            raise KeyError(f"no such fact: {', '.join(sorted(unknown))}")
        if self._made is not None and wanted <= self._made:
            return
        self._made = wanted | (self._made or frozenset())
        self._write(self._made)

    def _write(self, wanted: frozenset[str]) -> None:
        chosen = {name: [c for c in (*counts, *others) if c in wanted] for name, (_, counts, others) in GROUPS.items()}
        needed = [name for name, columns in chosen.items() if columns and name not in {"profile", "stage"}]
        if chosen["stage"] and "orders" not in needed:
            needed.append("orders")
        joins = [sql("facts.join_group", table=f"({sql(f'facts.{name}')})", name=name) for name in needed]
        columns = [self._column(group, column) for group in chosen for column in chosen[group]]
        self._con.execute(
            sql(
                "facts.facts",
                people=sql("facts.profile"),
                columns="".join(f", {column}" for column in columns),
                joins="".join(f"\n{join}" for join in joins),
            )
        )

    def _column(self, group: str, column: str) -> str:
        table, counts, _ = GROUPS[group]
        if column == "journey_stage":
            return f"{sql('facts.stage')} as journey_stage"
        if column in counts and table in self._seen:
            return f"coalesce({group}.{column}, 0) as {column}"
        return f"p.{column}" if group == "profile" else f"{group}.{column}"
