"""What the ledger hands out and takes in, as small frozen records. Times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hub.api import Op

if TYPE_CHECKING:
    import pyarrow as pa

    from hub.ledger.states import MemberState


@dataclass(frozen=True, slots=True)
class Run:
    """One execution for a client."""

    run_id: str
    command: str
    as_of: datetime | None
    started_at: datetime
    ended_at: datetime | None
    status: str | None
    report: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Audience:
    """A list, tag or custom audience at a destination. ``generation`` rises with every change of it.

    ``purpose`` is what it was last delivered for; None where that was before ledgers knew it.
    """

    audience_id: int
    sync: str
    destination: str
    name: str
    remote_id: str | None
    definition: str | None
    generation: int
    last_as_of: datetime | None
    created_at: datetime
    retired_at: datetime | None
    purpose: str | None


@dataclass(frozen=True, slots=True)
class Blocks:
    """The standing blocks, and the number of the newest one among all."""

    table: pa.Table
    seen: int


@dataclass(frozen=True, slots=True)
class NewBlock:
    """A reason not to contact an address, to be written. Channel ``*`` means all."""

    address_key: str
    channel: str
    reason: str
    recorded_at: datetime
    origin: str


@dataclass(frozen=True, slots=True)
class StandingBlock:
    """A block as the last check before sending sees it."""

    number: int
    address_key: str
    channel: str
    reason: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A batch that is about to be sent, as written before the request leaves."""

    intent_id: int
    audience_id: int
    op: Op
    key: str
    repeatable: bool
    capped: bool
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A vendor's asynchronous job that is not settled."""

    receipt_id: int
    audience_id: int
    op: Op
    key: str
    receipt: str
    rows: pa.Table
    repeatable: bool
    capped: bool
    as_of: datetime | None
    deadline: datetime
    look_at: datetime
    looks: int


@dataclass(slots=True)
class Settlement:
    """What became of the members of one batch.

    ``rows`` are the batch's rows as the ledger keeps them (see ``hub.ledger.packing.ROWS``); the lists hold
    positions in it, with a reason where there is one. ``remote_ids`` is by position; ``retry_after`` is in seconds;
    ``maybe_sent`` says of the failed ones that they may have arrived.
    """

    rows: pa.Table
    delivered: Sequence[int] = ()
    remote_ids: Mapping[int, str] = field(default_factory=dict)
    accepted: Mapping[str, Sequence[int]] = field(default_factory=dict)
    rejected: Sequence[tuple[int, str]] = ()
    unknown: Sequence[tuple[int, str]] = ()
    failed: Sequence[tuple[int, str]] = ()
    blocks: Sequence[NewBlock] = ()
    retry_after: float | None = None
    maybe_sent: bool = False


@dataclass(frozen=True, slots=True)
class HeldGuard:
    """A guard that holds a sync, and whether a human answered."""

    sync: str
    guard: str
    size: int
    about: str
    detail: str
    held_at: datetime
    approved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far one table of one source reaches, and what the last pull read and rejected."""

    source: str
    table: str
    start: datetime | None
    fresh_until: datetime | None
    rows: int
    rejected: int
    status: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class LastRun:
    """When a sync last ran by its schedule, and how that ended."""

    sync: str
    last_run_at: datetime
    status: str


@dataclass(frozen=True, slots=True)
class Spell:
    """One stay of a person in one audience; ``left_at`` is None while it lasts."""

    audience_id: int
    sync: str
    destination: str
    audience: str
    member_key: str
    state: MemberState
    entered_at: datetime | None
    delivered_at: datetime | None
    sent_at: datetime | None
    left_at: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class PersonState:
    """Everything the ledger knows about one person."""

    spells: tuple[Spell, ...]
    withheld: tuple[tuple[str, str, datetime], ...]
    holdouts: tuple[tuple[str, datetime, datetime | None], ...]
    blocks: tuple[tuple[NewBlock, datetime | None], ...]
