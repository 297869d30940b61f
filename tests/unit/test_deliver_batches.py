from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from hub.api.forecasts import json_size
from hub.deliver import Work
from hub.deliver.batches import parts_of
from hub.ledger import MemberState
from tests.deliver_kit import ADD, HOUR, REMOVE, START, UPDATE, Keeper, World, can, member_row


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Measured(Keeper):
    """A destination whose vendor limits bytes."""

    def row(self, member: api.Member) -> Mapping[str, Any] | None:
        return {"email": member.email}


def test_members_arrive_with_typed_attributes(world: World) -> None:
    keeper = Keeper()
    moment = datetime(2026, 11, 20, 9)
    row = member_row("k1", a_name="Åse", a_value=Decimal("12.50"), a_seen=moment, a_missing=None)

    world.deliver(keeper, add=[row], attributes=["a_name", "a_value", "a_seen", "a_missing"])

    assert keeper.held["k1"] == {
        "name": "Åse",
        "value": Decimal("12.50"),
        "seen": moment.replace(tzinfo=UTC),
        "missing": None,
    }


@pytest.mark.parametrize("limit", [api.Limit(5), api.Limit(5, bytes=10_000)], ids=["by count", "by bytes"])
def test_members_carry_what_cleared_them_where_the_destination_asks(world: World, limit: api.Limit) -> None:
    got: list[api.Permission | None] = []

    class Asking(Measured):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            got.append(member.permission)
            return super().take(op, member)

    moment = datetime(2026, 5, 1, 9, 30)
    rows = [
        member_row("k1", cleared_by="OPT_IN", record_basis="opt_in_double", recorded_at=moment),
        member_row("k2", cleared_by="OPT_OUT_REGIME", record_basis=None, recorded_at=None),
    ]
    grounds = ["cleared_by", "record_basis", "recorded_at"]

    world.deliver(Asking(can=can(ops={ADD: limit}, permissions=True)), add=rows, attributes=grounds)
    world.deliver(Asking("another", can=can(ops={ADD: limit})), add=rows[:1], attributes=grounds)

    told = api.Permission("OPT_IN", "opt_in_double", moment.replace(tzinfo=UTC))
    assert got == [told, api.Permission("OPT_OUT_REGIME"), None]


