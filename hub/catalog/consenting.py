"""What loading does for consent: the address a record showed, and a yes that became a no."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

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
    rows = con.execute(sql("load.withdrawals", old=parts, fresh=fresh), {"system": system, "now": now}).fetchall()
    return [OptOut(address, channel, "unsubscribed", at, source) for address, channel, at in rows]
