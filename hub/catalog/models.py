"""What the catalog is told and what it tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from hub.config.models import ConsentFrom
from hub.places import silence_permits


@dataclass(frozen=True, slots=True)
class CatalogSettings:
    """The part of a client's configuration that decides what the catalog holds.

    ``sources`` are (name, system) as listed in the client's file: the first one wins a field. ``currencies``
    are units of the client's currency per unit.
    """

    country: str | None = None
    currency: str | None = None
    currencies: Mapping[str, Decimal] = field(default_factory=dict)
    timezone: str = "UTC"
    sources: Sequence[tuple[str, str]] = ()
    consent_from: Sequence[ConsentFrom] = ()
    memory_limit: str | None = None

    def merging_mark(self) -> str:
        """Return what merged tables depend on beyond the rows: other settings, and they are merged again."""
        rules = [rule.model_dump_json() for rule in self.consent_from]
        return json.dumps([[list(source) for source in self.sources], rules, sorted(silence_permits())])


@dataclass(frozen=True, slots=True)
class OptOut:
    """A refusal that reading alone told, and reading again could not: it goes to the ledger's blocks.

    ``address`` is an address text (``email:…``, ``phone:…``, ``customer:<system>:<id>``); ``channel`` one of the
    consent channels, or ``*`` for all; ``reason`` unsubscribed or erasure; ``origin`` the source's name.
    """

    address: str = field(repr=False)
    channel: str
    reason: str
    recorded_at: datetime
    origin: str


OnBlocks = Callable[[Sequence[OptOut]], None]
"""Takes opt-outs before the page that told them is committed."""


@dataclass(frozen=True, slots=True)
class Shrink:
    """A table that lost too much to be believed; its old content stands."""

    table: str
    before: int
    after: int


@dataclass(slots=True)
class StreamReport:
    """What reading one stream did.

    ``read`` and ``rejected`` count rows per table, ``dropped`` rows of erased people. ``shrunk`` names the tables
    that lost too much to be believed. ``erased`` are the address texts of people the other side erased: the
    caller erases them everywhere.
    """

    read: dict[str, int] = field(default_factory=dict)
    rejected: dict[str, int] = field(default_factory=dict)
    dropped: int = 0
    pages: int = 0
    changed: bool = False
    shrunk: list[Shrink] = field(default_factory=list)
    erased: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Till:
    """A customer id with so many e-mails that it is no person."""

    system: str
    customer_id: str
    emails: int


@dataclass(frozen=True, slots=True)
class Matches:
    """What became of the ids that one source of analytics gives.

    ``withheld`` events may be attributed to nobody. Of the browsers, customer ids and transactions seen, the known
    ones are the shop's: a browser of somebody in its customers or orders, a customer, an order of one person.
    """

    source: str
    events: int
    withheld: int
    visitors: int
    known_visitors: int
    user_ids: int
    known_user_ids: int
    transactions: int
    known_transactions: int


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What merging and identity resolution found; ``rebuilt`` is false when nothing had changed.

    ``matches`` is told by a rebuild only, one for each source of events.
    """

    rebuilt: bool
    persons: int
    visitors: int
    tills: tuple[Till, ...] = ()
    matches: tuple[Matches, ...] = ()


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What was erased: every address text of the people, and rows per table."""

    addresses: tuple[str, ...] = field(repr=False)
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that could not be used."""

    source: str
    table: str
    origin: str | None
    record: int | None
    reason: str
    raw: str | None = field(repr=False)
    loaded_at: datetime


@dataclass(frozen=True, slots=True)
class Reading:
    """How reading a source went: the streams that were read to their end at some time, and the last pull's trouble."""

    source: str
    streams: tuple[str, ...] = ()
    trouble: str | None = None


class TableReach(NamedTuple):
    """How far one source's rows of a table reach; UTC."""

    source: str
    start: datetime | None
    fresh_until: datetime | None


class Given(NamedTuple):
    """How many rows of a table one source gave, and how many of them have a value in a column."""

    source: str
    rows: int
    filled: int