def test_an_update_carries_permission_and_remote_id(world: World) -> None:
    got: list[tuple[str | None, api.Permission | None]] = []

    class Asking(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            got.append((member.remote_id, member.permission))
            return member.delivered(remote_id=f"r-{member.key}")

    asking = Asking(can=can(permissions=True))
    row = member_row("k1", cleared_by="IMPLIED", record_basis="implied_purchase", recorded_at=None)
    grounds = ["cleared_by", "record_basis", "recorded_at"]
    world.deliver(asking, add=[row], attributes=grounds)

    world.deliver(asking, update=[row], attributes=grounds)

    told = api.Permission("IMPLIED", "implied_purchase")
    assert got == [(None, told), ("r-k1", told)]


def test_only_the_gate_makes_members(world: World) -> None:
    keeper = Keeper()

    with pytest.raises(TypeError, match="cleared members only"):
        Work(world.audience(keeper), keeper, START, "run", additions=[member_row("k1")])  # type: ignore[arg-type]


def test_calls_are_as_few_as_the_count_allows(world: World) -> None:
    keeper = Keeper()

    tally = world.deliver(keeper, add=[f"k{number:02}" for number in range(10)])

    assert keeper.sizes == [3, 3, 3, 1]
    assert (tally.delivered, tally.calls) == (10, 4)
    assert [(batch.number, batch.last, batch.total) for batch in keeper.batches] == [
        (1, False, 4),
        (2, False, 4),
        (3, False, 4),
        (4, True, 4),
    ]


def test_batches_stay_below_the_limit_of_bytes(world: World) -> None:
    one = len(json.dumps({"email": "k00@example.com"}, separators=(",", ":"))) + 1
    limits = {ADD: api.Limit(5, bytes=2 * one)}
    keeper = Measured(can=can(ops=limits))

    world.deliver(keeper, add=[f"k{number:02}" for number in range(5)])

    assert keeper.sizes == [2, 2, 1]


def test_member_larger_than_the_limit_stands_alone(world: World) -> None:
    keeper = Measured(can=can(ops={ADD: api.Limit(5, bytes=60)}))
    long = member_row("k1", email="x" * 100 + "@example.com")

    tally = world.deliver(keeper, add=["k0", long, "k2"])

    assert keeper.sizes == [1, 1, 1]
    assert tally.delivered == 3


@settings(max_examples=60, deadline=None)
@given(
    chunks=st.lists(st.lists(st.integers(0, 40), max_size=12), max_size=5),
    count=st.integers(1, 7),
    limit=st.none() | st.integers(20, 200),
)
def test_parts_hold_everyone_once_in_order_and_are_never_fewer_than_needed(
    chunks: list[list[int]], count: int, limit: int | None
) -> None:
    rows = [
        [member_row(f"k{chunk:02}{number:02}", email="x" * size) for number, size in enumerate(sizes)]
        for chunk, sizes in enumerate(chunks)
    ]
    names = list(member_row("k"))
    tables = [pa.table({name: pa.array([r[name] for r in part], pa.string()) for name in names}) for part in rows]

    parts = list(parts_of(tables, api.Limit(count, limit), lambda member: json_size({"e": member.email})))

    keys = [row["member_key"] for part in rows for row in part]
    assert [member.key for part in parts for member in part.members] == keys
    sizes = [[len(json.dumps({"e": m.email}, separators=(",", ":"))) + 1 for m in part.members] for part in parts]
    for here, after in zip(sizes, [*sizes[1:], None], strict=False):
        assert 0 < len(here) <= count
        assert limit is None or sum(here) <= limit or len(here) == 1
        # It could not have taken the next one too.
        assert after is None or len(here) == count or (limit is not None and sum(here) + after[0] > limit)


def test_removal_goes_first_and_finds_the_member_by_what_was_sent(world: World) -> None:
    keeper = Keeper()
    world.deliver(keeper, add=[member_row("k1", email="old@example.com", phone="+4512345678"), "k2"])
    keeper.batches.clear()

    tally = world.deliver(keeper, add=["k3"], remove=["k1"])

    assert [batch.op for batch in keeper.batches] == [REMOVE, ADD]
    gone = keeper.batches[0].members[0]
    assert (gone.key, gone.email, gone.phone) == ("k1", "old@example.com", "+4512345678")
    assert set(keeper.held) == {"k2", "k3"}
    assert (tally.delivered, world.states(keeper)) == (2, {"k2": MemberState.HELD, "k3": MemberState.HELD})


def test_remote_id_of_the_vendor_comes_back_with_updates_and_removals(world: World) -> None:
    class Numbering(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            return member.delivered(remote_id=f"r-{member.key}") if op is ADD else member.delivered()

    keeper = Numbering()
    world.deliver(keeper, add=["k1", "k2"])
    keeper.batches.clear()

    world.deliver(keeper, update=["k1"])
    world.deliver(keeper, remove=["k1"])

    assert [(batch.op, batch.members[0].remote_id) for batch in keeper.batches] == [(UPDATE, "r-k1"), (REMOVE, "r-k1")]


def test_batch_key_is_the_same_for_the_same_members(world: World) -> None:
    class Flaky(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            self.batches.append(batch)
            if len(self.batches) == 1:
                raise api.TransientError("busy")
            yield from (member.delivered() for member in batch)

    keeper = Flaky()

    world.deliver(keeper, add=["k1", "k2"])

    first, second = keeper.batches
    assert first.key == second.key
    assert first.as_of == START


def test_leaving_a_destination_that_cannot_remove_is_an_entry_and_no_call(world: World) -> None:
    keeper = Keeper(can=can(ops={ADD: api.Limit(3)}))
    world.deliver(keeper, add=["k1"])
    keeper.batches.clear()
    world.clock.now += HOUR

    tally = world.deliver(keeper, remove=["k1"])

    assert (tally.delivered, tally.calls, keeper.batches) == (1, 0, [])
    audience = world.audience(keeper).audience_id
    assert world.ledger.membership(audience).num_rows == 0
    spells = world.ledger.spells(audience).to_pylist()
    assert [(row["member_key"], row["left_at"]) for row in spells] == [("k1", (START + HOUR).replace(tzinfo=None))]


def test_destination_without_updates_gets_none(world: World) -> None:
    keeper = Keeper(can=can(ops={ADD: api.Limit(3)}))

    tally = world.deliver(keeper, update=["k1"])

    assert (keeper.batches, tally.settled) == ([], 0)


def test_removing_someone_the_ledger_does_not_know_takes_no_call(world: World) -> None:
    keeper = Keeper()

    tally = world.deliver(keeper, remove=["stranger"])

    assert (tally.delivered, tally.calls) == (1, 0)


def test_ten_thousand_members_reach_a_destination_with_several_at_once(world: World) -> None:
    keeper = Keeper(can=can(ops={ADD: api.Limit(100)}, rate=api.Rate(concurrent=4)))
    keys = [f"k{number:05}" for number in range(10_000)]

    tally = world.deliver(keeper, add=keys)

    assert (tally.delivered, tally.calls) == (10_000, 100)
    assert set(keeper.held) == set(keys)
    assert set(world.states(keeper).values()) == {MemberState.HELD}
