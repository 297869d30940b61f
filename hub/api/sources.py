"""Sources: where a client's data comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

from hub.api.connections import Connection
from hub.api.settings import Config, Field

Kind = Literal["changes", "snapshot", "window"]


class SourceConfig(Config):
    """Be the base of a source's settings."""

    system: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="Name of the shop this source is a door to; sources that share it are merged. "
        "Default: the source's own name.",
    )


SourceConfigT = TypeVar("SourceConfigT", bound=SourceConfig)


@dataclass(frozen=True, slots=True)
class Stream:
    """A part of a source that is read on its own, with a cursor of its own.

    ``changes``: rows are upserted by the table's key, and the children (order lines) of a parent that is sent
    again are replaced. ``snapshot``: the pages of one read are the whole content; what is missing has gone.
    ``window``: a page names the period whose rows it replaces.
    """

    tables: tuple[str, ...]
    kind: Kind = "changes"


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be used: where it stood, why, and the row as it was."""

    table: str
    origin: str
    reason: str
    raw: str = field(repr=False)
    record: int | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """A row that no longer exists at the other side: ``Gone("customers", "gid://shopify/Customer/1")``.

    ``erased`` says that the person asked to be erased there: hub blocks the address as ``forget`` does.
    """

    table: str
    key: str = field(repr=False)
    erased: bool = False


@dataclass(frozen=True, slots=True)
class Merged:
    """A customer that the shop merged into another."""

    customer_id: str
    into: str


@dataclass(frozen=True, slots=True)
class Remaining:
    """Everything of a table that the other side still has: what is stored beyond it has gone.

    For sides that tell nobody about deletions. ``keys`` are values of the table's own first key column (customer_id,
    order_id, subject), as a sequence or as Arrow with one column; a reader where they are very many. Rows whose time
    is earlier than ``since`` (UTC) are not judged. Children go with their parents. Where more than the guard
    ``max_shrink`` would go, nothing of the page is stored until somebody approves.
    """

    table: str
    keys: Any = field(repr=False)
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a stream; stored whole, together with its cursor, or not at all.

    A page may bring nothing but a cursor: to keep what must outlive the process, such as a job begun elsewhere.

    Attributes:
        tables: rows per canonical table, as mappings or Arrow. Values may be text: hub casts them to the
            table's types (times with offset or UTC, decimals with a point) and rejects what cannot be cast.
            Besides the table's columns a row may carry ``_origin`` (file or call), ``_record`` (number from
            1) and ``_raw`` (the row as it was), used when it is rejected.
        cursor: any JSON value, handed back as ``since`` at the next read.
        gone, merged: deletions and merges that the other side reported.
        remaining: all that still exists, where it reports no deletions; for streams of ``changes``.
        rejected: rows that the source itself could not read.
        window: (from, until), UTC: the period that a page of a ``window`` stream replaces.
        total: how many rows the read will have in all, where the vendor tells; for progress.
        notes: what the user should know about this read, once per run.
    """

    tables: Mapping[str, Any] = field(repr=False)
    cursor: Any = None
    gone: Sequence[Gone] = ()
    merged: Sequence[Merged] = ()
    rejected: Sequence[Reject] = ()
    window: tuple[datetime, datetime] | None = None
    total: int | None = None
    notes: Sequence[str] = ()
    remaining: Sequence[Remaining] = ()


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a table's data reaches: from ``start`` (None: from the beginning) to ``fresh_until``; UTC."""

    start: datetime | None = None
    fresh_until: datetime | None = None


class Source(Connection, Generic[SourceConfigT]):
    """Yield a client's data in the canonical tables.

    A subclass declares ``name``, ``Config`` and ``streams`` and implements ``read``.
    """

    streams: ClassVar[Mapping[str, Stream]] = {}
    config: SourceConfigT

    def read(self, stream: str, since: Any, until: datetime) -> Iterator[Page]:
        """Yield the pages of a stream: what changed since the cursor, or all of a snapshot.

        No page at all means that nothing changed. A snapshot that is now empty is a page with empty tables.

        Raises:
            SourceError: the data cannot be used (unreadable, wrong layout); what was stored stands.
            TransientError, AuthError: as their names say.
        """
        raise NotImplementedError

    def reach(self, table: str) -> Reach:
        """Say how far the table reached when it was last read in this process; asked after ``read``."""
        return Reach()
