"""What segments ask of a catalog session."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import duckdb


class SessionLike(Protocol):
    """The catalog as of one instant, on a connection that is not inside an explicit transaction.

    DuckDB aborts an explicit transaction at its first error, temporary tables included; outside of one, a
    strategy that fails leaves the others alone. The database itself is opened read-only.
    """

    @property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The connection with the temporary views of the canonical tables."""

    @property
    def as_of(self) -> datetime:
        """The instant the segments are computed for, in UTC without a zone."""

    @property
    def now(self) -> datetime:
        """The instant of the run, in UTC without a zone."""

    @property
    def timezone(self) -> str:
        """The shop's IANA time zone."""

    @property
    def tables(self) -> AbstractSet[str]:
        """The canonical tables that some source gives."""

    def reach(self, table: str) -> Sequence[tuple[str, datetime | None, datetime | None]]:
        """Return per source that gives the table: its name, where it starts, until when it is fresh."""

    def prepare_facts(self, columns: Iterable[str] | None) -> None:
        """Make sure that ``facts`` has person_id and at least these columns; None means all."""
