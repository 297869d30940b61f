from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.ledger import MemberState, NewBlock
from tests.deliver_kit import ADD, START, Keeper, World, can, member_row

HELD, UNKNOWN = MemberState.HELD, MemberState.UNKNOWN


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Whole(Keeper):
    """Hold what the last complete replacement said, as a file does."""

    def __init__(self, **more: Any) -> None:
        super().__init__(can=can(ops={ADD: api.Limit(2)}, replaces=True), **more)
        self.part: list[str] = []
        self.file: list[str] | None = None
        self.fault_at: dict[int, BaseException] = {}
        self.refuse: set[str] = set()

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        self.batches.append(batch)
        if batch.number == 1:
            self.part = []
        fault = self.fault_at.pop(batch.number, None)
        if fault is not None:
            raise fault
        for member in batch:
            if member.key in self.refuse:
                yield member.rejected("no usable identifier")
                continue
            self.part.append(member.key)
            yield member.delivered()
        if batch.last:
            self.file = self.part


def test_whole_audience_is_pushed_and_only_the_changed_are_counted(world: World) -> None:
    whole = Whole()
    world.deliver(whole, add=["k1", "k2", "k3"], everyone=["k1", "k2", "k3"])
    changed = member_row("k2", attributes_hash="new")

    tally = world.deliver(whole, add=["k4"], update=[changed], remove=["k1"], everyone=[changed, "k3", "k4"])

    assert whole.file == ["k2", "k3", "k4"]
    assert (tally.delivered, tally.calls) == (3, 1)
    assert world.states(whole) == {"k2": HELD, "k3": HELD, "k4": HELD}
    assert [(batch.number, batch.last) for batch in whole.batches[-2:]] == [(1, False), (2, True)]


def test_nothing_changed_means_no_call(world: World) -> None:
    whole = Whole()
    world.deliver(whole, add=["k1"], everyone=["k1"])
    whole.batches.clear()

    tally = world.deliver(whole, everyone=["k1"])

    assert (tally.calls, tally.settled, whole.batches) == (0, 0, [])


def test_who_must_leave_stays_in_the_ledger_while_a_destination_without_remove_may_not_be_replaced(
    world: World,
) -> None:
    whole = Whole()
    world.deliver(whole, add=["k1", "k2"], everyone=["k1", "k2"])

    tally = world.deliver(whole, remove=["k1"])

    assert whole.file == ["k1", "k2"]
    assert world.states(whole) == {"k1": HELD, "k2": HELD}
    assert (tally.failed, tally.delivered) == (1, 0)
    assert isinstance(tally.error, api.PluginError)
    assert "Op.REMOVE" in str(tally.error)


def test_emptied_audience_is_one_batch_without_members(world: World) -> None:
    whole = Whole()
    world.deliver(whole, add=["k1"], everyone=["k1"])

    tally = world.deliver(whole, remove=["k1"], everyone=[])

    assert whole.file == []
    assert (whole.batches[-1].number, whole.batches[-1].last) == (1, True)
    assert (tally.delivered, world.states(whole)) == (1, {})


def test_who_withdrew_is_left_out_and_no_longer_held(world: World) -> None:
    whole = Whole()
    world.deliver(whole, add=["k1", "k2"], everyone=["k1", "k2"])
    seen = world.ledger.highest_block()
    world.ledger.add_blocks([NewBlock(key, "email", "unsubscribed", START, "link") for key in ("k2", "k4")])

    tally = world.deliver(whole, add=["k3", "k4"], everyone=["k1", "k2", "k3", "k4"], seen_block=seen)

    assert whole.file == ["k1", "k3"]
    assert (tally.delivered, tally.held_back) == (1, 1)
    assert world.states(whole) == {"k1": HELD, "k3": HELD}


def test_member_the_file_cannot_hold_is_rejected(world: World) -> None:
    whole = Whole()
    whole.refuse = {"k2"}

    tally = world.deliver(whole, add=["k1", "k2", "k3"], everyone=["k1", "k2", "k3"])

    assert (tally.delivered, tally.rejected, tally.rejects) == (2, 1, [("k2", "no usable identifier")])
    assert world.states(whole) == {"k1": HELD, "k2": MemberState.REFUSED, "k3": HELD}


@pytest.mark.parametrize("at", [1, 2])
def test_failure_before_the_last_was_taken_delivers_nobody(world: World, at: int) -> None:
    whole = Whole()
    world.deliver(whole, add=["k1"], everyone=["k1"])
    whole.fault_at = {at: api.RejectedError("disk full")}

    tally = world.deliver(whole, add=["k2", "k3"], remove=["k1"], everyone=["k2", "k3", "k4"])

    assert whole.file == ["k1"]
    assert tally.delivered == 0
    assert tally.failed == 3 if at == 1 else 4
    assert world.states(whole)["k1"] is MemberState.REMOVING
    assert HELD not in world.states(whole).values()


def test_next_run_puts_right_what_failed(world: World) -> None:
    whole = Whole()
    whole.fault_at = {2: RuntimeError("halt")}
    first = world.deliver(whole, add=["k1", "k2", "k3"], everyone=["k1", "k2", "k3"])
    assert isinstance(first.error, api.PluginError)
    assert (first.unknown, world.states(whole)) == (3, dict.fromkeys(("k1", "k2", "k3"), UNKNOWN))

    second = world.deliver(whole, add=["k1", "k2", "k3"], everyone=["k1", "k2", "k3"])

    assert (second.delivered, whole.file) == (3, ["k1", "k2", "k3"])
    assert set(world.states(whole).values()) == {HELD}


def test_process_that_dies_before_the_last_leaves_changes_unknown(world: World) -> None:
    class PowerCut(BaseException):
        """What no handler catches."""

    whole = Whole()
    world.deliver(whole, add=["k1"], everyone=["k1"])
    whole.fault_at = {2: PowerCut()}
    with pytest.raises(PowerCut):
        world.deliver(whole, add=["k2", "k3"], remove=["k1"], everyone=["k2", "k3", "k4"])

    world.restart()

    states = world.states(whole)
    assert states["k1"] is MemberState.REMOVING
    assert states["k2"] is states["k3"] is UNKNOWN


def test_stop_before_the_last_changes_nothing(world: World) -> None:
    whole = Whole()
    world.stop.set()

    tally = world.deliver(whole, add=["k1"], everyone=["k1"])

    assert (whole.file, tally.failed, tally.stopped) == (None, 1, "interrupted")
