"""Verdicts kept in the catalog: what the gate decides about everybody, until data, settings or rules change.

Most people's verdict follows from records that lie in the past, so it is the same in every run until the catalog is
merged anew. Whoever has a block, and whoever's verdict may change as time passes, is judged by every run.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING

from hub.consent.rules import prefixes, rulebook
from hub.sql import load_queries

if TYPE_CHECKING:
    import duckdb

    from hub.config.models import ConsentSettings

Wanted = tuple[str, tuple[str, ...]]
"""A purpose, and the kinds of address a destination knows people by, the main one first."""

QUERIES = load_queries("hub.consent", "stored.sql")
_SQL = ("state.sql", "clear.sql", "stored.sql")


def mark(settings: ConsentSettings, country: str | None) -> str:
    """Return what verdicts rest on beside the catalog: the rules, and the client's settings."""
    return sha256(f"{_rules()} {country} {settings.model_dump_json()}".encode()).hexdigest()


def known(con: duckdb.DuckDBPyConnection, made_by: str, as_of: datetime) -> dict[Wanted, str]:
    """Return the tables of stored verdicts that hold as of an instant (naive UTC), under what ``mark`` returned."""
    if not con.execute(QUERIES["has_verdicts"]).fetchall()[0][0]:
        return {}
    rows = con.execute(QUERIES["known"], {"mark": made_by, "as_of": as_of}).fetchall()
    return {(purpose, tuple(kinds)): f"derived.{table}" for purpose, kinds, table in rows}


def missing(con: duckdb.DuckDBPyConnection, wanted: Collection[Wanted], made_by: str, as_of: datetime) -> bool:
    """Tell whether a wanted verdict is not stored, or was made by other rules or for a later time."""
    return not set(wanted) <= set(known(con, made_by, as_of))


@cache
def _rules() -> str:
    """Return a digest of everything that decides."""
    texts = (files(__package__).joinpath(name).read_text("utf-8") for name in _SQL)
    return sha256("\0".join([repr(rulebook()), repr(prefixes()), *texts]).encode()).hexdigest()
