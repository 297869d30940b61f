"""What a delivery is given, and what it gives back."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from hub.api import Destination, HubError
from hub.consent.cleared import Cleared
from hub.ledger import Audience

SAMPLE = 100


class Slots(Protocol):
    """The connection's rate limiter; ``used`` counts what it let through."""

    used: int

    def slot(self) -> AbstractContextManager[None]:
        """Wait for permission to ask once."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a delivery is.

    Attributes:
        attempts: how often one batch is pushed.
        total: seconds of waiting that one batch is worth.
        first: seconds before the second attempt; doubled each time, with jitter.
        longest: the longest of these waits.
        deadline: how long a receipt may stay open before its members become unknown.
        patience: seconds to wait for the receipt of an exclusive audience within a run.
        lone_rejections: rejections in a row, each of a member alone, after which splitting ends.
        exhausted: batches in a row that failed after all attempts, after which the connection stops.
        random: a number from 0 to 1, for jitter.
    """

    attempts: int = 5
    total: float = 300.0
    first: float = 1.0
    longest: float = 60.0
    deadline: timedelta = timedelta(hours=24)
    patience: float = 120.0
    lone_rejections: int = 20
    exhausted: int = 3
    random: Callable[[], float] = random.random


def _nobody_else(keys: Collection[str]) -> Collection[str]:
    return keys


@dataclass(frozen=True, slots=True)
class Work:
    """The difference to send to one audience.

    Attributes:
        audience: where to; its ``remote_id`` (or name) is what the destination knows it by.
        as_of: the instant the difference was computed for.
        removals: member keys in chunks; how to find them is in the ledger.
        everyone: all cleared members, for a destination that ``replaces``.
        channel: the channel of the purpose; None where only an erasure blocks.
        seen_block: the highest block number that the gate saw.
        related: all address keys of the persons that some address keys belong to. It may use the catalog session:
            the stream of members is interrupted for it.
        limiter: the connection's, for destinations that speak no HTTP (a client has it inside).
        plugin: how to name the plugin and its distribution in an error.
    """

    audience: Audience
    destination: Destination[Any]
    as_of: datetime
    run_id: str
    additions: Cleared | None = None
    updates: Cleared | None = None
    removals: Iterable[Collection[str]] = ()
    everyone: Cleared | None = None
    channel: str | None = "email"
    seen_block: int = 0
    related: Callable[[Collection[str]], Collection[str]] = _nobody_else
    limiter: Slots | None = None
    plugin: str | None = None

    def __post_init__(self) -> None:
        for members in (self.additions, self.updates, self.everyone):
            if members is not None and type(members) is not Cleared:
                raise TypeError("delivery accepts cleared members only")

    @property
    def remote(self) -> str:
        """Return the id by which the destination knows the audience."""
        return self.audience.remote_id or self.audience.name

    @property
    def named(self) -> str:
        """Return plugin and connection as an error names them."""
        plugin = self.plugin or f"{type(self.destination).__module__}.{type(self.destination).__qualname__}"
        return f"destination {self.destination.connection} (plugin {plugin})"


@dataclass(slots=True)
class Tally:
    """What became of the members, in numbers.

    ``add + update + remove = delivered + accepted + rejected + unknown + failed + held_back``. ``rejects`` and ``held``
    are samples of (member_key, reason). ``error`` is what ended the sync, ``connection_stopped`` says that no other
    sync should ask this connection in this run.
    """

    delivered: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    failed: int = 0
    held_back: int = 0
    calls: int = 0
    reads: int = 0
    rejects: list[tuple[str, str]] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    stopped: str | None = None
    error: HubError | None = None
    connection_stopped: bool = False

    @property
    def settled(self) -> int:
        """Return for how many members an end was found."""
        return self.delivered + self.accepted + self.rejected + self.unknown + self.failed + self.held_back

    def sample(self, where: list[tuple[str, str]], key: str, reason: str) -> None:
        """Keep a reason for the report, as long as there are few."""
        if len(where) < SAMPLE:
            where.append((key, reason))
