"""Hold a sync back: where a guard stops it, or where a destination's opt-outs could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.deliver import isolated
from hub.ledger import Ledger
from hub.plan.guards import LETTING_IN, Held, watch
from hub.sync.faults import named_destination
from hub.sync.numbers import Status
from hub.sync.target import PreparedSync, Target
from hub.sync.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Holder:
    """Holds the syncs of one run.

    ``unheard`` are the channels on which nobody may be added because a destination's opt-outs could not be read for
    too long; ``force`` lets every guard through; ``approvable`` says that what a guard holds now is what the next run
    would do, so that it may be approved.
    """

    wiring: Wiring
    ledger: Ledger
    unheard: Mapping[str, str]
    force: bool
    approvable: bool

    def watch(self, sync: PreparedSync) -> None:
        """Hold a sync by every guard that nobody let through."""
        target, size = sync.target, sync.difference.size
        sync.waits = self.unheard.get(target.channel)
        if sync.waits:
            sync.numbers.notes.append(sync.waits)
        limits = self.wiring.client.guards_with(target.settings.guards)
        first = target.audience.definition is None
        if first and size.add:
            sync.numbers.notes += self._first_load(target)
        for held in watch(size, limits, first=first, definition_changed=target.is_redefined):
            audience_id = target.audience.audience_id if held.guard in LETTING_IN else None
            if self.ledger.is_approved(sync.name, held.guard, held.size, target.definition, audience_id):
                continue
            if self.force:
                sync.let_through.append(held)
            else:
                if self.approvable:
                    self.ledger.hold(sync.name, held.guard, held.size, about=target.definition, detail=held.text)
                self.hold(sync, held)

    def _first_load(self, target: Target) -> list[str]:
        """Return what a destination has to say before its first load. Raises PluginError where it breaks."""
        with isolated(named_destination(self.wiring, target.settings.destination), "first_load"):
            note = target.destination.first_load(target.audience.name)
        return [note] if note else []

    def hold(self, sync: PreparedSync, held: Held, next_step: str | None = None) -> None:
        """Refuse a sync for what holds it; ``next_step`` says what else than an approval would let it go on."""
        client = self.wiring.named
        step = next_step or f"look at `hub plan {client}`, then run `hub approve {client} {sync.name}`"
        sync.held.append(held)
        sync.numbers.status = Status.REFUSED
        sync.numbers.guards.append({"guard": held.guard.value, "text": held.text, "size": held.size, "next_step": step})
