"""Whether the data can carry a strategy's answer: tables that nobody gives, orders too old, history too short."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from hub.api import Need, PluginError, Segment
from hub.segments.session import SessionLike
from hub.segments.words import duration, instant

_TABLES = {
    Need.ORDERS: "orders",
    Need.ORDER_LINES: "order_lines",
    Need.CARTS: "carts",
    Need.EVENTS: "events",
    Need.ENGAGEMENT: "engagement",
    Need.TRAITS: "traits",
}


def missing_tables(session: SessionLike, strategy: Segment[Any]) -> tuple[str, ...]:
    """Return the tables that the strategy needs and that no source gives."""
    return tuple(_TABLES[need] for need in strategy.needs if need in _TABLES and _TABLES[need] not in session.tables)


def stale_orders(session: SessionLike, strategy: Segment[Any], max_lag: timedelta) -> str | None:
    """Say in a sentence that orders are older than carts by more than ``max_lag``, where that matters.

    Carts are compared with the orders of the same source; where a source gives carts only, with the freshest
    orders there are. A table whose freshness nobody told is not compared.
    """
    if Need.ORDERS_AS_FRESH_AS_CARTS not in strategy.needs:
        return None
    orders = {source: fresh for source, _start, fresh in session.reach("orders") if fresh is not None}
    if not orders:
        return None
    newest = max(orders, key=lambda source: orders[source])
    for source, _start, carts_until in session.reach("carts"):
        other = source if source in orders else newest
        if carts_until is not None and carts_until - orders[other] > max_lag:
            return (
                f"orders of {other} reach until {instant(orders[other])}, carts of {source} until "
                f"{instant(carts_until)}: more than {duration(max_lag)} apart, "
                "so nobody is added until the orders catch up"
            )
    return None


def short_history(session: SessionLike, strategy: Segment[Any], settings: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence per window that looks back further than the data does."""
    tables = [_TABLES[need] for need in strategy.needs if need in _TABLES]
    for name in strategy.windows:
        if name not in settings:
            raise PluginError(f"windows names the setting {name!r}, which does not exist")
        window = settings[name]
        if not isinstance(window, timedelta):
            continue
        for table in tables:
            start = _start(session, table)
            if start is not None and start > session.as_of - window:
                yield (
                    f"{name} = {duration(window)} looks back to {instant(session.as_of - window)}, "
                    f"but {table} begin at {instant(start)}"
                )


def _start(session: SessionLike, table: str) -> datetime | None:
    """Return where a table begins; None where a source has it from the beginning, or nobody told."""
    starts = [start for _source, start, _fresh in session.reach(table)]
    known = [start for start in starts if start is not None]
    return min(known) if known and len(known) == len(starts) else None
