"""What loading does for consent: the address a record showed, a yes that became a no, and a no whose record leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hub.catalog.blocks import sql
from hub.catalog.models import OptOut

if TYPE_CHECKING:
    import duckdb


def show_addresses(con: duckdb.DuckDBPyConnection, consents: str, customers: Sequence[str]) -> None:
    """Write beside each consent the address that its customer's record shows now, where none is written yet."""
    if not customers:
        return
    parts = [sql("load.customers_of", target=name, rank=str(rank)) for rank, name in enumerate(customers)]
    con.execute(sql("load.show_addresses", target=consents, customers=" union all ".join(parts)))


def withdrawals(
    con: duckdb.DuckDBPyConnection, old: Sequence[str], fresh: str, source: str, system: str, now: datetime
) -> list[OptOut]:
    """Return the opt-outs that a source's new consents mean, compared with what it said before."""
    if not old:
        return []
    parts = " union all ".join(sql("load.old_consents", target=name) for name in old)
    query = sql("load.withdrawals", old=parts, fresh=fresh, addressed=sql("load.addressed"))
    rows = con.execute(query, {"system": system, "now": now}).fetchall()
    return [OptOut(address, channel, "unsubscribed", at, source) for address, channel, at in rows]


def refusals(
    con: duckdb.DuckDBPyConnection, consents: str, gone: str, source: str, values: Mapping[str, Any]
) -> list[OptOut]:
    """Return the opt-outs among a source's consents that are about to leave.

    ``gone`` is the condition that finds them; ``values`` are its own beside the ``system`` and ``now``.
    """
    leaving = sql("load.old_consents", target=consents).strip() + gone
    query = sql("load.refusals", gone=leaving, addressed=sql("load.addressed"))
    rows = con.execute(query, values).fetchall()
    return [OptOut(address, channel, "unsubscribed", at, source) for address, channel, at in rows]
