"""Whatever happens to members, in any order: what the ledger says is what the other side may hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hub import api
from hub.ledger import MemberState
from tests.deliver_kit import ADD, HOUR, REMOVE, Keeper, World, can

KEYS = [f"k{number}" for number in range(5)]
people = st.lists(st.sampled_from(KEYS), unique=True, min_size=1)
ends = st.sampled_from(
    ["delivered", "rejected", "unknown taken", "unknown lost", "failed", "accepted", "crash", "drop"]
)


class PowerCut(BaseException):
    """What no handler catches."""


class Fickle(Keeper):
    """Treat every member as it is told to, and know whom it truly holds."""

    def __init__(self) -> None:
        super().__init__(can=can(ops={ADD: api.Limit(2), REMOVE: api.Limit(2)}))
        self.end = "delivered"
        self.truth: set[str] = set()
        self.jobs: dict[str, tuple[api.Op, list[str]]] = {}

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        if self.end == "accepted":
            receipt = f"job-{len(self.jobs)}"
            self.jobs[receipt] = (batch.op, [member.key for member in batch])
            yield from batch.accepted(receipt)
            return
        for member in batch:
            yield self.treat(batch.op, member)

    def treat(self, op: api.Op, member: api.Member) -> api.Outcome:
        if self.end in {"delivered", "unknown taken", "crash", "drop"}:
            self.do(op, member.key)
        if self.end == "rejected" and op is ADD:
            # Its word is taken for it: whom it refuses it does not hold.
            self.do(REMOVE, member.key)
        if self.end == "crash":
            raise PowerCut
        if self.end == "drop":
            raise api.TransientError("connection lost", sent=True)
        if self.end == "delivered":
            return member.delivered()
        return getattr(member, self.end.split()[0])("because")  # type: ignore[no-any-return]

    def do(self, op: api.Op, key: str) -> None:
        (self.truth.discard if op is REMOVE else self.truth.add)(key)

    def poll(self, batch: api.Batch) -> Iterator[Any]:
        op, keys = self.jobs[str(batch.receipt)]
        for key in keys:
            self.do(op, key)
        yield from (member.delivered() for member in batch)


class History(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.other = Fickle()
        self.world.audience(self.other)

    @rule(keys=people, end=ends)
    def add(self, keys: list[str], end: str) -> None:
        known = self.world.states(self.other)
        out = [key for key in keys if known.get(key) not in {MemberState.HELD, MemberState.ACCEPTED}]
        if out:
            self.send(end, add=out)

    @rule(keys=people, end=ends)
    def remove(self, keys: list[str], end: str) -> None:
        known = self.world.states(self.other)
        held = [key for key in keys if key in known and known[key].may_be_held]
        if held:
            self.send(end, remove=held)

    @rule()
    def jobs_end(self) -> None:
        self.world.clock.now += HOUR
        self.world.settle(self.other)

    @rule()
    def restart(self) -> None:
        self.world.restart()

    def send(self, end: str, **what: list[str]) -> None:
        self.other.end = end
        self.world.clock.now += HOUR
        try:
            tally = self.world.deliver(self.other, **what)  # type: ignore[arg-type]
        except PowerCut:
            self.world.restart()
        else:
            assert tally.settled == sum(map(len, what.values()))

    @invariant()
    def whoever_is_held_can_be_removed(self) -> None:
        states = self.world.states(self.other)
        may_be_held = {key for key, state in states.items() if state.may_be_held}
        assert self.other.truth <= may_be_held
        handles = self.world.ledger.handles(self.world.audience(self.other).audience_id, may_be_held)
        assert all("email" in handle for handle in handles.values())

    @invariant()
    def whoever_is_said_to_be_held_is(self) -> None:
        waiting = {key for op, keys in self.other.jobs.values() for key in keys}
        states = self.world.states(self.other)
        said = {key for key, state in states.items() if state is MemberState.HELD} - waiting
        assert said <= self.other.truth

    def teardown(self) -> None:
        self.world.close()
        self.folder.cleanup()


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
