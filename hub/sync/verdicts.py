"""Keep consent's verdicts on everybody in the catalog, so that a run judges only those whose verdict may differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hub.config.models import ConsentSettings
from hub.consent.gate import NO_BLOCKS, Gate
from hub.consent.stored import QUERIES, Wanted, mark, missing

if TYPE_CHECKING:
    import duckdb

    from hub.catalog import Session


WORTH_STORING = 10_000
"""How many people there must be: with fewer, judging everybody in every run costs less than keeping the verdicts."""


@dataclass(frozen=True, slots=True)
class StoredVerdicts:
    """What a client's syncs ask of consent: a ``hub.catalog.Derivation``."""

    settings: ConsentSettings
    country: str | None
    wanted: frozenset[Wanted]

    def is_missing(self, con: duckdb.DuckDBPyConnection, now: datetime) -> bool:
        """Tell whether a verdict is missing, or was made by other rules, among people enough to be worth it."""
        [(people,)] = con.execute(QUERIES["people"]).fetchall()
        return people >= WORTH_STORING and missing(con, self.wanted, mark(self.settings, self.country), now)

    def make(self, session: Session) -> None:
        """Judge everybody, as if nobody had a block: those are asked by every run."""
        gate = Gate(
            session.con,
            settings=self.settings,
            country=self.country,
            as_of=session.as_of,
            now=session.now,
            blocks=NO_BLOCKS,
        )
        gate.store(self.wanted)
