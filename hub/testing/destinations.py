"""The contract of destinations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from hub.api import (
    Batch,
    Block,
    Destination,
    Forecast,
    Member,
    Op,
    Outcome,
    Pending,
    Planned,
    RejectedError,
    State,
)
from hub.consent.rules import PURPOSES, REASONS
from hub.testing.connections import ConnectionConformance
from hub.testing.gaps import require

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
_LARGEST = 25
Fresh = Callable[[], Any]
Look = Callable[[], Any]


class DestinationConformance(ConnectionConformance):
    """Check a destination: subclass it, name ``plugin``, and ``settings`` or a ``stand_in``.

    ``attributes`` are what the members of the tests carry, named as a sync would name them. ``audience`` is the name
    of the audience.
    """

    kind = "destination"
    attributes: ClassVar[Mapping[str, Any]] = {"first_name": "Ada", "last_name": "Ash"}
    audience: ClassVar[str] = "Conformance, VIP"

    def member(self, number: int) -> Member:
        """Return a member with every identifier and the attributes."""
        return Member(
            f"{number:032x}",
            f"p{number}@example.com",
            f"+4520{number:06d}",
            attributes=self.attributes,
            customer_id=str(number),
        )

    def people(self, count: int) -> list[Member]:
        """Return members, all different."""
        return [self.member(number) for number in range(1, count + 1)]

    def test_limits_and_purpose_are_known(self, fresh: Fresh) -> None:
        destination = fresh()

        require(destination.purpose in PURPOSES, f"purpose {destination.purpose!r} is none of {', '.join(PURPOSES)}")
        require(destination.can.replaces is False or Op.ADD in destination.can.ops, "replaces needs Op.ADD")
        require(
            all(
                limit.bytes is None or destination.row(self.member(1)) is not None
                for limit in destination.can.ops.values()
            ),
            "a limit in bytes needs row(), so that hub can count",
        )

    def test_ensure_audience_looks_before_it_creates(self, fresh: Fresh, look: Look) -> None:
        first = fresh().ensure_audience(self.audience)
        before = look()

        again = fresh().ensure_audience(self.audience)

        require(isinstance(first, str) and first, "ensure_audience returns no id")
        require(again == first, f"the second ensure_audience returned {again!r}, the first {first!r}")
        require(look() == before, "the second ensure_audience changed the other side")

    def test_two_audiences_are_two(self, fresh: Fresh) -> None:
        destination = fresh()

        require(
            destination.ensure_audience(self.audience) != destination.ensure_audience(f"{self.audience} 2"),
            "two names are one audience",
        )

    @pytest.mark.parametrize("count", [1, 2, _LARGEST])
    @pytest.mark.parametrize("op", list(Op))
    def test_every_member_gets_exactly_one_outcome(self, fresh: Fresh, op: Op, count: int) -> None:
        destination = fresh()
        if op not in destination.can.ops:
            pytest.skip(f"it does not {op}")
        batch = self.batch(destination, op, self.people(min(count, destination.can.ops[op].count)))
        if op is not Op.ADD and not destination.can.replaces:
            self.push(destination, self.batch(destination, Op.ADD, self.members_after(batch)))

        outcomes = self.push(destination, batch)

        require(
            all(outcome.state is not State.UNKNOWN for outcome in outcomes), "an outcome is unknown where all is well"
        )

    def test_a_member_may_have_nothing_but_an_identifier(self, fresh: Fresh) -> None:
        destination = fresh()
        bare = [Member(f"{number:032x}", **self._identifier(destination, number)) for number in (1, 2)]

        for member in bare[: destination.can.ops[Op.ADD].count]:
            try:
                self.push(destination, self.batch(destination, Op.ADD, [member]))
            except RejectedError:
                continue

    def test_an_unknown_member_can_be_removed(self, fresh: Fresh) -> None:
        destination = fresh()
        if Op.REMOVE not in destination.can.ops or destination.can.replaces:
            pytest.skip("it does not remove one by one")

        self.push(destination, self.batch(destination, Op.REMOVE, [self.member(900)]))

    def test_repeating_a_push_changes_nothing(self, fresh: Fresh, look: Look) -> None:
        destination = fresh()
        if not destination.can.repeatable:
            pytest.skip("it says that repeating does harm")
        batch = self.batch(destination, Op.ADD, self.people(min(3, destination.can.ops[Op.ADD].count)))
        self.push(destination, batch)
        before = look()

        self.push(fresh(), batch)

        require(look() == before, "pushing the same batch again changed the other side: repeatable is not true")

    def test_an_empty_audience_is_a_push_without_members(self, fresh: Fresh) -> None:
        destination = fresh()
        if not destination.can.replaces:
            pytest.skip("only a destination that replaces gets an empty batch")

        self.push(destination, self.batch(destination, Op.ADD, []))

    def test_a_forecast_reckons_and_changes_nothing(self, fresh: Fresh, look: Look) -> None:
        destination, before = fresh(), look()
        people = self.people(3)
        planned = Planned(
            self.audience,
            counts=dict.fromkeys(destination.can.ops, 3),
            samples=dict.fromkeys(destination.can.ops, people),
        )

        told = destination.forecast(planned)

        require(told is None or isinstance(told, Forecast), "forecast returns neither an api.Forecast nor None")
        if told is not None:
            least, seconds = min(told.calls, told.reads, told.later, told.points), destination.seconds(told)
            require(least >= 0 and told.calls > 0, f"a forecast of {planned.counts} is {told}")
            require(seconds is None or seconds >= 0, f"a forecast takes {seconds} seconds")
        require(look() == before, "the forecast changed the other side")

    def test_forget_answers_for_the_member(self, fresh: Fresh) -> None:
        destination = fresh()
        if type(destination).forget is Destination.forget:
            pytest.skip("it cannot forget")

        outcome = destination.forget(self.member(1))

        require(isinstance(outcome, Outcome) and outcome.member.key == self.member(1).key, "forget returns no outcome")

    def test_suppressions_are_dated_blocks(self, fresh: Fresh) -> None:
        for since in (None, AS_OF - timedelta(days=7)):
            for block in fresh().read_suppressions(since):
                require(isinstance(block, Block), "read_suppressions yields something that is not an api.Block")
                require(block.reason in REASONS, f"a block's reason is {block.reason!r}")
                require(block.email or block.phone, "a block has neither e-mail nor phone")

    def test_who_was_added_can_be_read_where_members_can_be_read(self, fresh: Fresh) -> None:
        destination = fresh()
        if type(destination).read_members is Destination.read_members:
            pytest.skip("it cannot read its members")
        batch = self.batch(destination, Op.ADD, self.people(min(3, destination.can.ops[Op.ADD].count)))
        taken = [each.member for each in self.push(destination, batch) if each.state is State.DELIVERED]

        read = list(fresh().read_members(batch.audience))

        known = {value for member in read for value in _identifiers(member) if value}
        missing = [member.key for member in taken if not known & _identifiers(member)]
        require(not missing, f"{len(missing)} delivered members are not read back")

    def batch(self, destination: Any, op: Op, members: Sequence[Member]) -> Batch:
        """Return a batch as hub sends it: the audience is there and its fields are prepared."""
        destination.prepare(sorted(self.attributes))
        return Batch(op, destination.ensure_audience(self.audience), "conformance", members, total=1, as_of=AS_OF)

    def members_after(self, batch: Batch) -> list[Member]:
        """Return who has to be in the audience before a batch that updates or removes."""
        return list(batch.members)

    def push(self, destination: Any, batch: Batch) -> list[Outcome]:
        """Push a batch, hold its outcomes against the contract, and return them."""
        outcomes = list(destination.push(batch))
        expected = [member.key for member in batch]
        require(all(isinstance(each, Outcome) for each in outcomes), "push yields something that is not an outcome")
        got = [each.member.key for each in outcomes]
        require(sorted(got) == sorted(expected), f"push gave outcomes for {len(got)} of {len(expected)} members")
        for outcome in outcomes:
            self._judge(outcome)
        self._poll(destination, batch, {each.receipt for each in outcomes if each.state is State.ACCEPTED})
        return outcomes

    def _judge(self, outcome: Outcome) -> None:
        why = outcome.reason or ""
        named = [text for text in (outcome.member.email, outcome.member.phone) if text and text in why]
        require(not named, "a reason names the address")
        require(outcome.state in {State.DELIVERED, State.ACCEPTED} or why, f"{outcome.state} without a reason")
        require(outcome.blocks is None or outcome.blocks in REASONS, f"blocks is {outcome.blocks!r}")

    def _poll(self, destination: Any, batch: Batch, receipts: set[str | None]) -> None:
        for receipt in receipts:
            require(receipt, "a batch was accepted without a receipt")
            asked = Batch(batch.op, batch.audience, batch.key, batch.members, receipt=receipt, as_of=batch.as_of)
            answers = list(destination.poll(asked))
            pending = any(isinstance(answer, Pending) for answer in answers)
            require(pending or len(answers) == len(batch), "poll gives neither one Pending nor an outcome per member")

    def _identifier(self, destination: Any, number: int) -> dict[str, Any]:
        full = self.member(number)
        return {name: getattr(full, name) for name in destination.can.identify_by[:1]}


def _identifiers(member: Member) -> set[str | None]:
    return {member.email, member.phone, member.remote_id, member.customer_id}


__all__ = ["AS_OF", "DestinationConformance"]
