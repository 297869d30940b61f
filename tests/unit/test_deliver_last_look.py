from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.ledger import MemberState, NewBlock
from tests.deliver_kit import ADD, HOUR, REMOVE, START, Keeper, World, can


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def block(key: str, channel: str = "email", reason: str = "unsubscribed") -> NewBlock:
    return NewBlock(key, channel, reason, START, "unsubscribe link")


class During(Keeper):
    """Let something happen while the first batch is pushed."""

    def __init__(self, happens: Callable[[], object], **more: Any) -> None:
        super().__init__(**more)
        self.happens = happens

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        if not self.batches:
            self.happens()
        yield from super().push(batch)


def test_who_withdrew_since_the_gate_looked_is_held_back(world: World) -> None:
    seen = world.ledger.highest_block()
    world.ledger.add_blocks([block("k2")])
    keeper = Keeper()

    tally = world.deliver(keeper, add=["k1", "k2"], seen_block=seen)

    assert keeper.pushed == ["k1"]
    assert (tally.delivered, tally.held_back) == (1, 1)
    assert tally.held == [("k2", "a block was recorded while the run went on")]
    assert world.states(keeper) == {"k1": MemberState.HELD}


def test_who_withdraws_while_the_run_delivers_is_held_back(world: World) -> None:
    keeper = During(lambda: world.ledger.add_blocks([block("k5")]))

    tally = world.deliver(keeper, add=[f"k{number}" for number in range(7)])

    assert "k5" not in keeper.held
    assert (tally.delivered, tally.held_back) == (6, 1)


def test_withdrawal_of_one_address_holds_back_the_person_on_all(world: World) -> None:
    persons = {"other-address": {"other-address", "k50000"}}

    def related(keys: Collection[str]) -> set[str]:
        # The real callback asks the session that the members are being read from.
        assert world.con.execute("select 1").fetchone() == (1,)
        return {key for asked in keys for key in persons.get(asked, {asked})}

    keeper = During(lambda: world.ledger.add_blocks([block("other-address")]), can=can(ops={ADD: api.Limit(1_000)}))
    keys = [f"k{number:05}" for number in range(60_000)]
    tally = world.deliver(keeper, add=keys, related=related)

    assert sorted(keeper.held) == [key for key in keys if key != "k50000"]
    assert (tally.delivered, tally.held_back) == (59_999, 1)


@pytest.mark.parametrize(
    ("channel", "written", "held_back"),
    [
        ("email", block("k1"), 1),
        ("email", block("k1", "*"), 1),
        ("email", block("k1", "sms"), 0),
        ("email", block("k1", "sms", "erasure"), 1),
        ("ads", block("k1"), 0),
        (None, block("k1", "*"), 0),
        (None, block("k1", "*", "erasure"), 1),
    ],
)
def test_block_counts_for_its_channel(world: World, channel: str | None, written: NewBlock, held_back: int) -> None:
    seen = world.ledger.highest_block()
    world.ledger.add_blocks([written])

    tally = world.deliver(Keeper(), add=["k1"], seen_block=seen, channel=channel)

    assert tally.held_back == held_back


def test_removal_of_who_withdrew_is_sent(world: World) -> None:
    keeper = Keeper()
    world.deliver(keeper, add=["k1"])
    seen = world.ledger.highest_block()
    world.ledger.add_blocks([block("k1")])

    tally = world.deliver(keeper, remove=["k1"], seen_block=seen)

    assert (tally.delivered, keeper.held) == (1, {})


def test_nobody_gets_two_mails_in_the_time_of_the_cap(world: World) -> None:
    cap = can(ops={ADD: api.Limit(3)}, repeatable=False, cap=timedelta(hours=16))
    first, second = Keeper(connection="one", can=cap), Keeper(connection="two", can=cap)
    world.deliver(first, add=["k1", "k2"])
    world.clock.now += 15 * HOUR

    tally = world.deliver(second, add=["k2", "k3"])

    assert (second.pushed, tally.held_back) == (["k3"], 1)
    assert world.ledger.recent_deliveries(START).num_rows == 3

    world.clock.now += 2 * HOUR
    assert world.deliver(second, add=["k2"]).delivered == 1


