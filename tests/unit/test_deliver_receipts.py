from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.ledger import MemberState
from tests.deliver_kit import ADD, HOUR, REMOVE, START, UPDATE, Keeper, World, can

ACCEPTED, HELD, UNKNOWN = MemberState.ACCEPTED, MemberState.HELD, MemberState.UNKNOWN
REMOVING, REFUSED, ABSENT = MemberState.REMOVING, MemberState.REFUSED, MemberState.ABSENT


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Jobs(Keeper):
    """Take batches as jobs that end after some looks; members may come out badly."""

    def __init__(self, looks: int = 1, ends: dict[str, str] | None = None, again_in: float | None = None, **more: Any):
        super().__init__(**more)
        self.looks = looks
        self.ends = ends or {}
        self.again_in = again_in
        self.polled: list[api.Batch] = []
        self.fault: BaseException | None = None

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        self.batches.append(batch)
        for member in batch:
            self.take(batch.op, member)
        return batch.accepted(f"job-{len(self.batches)}")

    def poll(self, batch: api.Batch) -> Iterator[api.Outcome | api.Pending]:
        self.polled.append(batch)
        if self.fault is not None:
            raise self.fault
        if len([seen for seen in self.polled if seen.receipt == batch.receipt]) <= self.looks:
            yield api.Pending(self.again_in)
            return
        for member in batch:
            how = self.ends.get(member.key, "delivered")
            yield member.delivered() if how == "delivered" else getattr(member, how)("the job said so")


def open_receipts(world: World, jobs: Keeper) -> int:
    return world.ledger.count_receipts(world.audience(jobs).audience_id)


def test_accepted_members_wait_for_their_receipt(world: World) -> None:
    jobs = Jobs(looks=0)

    tally = world.deliver(jobs, add=["k1", "k2", "k3", "k4"])

    assert (tally.accepted, tally.delivered, tally.calls) == (4, 0, 2)
    assert set(world.states(jobs).values()) == {ACCEPTED}
    assert open_receipts(world, jobs) == 2


def test_receipt_outlives_the_process_and_settles_member_by_member(world: World) -> None:
    jobs = Jobs(looks=0, ends={"k2": "rejected", "k3": "unknown", "k4": "failed"}, can=can(ops={ADD: api.Limit(9)}))
    world.deliver(jobs, add=["k1", "k2", "k3", "k4"])
    world.restart()
    world.clock.now += HOUR

    tally = world.settle(jobs)

    assert (tally.delivered, tally.rejected, tally.unknown, tally.failed, tally.reads) == (1, 1, 1, 1, 1)
    assert world.states(jobs) == {"k1": HELD, "k2": REFUSED, "k3": UNKNOWN, "k4": ABSENT}
    assert open_receipts(world, jobs) == 0
    polled = jobs.polled[0]
    assert (polled.receipt, polled.key, polled.members[0].email) == ("job-1", jobs.batches[0].key, "k1@example.com")


def test_pending_receipt_is_looked_at_when_the_vendor_says(world: World) -> None:
    jobs = Jobs(looks=1, again_in=600)
    world.deliver(jobs, add=["k1"])
    world.clock.now += timedelta(seconds=10)
    world.settle(jobs)
    assert len(jobs.polled) == 1

    world.clock.now += timedelta(seconds=599)
    world.settle(jobs)
    assert len(jobs.polled) == 1

    world.clock.now += timedelta(seconds=1)
    assert world.settle(jobs).delivered == 1


def test_pending_receipt_without_advice_is_looked_at_ever_more_rarely(world: World) -> None:
    jobs = Jobs(looks=3)
    world.deliver(jobs, add=["k1"])

    tally = world.settle(jobs, wait=True)

    assert tally.delivered == 1
    assert world.clock.slept == [5.0, 10.0, 20.0]


def test_waiting_for_a_receipt_ends_with_patience(world: World) -> None:
    jobs = Jobs(looks=99, again_in=50)
    world.deliver(jobs, add=["k1"])

    tally = world.settle(jobs, wait=True)

    assert tally.settled == 0
    assert world.clock.slept == [50, 50]


def test_receipt_past_its_deadline_makes_its_members_unknown(world: World) -> None:
    jobs = Jobs(looks=99)
    world.deliver(jobs, add=["k1"])
    world.clock.now += timedelta(hours=24)

    tally = world.settle(jobs)

    assert (tally.unknown, world.states(jobs), open_receipts(world, jobs)) == (1, {"k1": UNKNOWN}, 0)


