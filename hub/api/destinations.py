"""Destinations: where an audience is kept equal to a segment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from hub.api.connections import Connection, Rate
from hub.api.forecasts import Forecast, Planned
from hub.api.settings import Config

ConfigT = TypeVar("ConfigT", bound=Config)


class Op(StrEnum):
    """What a batch does to an audience."""

    ADD = "add"
    UPDATE = "update"
    REMOVE = "remove"


class State(StrEnum):
    """What became of one member of a batch."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest batch: number of members and, where the vendor limits them, bytes of ``row()`` as JSON."""

    count: int
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a destination can do, and how.

    Attributes:
        ops: the largest batch per operation. Without ``Op.UPDATE`` it gets no updates; without ``Op.REMOVE``
            leaving is an entry in the ledger and no call (a mail cannot be unsent).
        rate: how fast it may be asked; one limiter serves all syncs of the connection.
        identify_by: ``email``, ``phone``: the identifiers it knows a member by, the main one first. ``customer_id``
            stands alone and is for the shop itself (purpose ``own_shop``, the only one that an id can be cleared for);
            a setting ``system`` says whose ids they are, by default those of the shop that the source of the same
            plugin reads, else of the client's only shop.
        purpose: what members must have consented to: ``email_marketing``, ``cart_reminder``, ``ads``, …
        repeatable: repeating a push is harmless. If not, an unknown outcome is never tried again by itself.
        exclusive: no further batch for an audience while a receipt of it is open.
        replaces: every push carries all cleared members, whenever anything changed (a file). With ``Op.REMOVE`` it
            also takes out single people while a guard bars a replacement; without, they stay until the next one.
        refresh_after: members expire at the vendor and are sent again after this long.
        cooldown: a person who left and enters again gets nothing before this long after the last delivery.
        cap: at most one delivery per person in this time over all destinations of the client that have a cap.
        permissions: members that are added or updated carry what cleared them (``Member.permission``), for a vendor
            that wants to be told a status.
        attributes: the only attributes it can use; None: it takes any. Where it names them, a sync that lists none
            sends the country, if that is one of them, and a change of anything else is no reason for a call.
    """

    ops: Mapping[Op, Limit]
    rate: Rate | None = None
    identify_by: tuple[str, ...] = ("email",)
    purpose: str = "email_marketing"
    repeatable: bool = True
    exclusive: bool = False
    replaces: bool = False
    refresh_after: timedelta | None = None
    cooldown: timedelta | None = None
    cap: timedelta | None = None
    permissions: bool = False
    attributes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """What cleared a member for the destination's purpose.

    ``ground`` is OPT_IN, SOFT_OPT_IN, IMPLIED, OPT_OUT_REGIME, ADS_FLAGS or OWN_SHOP; only the first is a recorded
    opt-in. ``basis`` is that of the record (``opt_in_double``, …), ``recorded_at`` its time (UTC); None where there is
    no record, or where it says neither.
    """

    ground: str
    basis: str | None = None
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one member; made by ``member.delivered()`` and its sisters, never by hand.

    ``blocks`` is a reason (``hard_bounce``, ``complaint``, ``unsubscribed``) where the answer proves that the
    address must not be contacted again: hub writes the block.
    """

    member: Member
    state: State
    reason: str | None = None
    remote_id: str | None = None
    receipt: str | None = None
    blocks: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A receipt that is not settled yet; ``again_in`` seconds is the vendor's advice."""

    again_in: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One person cleared for the destination's purpose.

    ``email`` is normalised (trimmed, lower case, domain in IDNA), ``phone`` E.164; each is present only if it
    is itself cleared. ``attributes`` are named as the destination names them; times are UTC datetimes, money
    Decimal. ``remote_id`` is what an earlier ``delivered(remote_id=…)`` said. ``key`` is stable over runs
    and tells nothing about the person. ``permission`` is set where the destination asks for it
    (``Capabilities.permissions``), ``customer_id`` where it knows people by that.
    """

    key: str
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    remote_id: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    permission: Permission | None = None
    customer_id: str | None = None

    def delivered(self, remote_id: str | None = None) -> Outcome:
        """Say that the other side has it."""
        return Outcome(self, State.DELIVERED, remote_id=remote_id)

    def rejected(self, why: str, *, blocks: str | None = None) -> Outcome:
        """Say that the other side will never take it; of ``why`` the member's own addresses are taken out."""
        return Outcome(self, State.REJECTED, reason=self._without_addresses(why), blocks=blocks)

    def unknown(self, why: str) -> Outcome:
        """Say that it was sent and the answer lost."""
        return Outcome(self, State.UNKNOWN, reason=self._without_addresses(why))

    def failed(self, why: str) -> Outcome:
        """Say that it was surely not taken, for a passing reason; it is due again at the next run."""
        return Outcome(self, State.FAILED, reason=self._without_addresses(why))

    def _without_addresses(self, why: str) -> str:
        """Take the member's addresses, as they were given, out of a vendor's answer: reasons are told and kept."""
        for address in (self.email, self.phone):
            if why and address and address.lower() in why.lower():
                why = re.sub(re.escape(address), "<address>", why, flags=re.IGNORECASE)
        return why


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Members for one call.

    ``key`` stays the same when the batch is sent again; ``number`` counts from 1 among ``total`` batches of
    this operation (None where that is not known in advance), ``last`` marks the final one. ``receipt`` is set
    when ``poll`` is asked about a batch that was accepted earlier. For a destination that ``replaces``,
    ``members`` are all cleared members.
    """

    op: Op
    audience: str
    key: str
    members: Sequence[Member]
    number: int = 1
    last: bool = True
    total: int | None = None
    receipt: str | None = None
    as_of: datetime | None = None

    def __iter__(self) -> Iterator[Member]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)

    def accepted(self, receipt: str) -> Iterator[Outcome]:
        """Say of every member that the other side took the batch as an asynchronous job."""
        return (Outcome(member, State.ACCEPTED, receipt=receipt) for member in self.members)


@dataclass(frozen=True, slots=True)
class Block:
    """A recorded reason not to contact an address on a channel.

    ``reason`` is one of unsubscribed, soft_bounce, hard_bounce, complaint, manual, erasure; ``recorded_at``
    is UTC. ``lifted`` is the destination's own word that the reason has ended (a hard bounce re-activated).
    """

    reason: str
    recorded_at: datetime
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    channel: str = "email"
    lifted: bool = False


class Destination(Connection, Generic[ConfigT]):
    """Keep an audience at an outside system equal to a segment.

    A subclass declares ``name``, ``Config`` and ``can`` and implements ``push``; the rest says what the
    vendor offers beyond that. It never sleeps, retries, reads the environment or logs a payload.
    """

    can: Capabilities
    config: ConfigT

    @property
    def purpose(self) -> str:
        """Return the purpose members must have consented to; a sync may set its own."""
        return self.can.purpose

    @property
    def cooldown(self) -> timedelta | None:
        """Return how long a person rests between two deliveries of one sync; a sync may set its own."""
        return self.can.cooldown

    def serving(self, purpose: str) -> Destination[Any]:
        """Return the destination as it serves the syncs of a purpose; by default itself.

        Where a vendor has two ways to be told, such as lists and events, the other way is a destination of its own,
        with its own ``can``, over the same client. ``read_suppressions``, ``forget`` and audiences that no sync keeps
        any more stay with this one.
        """
        return self

    def first_load(self, audience: str) -> str | None:
        """Return what people should know before an audience of this name is filled for the first time."""
        return None

    def forecast(self, planned: Planned) -> Forecast | None:
        """Reckon what a delivery would take, as a sync counts ``calls`` and ``reads``, without asking anybody.

        Everything is taken to be accepted; finding or making the audience is left out. The default is one call for
        each batch that ``can`` allows, and one for a destination that ``replaces``. Override it where ``push`` makes
        other calls than that; return None where nothing can be told.
        """
        if self.can.replaces:
            return Forecast(calls=1)
        batches = (planned.batches(op, self.can.ops[op], self.row) for op in planned.counts)
        return Forecast(calls=sum(number for each in batches for number in each.values()))

    def seconds(self, forecast: Forecast) -> float | None:
        """Return how many seconds the limits make so many calls take, from rest; None where they do not tell.

        How long the vendor takes to answer is left out. The default goes by ``can.rate``. Several deliveries of a run
        are added up before this is asked, since they share the limits.
        """
        if self.can.exclusive and forecast.calls > 1:
            return None  # each batch waits for the vendor's job with the one before
        rate = self.can.rate or self.rate
        return 0.0 if rate is None else rate.seconds(forecast.calls + forecast.reads)

    def ensure_audience(self, name: str) -> str:
        """Find the audience by its name or create it, and return its id; looks before it creates.

        The default needs no audience at the other side and returns the name.
        """
        return name

    def push(self, batch: Batch) -> Iterator[Outcome]:
        """Send one batch and yield exactly one outcome per member.

        Raises:
            RejectedError: the vendor refuses the whole batch; hub splits it until the bad row stands alone.
            TransientError, AuthError: as their names say, for the whole batch.
        """
        raise NotImplementedError

    def poll(self, batch: Batch) -> Iterator[Outcome | Pending]:
        """Look once at an accepted batch (``batch.receipt``): its outcomes, or one ``Pending``."""
        raise NotImplementedError

    def row(self, member: Member) -> Mapping[str, Any] | None:
        """Return the member as it stands in a request, so that hub can count bytes; None: not limited."""
        return None

    def prepare(self, attributes: Sequence[str]) -> None:
        """Create the attribute fields that must exist before the first push."""

    def read_suppressions(self, since: datetime | None) -> Iterator[Block]:
        """Yield opt-outs, suppressions and bounces the vendor knows, newer than ``since``."""
        return iter(())

    def read_members(self, audience: str) -> Iterator[Member]:
        """Yield who is in the audience, where the vendor lets one read it.

        ``hub drift`` compares, and a sync with ``adopt = true`` takes them over: each has what removes it again.
        """
        raise NotImplementedError

    def forget(self, member: Member) -> Outcome:
        """Ask the vendor to erase the person."""
        raise NotImplementedError