def test_mail_that_may_have_been_sent_counts_for_the_cap(world: World) -> None:
    cap = can(ops={ADD: api.Limit(3)}, repeatable=False, cap=timedelta(hours=16))

    class Losing(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            return {"k1": member.unknown("lost"), "k2": member.rejected("no")}.get(member.key) or member.failed("later")

    world.deliver(Losing(can=cap), add=["k1", "k2", "k3"])

    assert world.ledger.recent_deliveries(START).column("member_key").to_pylist() == ["k1"]


def test_last_delivery_is_remembered_after_the_person_left(world: World) -> None:
    keeper = Keeper()
    world.deliver(keeper, add=["k1", "k2"])
    world.deliver(keeper, remove=["k1"])
    world.clock.now += HOUR
    world.deliver(keeper, add=["k3"])

    rows = world.ledger.last_deliveries(world.audience(keeper).audience_id).to_pylist()

    naive = START.replace(tzinfo=None)
    assert [(row["member_key"], row["delivered_at"]) for row in rows] == [
        ("k1", naive),
        ("k2", naive),
        ("k3", naive + HOUR),
    ]


def test_erasure_leaves_no_address_in_any_file_and_names_what_is_open(world: World) -> None:
    class Slow(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            return batch.accepted("job-1")

    keeper, slow, file = Keeper(), Slow("slow"), Keeper("file", can=can(ops={ADD: api.Limit(2)}))
    for destination in (keeper, slow, file):
        world.deliver(destination, add=["secret-person", "other-person"])
    world.deliver(file, remove=["secret-person"])
    world.ledger.add_blocks([block("secret-person", "*", "erasure")])

    still_open = world.ledger.erase(["secret-person", "another-key-of-theirs"])

    assert [(spell.destination, spell.state) for spell in still_open] == [
        ("keeper", MemberState.HELD),
        ("slow", MemberState.ACCEPTED),
    ]
    for path in world.folder.iterdir():
        content = path.read_bytes()
        assert b"secret-person@" not in content
    assert b"other-person@" in world.ledger.path.read_bytes()
    state = world.ledger.person_state(["secret-person"])
    assert (state.spells, state.withheld, state.holdouts) == ((), (), ())
    assert [found.reason for found, _ in state.blocks] == ["erasure"]
    assert world.ledger.erase(["secret-person"]) == []
    receipt = world.ledger.open_receipts(world.audience(slow).audience_id)[0]
    assert receipt.rows.column("member_key").to_pylist() == ["other-person"]


def test_person_state_says_what_was_delivered_when(world: World) -> None:
    keeper = Keeper()
    world.deliver(keeper, add=["k1"])
    world.clock.now += HOUR
    world.deliver(keeper, remove=["k1"])
    world.clock.now += HOUR
    world.deliver(keeper, add=["k1"])

    now, before = world.ledger.person_state({"k1"}).spells

    assert (now.state, now.delivered_at, now.left_at) == (MemberState.HELD, START + 2 * HOUR, None)
    assert (before.state, before.delivered_at, before.left_at) == (MemberState.ABSENT, START, START + HOUR)
    assert now.audience == "Everyone"


def test_audience_that_is_left_keeps_its_history_and_sends_nothing(world: World) -> None:
    keeper = Keeper()
    world.deliver(keeper, add=["k1"])
    audience = world.audience(keeper).audience_id
    keeper.batches.clear()

    world.ledger.leave(audience)

    assert (keeper.batches, world.ledger.count_members(audience)) == ([], {})
    assert world.ledger.spells(audience).num_rows == 1
    assert world.ledger.audience_by_id(audience).retired_at is not None


def test_counts_by_state_need_no_reading(world: World) -> None:
    class Choosy(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            return member.rejected("no") if member.key == "k1" else member.delivered()

    keeper = Choosy()
    world.deliver(keeper, add=["k1", "k2", "k3"])

    assert world.ledger.count_members(world.audience(keeper).audience_id) == {
        MemberState.HELD: 2,
        MemberState.REFUSED: 1,
    }


def test_membership_tells_times_when_asked(world: World) -> None:
    keeper = Keeper()
    world.deliver(keeper, add=["k1"])
    world.clock.now += HOUR
    world.deliver(keeper, add=["k1"])

    row = world.ledger.membership(world.audience(keeper).audience_id, times=True).to_pylist()[0]

    naive = START.replace(tzinfo=None)
    assert (row["entered_at"], row["delivered_at"], row["sent_at"]) == (naive, naive, naive + HOUR)


def test_removal_keys_may_come_in_any_chunks(world: World) -> None:
    keeper = Keeper()
    world.deliver(keeper, add=[f"k{number}" for number in range(6)])
    keeper.batches.clear()

    tally = world.deliver(keeper, remove=[f"k{number}" for number in range(6)])

    assert [(batch.op, len(batch)) for batch in keeper.batches] == [(REMOVE, 3), (REMOVE, 3)]
    assert tally.delivered == 6