def test_removal_of_accepted_is_sent_now_and_again_when_the_receipt_settles(world: World) -> None:
    jobs = Jobs(looks=0)
    world.deliver(jobs, add=["k1"])
    keeper_push = Keeper.push.__get__(jobs)
    jobs.push = keeper_push  # type: ignore[method-assign]  # removals of this vendor are answered at once

    assert world.deliver(jobs, remove=["k1"]).delivered == 1
    assert world.states(jobs) == {"k1": REMOVING}
    row = world.ledger.membership(world.audience(jobs).audience_id).to_pylist()[0]
    assert row["due_at"] == (START + timedelta(hours=24)).replace(tzinfo=None)

    world.clock.now += HOUR
    world.settle(jobs)
    row = world.ledger.membership(world.audience(jobs).audience_id).to_pylist()[0]
    assert (row["state"], row["due_at"]) == ("removing", None)

    world.deliver(jobs, remove=["k1"])
    assert [batch.op for batch in jobs.batches] == [ADD, REMOVE, REMOVE]
    assert world.states(jobs) == {}


def test_accepted_removal_ends_with_its_receipt(world: World) -> None:
    jobs = Jobs(looks=0)
    world.deliver(jobs, add=["k1", "k2"])
    world.clock.now += HOUR
    world.settle(jobs)
    jobs.ends = {"k2": "failed"}

    tally = world.deliver(jobs, remove=["k1", "k2"])
    assert (tally.accepted, set(world.states(jobs).values())) == (2, {REMOVING})
    world.clock.now += HOUR
    world.settle(jobs)

    assert world.states(jobs) == {"k2": REMOVING}


def test_member_that_entered_again_is_left_alone_by_an_old_removal(world: World) -> None:
    jobs = Jobs(looks=0)
    world.deliver(jobs, add=["k1"])
    world.clock.now += HOUR
    world.settle(jobs)
    world.deliver(jobs, remove=["k1"])
    jobs.push = Keeper.push.__get__(jobs)  # type: ignore[method-assign]
    world.deliver(jobs, add=["k1"])
    world.clock.now += HOUR

    world.settle(jobs)

    assert world.states(jobs) == {"k1": HELD}


@pytest.mark.parametrize(("end", "digest"), [("delivered", "new"), ("rejected", "new"), ("failed", None)])
def test_accepted_update_settles_and_stays_held(world: World, end: str, digest: str | None) -> None:
    jobs = Jobs(looks=0)
    world.deliver(jobs, add=["k1"])
    world.clock.now += HOUR
    world.settle(jobs)
    jobs.ends = {"k1": end}

    world.deliver(jobs, update=[{"member_key": "k1", "email": "k1@example.com", "attributes_hash": "new"}])
    assert jobs.batches[-1].op is UPDATE
    assert world.states(jobs) == {"k1": ACCEPTED}
    world.clock.now += HOUR
    world.settle(jobs)

    row = world.ledger.membership(world.audience(jobs).audience_id).to_pylist()[0]
    assert (row["state"], row["attributes_hash"]) == ("held", digest)


def test_exclusive_audience_gets_the_next_batch_when_the_job_has_ended(world: World) -> None:
    jobs = Jobs(looks=2, again_in=10, can=can(exclusive=True))

    tally = world.deliver(jobs, add=["k1", "k2", "k3", "k4"])

    assert (jobs.sizes, tally.accepted) == ([3, 1], 4)
    assert world.clock.slept == [10, 10]
    assert open_receipts(world, jobs) == 1


def test_exclusive_audience_with_a_slow_job_keeps_the_rest_waiting(world: World) -> None:
    jobs = Jobs(looks=999, again_in=60, can=can(exclusive=True))

    tally = world.deliver(jobs, add=["k1", "k2", "k3", "k4"], remove=["k9"])

    assert (tally.accepted, tally.held_back, tally.delivered, tally.error) == (3, 1, 1, None)
    assert tally.stopped == "the vendor is still working on an earlier batch"
    assert world.states(jobs) == {"k1": ACCEPTED, "k2": ACCEPTED, "k3": ACCEPTED}


