"""What a sync is about, and what a run prepared for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.api import Destination
from hub.config.models import SyncSettings
from hub.consent.rules import CHANNELS
from hub.ledger import Audience
from hub.plan.diff import Difference
from hub.plan.guards import Held
from hub.sync.numbers import Status, SyncNumbers


@dataclass(frozen=True, slots=True)
class Target:
    """One sync: its settings, its destination, its audience, and the digest of what it delivers."""

    name: str
    settings: SyncSettings
    destination: Destination[Any]
    audience: Audience
    purpose: str
    definition: str

    @property
    def channel(self) -> str:
        """Return the consent channel of the purpose; ``own_shop`` has none but erasure."""
        return CHANNELS.get(self.purpose, self.purpose)

    @property
    def is_redefined(self) -> bool:
        """Tell whether the audience was last delivered by another definition.

        An earlier hub noted only how the digest begins: what it did not know is no change.
        """
        noted = self.audience.definition
        return noted is not None and not self.definition.startswith(noted)


@dataclass(slots=True)
class PreparedSync:
    """One sync, ready to be shown or sent.

    ``held`` are the guards that hold it, ``let_through`` those that somebody let through for this run, who saw what
    they hold or forced it; ``waits`` is another reason why nobody may be added now. ``seen_block``
    is the highest block number that consent saw. ``to_remember`` is of a settled audience, once all is written
    down: the mark by which it is known again, and what was told of it.
    """

    target: Target
    difference: Difference
    numbers: SyncNumbers
    seen_block: int
    held: list[Held] = field(default_factory=list)
    let_through: list[Held] = field(default_factory=list)
    waits: str | None = None
    to_remember: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Return the sync's name."""
        return self.target.name

    @property
    def is_held(self) -> bool:
        """Tell whether nothing but removals that a record demands may go."""
        return bool(self.held) or not self.difference.is_judged or self.numbers.status is Status.FAILED

    @property
    def may_add(self) -> bool:
        """Tell whether people may be added and updated now."""
        return not self.is_held and self.waits is None