def test_poll_that_raises_is_named_and_the_receipt_stays_open(world: World) -> None:
    jobs = Jobs(connection="newsletter")
    world.deliver(jobs, add=["k1"])
    jobs.fault = ValueError("odd answer for k1@example.com")
    world.clock.now += HOUR

    tally = world.settle(jobs, plugin="newsletter (plugin jobs)")

    assert isinstance(tally.error, api.PluginError)
    assert "newsletter (plugin jobs) raised ValueError in poll: odd answer for <email>" in str(tally.error)
    assert open_receipts(world, jobs) == 1

    jobs.fault, jobs.looks = None, 0
    world.clock.now += HOUR
    assert world.settle(jobs).delivered == 1


def test_poll_that_finds_no_vendor_is_tried_again_later(world: World) -> None:
    jobs = Jobs(looks=0)
    world.deliver(jobs, add=["k1"])
    jobs.fault = api.TransientError("503", retry_after=1800)
    world.clock.now += HOUR

    assert world.settle(jobs).error is None
    assert world.ledger.open_receipts(world.audience(jobs).audience_id)[0].look_at == world.clock.now + HOUR / 2


def test_job_that_the_vendor_does_not_know_leaves_its_members_unknown(world: World) -> None:
    jobs = Jobs()
    world.deliver(jobs, add=["k1"])
    jobs.fault = api.RejectedError("no such job")
    world.clock.now += HOUR

    assert world.settle(jobs).unknown == 1
    assert world.states(jobs) == {"k1": UNKNOWN}


def test_refused_credentials_while_polling_stop_the_connection(world: World) -> None:
    jobs = Jobs()
    world.deliver(jobs, add=["k1"])
    jobs.fault = api.AuthError("401")
    world.clock.now += HOUR

    tally = world.settle(jobs)

    assert (tally.connection_stopped, open_receipts(world, jobs)) == (True, 1)


def test_poll_that_forgets_members_breaks_the_contract(world: World) -> None:
    class Forgetful(Jobs):
        def poll(self, batch: api.Batch) -> Iterator[api.Outcome | api.Pending]:
            yield batch.members[0].delivered()

    jobs = Forgetful()
    world.deliver(jobs, add=["k1", "k2"])
    world.clock.now += HOUR

    tally = world.settle(jobs)

    assert "poll gave no outcome for 1 of 2 members" in str(tally.error)
    assert world.states(jobs) == {"k1": ACCEPTED, "k2": ACCEPTED}


DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("told", "pause"),
    [("60", timedelta(minutes=1)), (1e18, DAY), (float("inf"), DAY), (-5, None), (float("nan"), None), ("soon", None)],
)
@pytest.mark.parametrize("raised", [False, True])
def test_a_pause_before_the_next_look_is_one_that_hub_can_keep(
    world: World, told: Any, pause: timedelta | None, raised: bool
) -> None:
    jobs = Jobs(again_in=told)
    if raised:
        jobs.fault = api.TransientError("503", retry_after=told)
    world.deliver(jobs, add=["k1"])
    world.clock.now += timedelta(seconds=5)

    tally = world.settle(jobs)

    assert tally.error is None
    (receipt,) = world.ledger.open_receipts(world.audience(jobs).audience_id)
    assert receipt.look_at - world.clock.now == (timedelta(seconds=5) if pause is None else pause)


@pytest.mark.parametrize("what", [api.Outcome(None, api.State.DELIVERED), "delivered", None])  # type: ignore[arg-type]
def test_a_job_that_ends_in_rubbish_breaks_the_contract(world: World, what: Any) -> None:
    class Rubbish(Jobs):
        def poll(self, batch: api.Batch) -> Any:
            return [what]

    jobs = Rubbish()
    world.deliver(jobs, add=["k1"])
    world.clock.now += HOUR

    tally = world.settle(jobs)

    assert isinstance(tally.error, api.PluginError)
    assert world.states(jobs) == {"k1": ACCEPTED}


def test_what_a_job_says_is_kept_as_text_and_without_addresses(world: World) -> None:
    class Numbering(Jobs):
        def poll(self, batch: api.Batch) -> Any:
            first, second = batch.members
            yield api.Outcome(first, "delivered", remote_id=17)  # type: ignore[arg-type]
            yield api.Outcome(second, "rejected", reason="like k9@example.com")  # type: ignore[arg-type]

    jobs = Numbering()
    world.deliver(jobs, add=["k1", "k2"])
    world.clock.now += HOUR
    tally = world.settle(jobs)
    world.deliver(jobs, remove=["k1"])

    assert (tally.delivered, tally.rejects[0][1]) == (1, "like <email>")
    assert jobs.batches[-1].members[0].remote_id == "17"
