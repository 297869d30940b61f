from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.deliver import Policy, Tally
from hub.ledger import MemberState
from tests.deliver_kit import ADD, HOUR, START, Keeper, World, can, member_row

HELD, UNKNOWN, REFUSED, ABSENT = MemberState.HELD, MemberState.UNKNOWN, MemberState.REFUSED, MemberState.ABSENT


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Scripted(Keeper):
    """Raise what a script says, push by push; behave when the script is over."""

    def __init__(self, *script: BaseException | None, **more: Any) -> None:
        super().__init__(**more)
        self.script = list(script)

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        self.batches.append(batch)
        fault = self.script.pop(0) if self.script else None
        if fault is not None:
            raise fault
        for member in batch:
            yield self.take(batch.op, member)


class Poisoned(Keeper):
    """Refuse any batch with one of some members in it."""

    def __init__(self, *poison: str, **more: Any) -> None:
        super().__init__(**more)
        self.poison = set(poison)

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        self.batches.append(batch)
        if any(member.key in self.poison for member in batch):
            raise api.RejectedError("invalid email format")
        for member in batch:
            yield self.take(batch.op, member)


def due(world: World, keeper: Keeper) -> dict[str, Any]:
    table = world.ledger.membership(world.audience(keeper).audience_id)
    return {row["member_key"]: row["due_at"] for row in table.to_pylist()}


def test_too_few_outcomes_break_the_contract(world: World) -> None:
    class Forgetful(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            yield batch.members[0].delivered()

    keeper = Forgetful(connection="newsletter")
    tally = world.deliver(keeper, add=["k1", "k2", "k3", "k4"])

    assert isinstance(tally.error, api.PluginError)
    assert "destination newsletter" in str(tally.error)
    assert "no outcome for 2 of 3 members" in str(tally.error)
    assert (tally.delivered, tally.unknown, tally.failed) == (1, 2, 1)
    assert world.states(keeper) == {"k1": HELD, "k2": UNKNOWN, "k3": UNKNOWN}
    assert not tally.connection_stopped


@pytest.mark.parametrize("kind", ["stranger", "twice", "not an outcome", "none"])
def test_outcomes_that_fit_nobody_break_the_contract(world: World, kind: str) -> None:
    class Confused(Keeper):
        def push(self, batch: api.Batch) -> Any:
            first = batch.members[0]
            return {
                "stranger": [first.delivered(), api.Member("stranger").delivered()],
                "twice": [first.delivered(), first.rejected("no")],
                "not an outcome": ["delivered", "delivered"],
                "none": None,
            }[kind]

    keeper = Confused()
    tally = world.deliver(keeper, add=["k1", "k2"])

    assert isinstance(tally.error, api.PluginError)
    assert tally.settled == 2
    assert world.states(keeper)["k2"] is UNKNOWN
    assert world.states(keeper)["k1"] is (HELD if kind == "stranger" else UNKNOWN)


def test_exception_of_a_plugin_leaves_its_members_unknown_and_names_it(world: World) -> None:
    keeper = Scripted(KeyError("k1@example.com, +45 32 12 34 56"), connection="newsletter")

    tally = world.deliver(keeper, add=["k1", "k2", "k3", "k4"], plugin="brevo from hub-brevo 1.2")

    assert isinstance(tally.error, api.PluginError)
    assert "newsletter (plugin brevo from hub-brevo 1.2) raised KeyError" in str(tally.error)
    assert "'<email>, <phone>'" in str(tally.error)
    assert isinstance(tally.error.__cause__, KeyError)
    assert (tally.unknown, tally.failed) == (3, 1)
    assert set(world.states(keeper)) == {"k1", "k2", "k3"}


@pytest.mark.parametrize("say", ["rejected", "unknown", "failed"])
def test_a_reason_that_quotes_the_address_is_told_and_kept_without_it(world: World, say: str) -> None:
    class Quoting(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            for member in batch:
                yield getattr(member, say)(f"550 5.1.1 <{(member.email or '').upper()}>, {member.phone}: no such user")

    keeper = Quoting()
    tally = world.deliver(keeper, add=[member_row("k1", phone="+4532123456"), "k2"])

    reasons = dict(tally.rejects)
    assert reasons["k1"] == "550 5.1.1 <<address>>, <address>: no such user"
    assert reasons["k2"] == "550 5.1.1 <<address>>, None: no such user"
    assert not any(b"EXAMPLE.COM" in file.read_bytes() for file in world.folder.glob("ledger.sqlite*"))


def test_outcomes_before_an_exception_stand(world: World) -> None:
    class Halting(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            yield batch.members[0].delivered()
            yield batch.members[1].rejected("mailbox does not exist", blocks="hard_bounce")
            raise RuntimeError("halt")

    keeper = Halting()
    tally = world.deliver(keeper, add=["k1", "k2", "k3"])

    assert (tally.delivered, tally.rejected, tally.unknown) == (1, 1, 1)
    assert world.states(keeper) == {"k1": HELD, "k2": REFUSED, "k3": UNKNOWN}


def test_passing_failure_is_tried_again_with_growing_pauses(world: World) -> None:
    keeper = Scripted(*[api.TransientError("503")] * 3)

    tally = world.deliver(keeper, add=["k1"])

    assert (tally.delivered, tally.calls, tally.error) == (1, 4, None)
    assert world.clock.slept == [0.75, 1.5, 3.0]


def test_pause_is_at_least_what_the_vendor_asked_for(world: World) -> None:
    keeper = Scripted(api.TransientError("429", retry_after=30))

    world.deliver(keeper, add=["k1"])

    assert world.clock.slept == [30.5]


def test_pause_longer_than_a_batch_is_worth_waits_for_the_next_tick(world: World) -> None:
    keeper = Scripted(api.TransientError("429", retry_after=3600))

    tally = world.deliver(keeper, add=["k1"])

    assert (tally.failed, world.clock.slept) == (1, [])
    assert due(world, keeper) == {"k1": (START + HOUR).replace(tzinfo=None)}


def test_member_that_failed_is_due_at_the_next_tick_and_then_ever_later(world: World) -> None:
    keeper = Scripted(*[api.TransientError("503")] * 15)
    pauses = []
    for _ in range(3):
        tally = world.deliver(keeper, add=["k1"])
        assert tally.failed == 1
        pauses.append(due(world, keeper)["k1"] - world.clock.now.replace(tzinfo=None))

    assert pauses == [timedelta(0), timedelta(minutes=5), timedelta(minutes=15)]
    assert world.states(keeper) == {"k1": ABSENT}

    world.deliver(keeper, add=["k1"])
    assert world.states(keeper) == {"k1": HELD}
    assert due(world, keeper) == {"k1": None}


def test_failure_that_may_have_arrived_keeps_the_member_removable(world: World) -> None:
    keeper = Scripted(*[api.TransientError("timeout", sent=True)] * 5)
    tally = world.deliver(keeper, add=["k1"])

    assert (tally.failed, tally.calls) == (1, 5)
    assert world.states(keeper) == {"k1": UNKNOWN}

    world.deliver(keeper, remove=["k1"])
    assert keeper.batches[-1].members[0].email == "k1@example.com"
    assert world.states(keeper) == {}


def test_what_may_not_be_repeated_is_unknown_after_a_lost_answer(world: World) -> None:
    keeper = Scripted(api.TransientError("timeout", sent=True), can=can(repeatable=False))

    tally = world.deliver(keeper, add=["k1", "k2", "k3", "k4"])

    assert (tally.unknown, tally.delivered, tally.calls) == (3, 1, 2)
    assert keeper.pushed.count("k1") == 1
    assert world.states(keeper) == {"k1": UNKNOWN, "k2": UNKNOWN, "k3": UNKNOWN, "k4": HELD}


def test_what_may_not_be_repeated_is_tried_again_when_it_surely_was_not_sent(world: World) -> None:
    keeper = Scripted(api.TransientError("no connection"), can=can(repeatable=False))

    tally = world.deliver(keeper, add=["k1"])

    assert (tally.delivered, tally.calls) == (1, 2)


def test_only_members_without_an_outcome_are_pushed_again(world: World) -> None:
    class Dropping(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            self.batches.append(batch)
            yield batch.members[0].delivered()
            if len(self.batches) < 3:
                raise api.TransientError("connection lost before the next one")

    keeper = Dropping(can=can(repeatable=False))
    tally = world.deliver(keeper, add=["k1", "k2", "k3"])

    assert tally.delivered == 3
    assert [[m.key for m in batch] for batch in keeper.batches] == [["k1", "k2", "k3"], ["k2", "k3"], ["k3"]]
    assert len({batch.key for batch in keeper.batches}) == 3


def test_connection_that_fails_again_and_again_is_left_alone(world: World) -> None:
    keeper = Scripted(*[api.TransientError("503")] * 100)

    tally = world.deliver(keeper, add=[f"k{number:02}" for number in range(30)])

    assert (tally.failed, tally.calls, tally.connection_stopped) == (30, 3 * 5, True)
    assert isinstance(tally.error, api.TransientError)


def test_bad_row_stands_alone_and_everyone_else_is_delivered(world: World) -> None:
    keeper = Poisoned("k05", can=can(ops={ADD: api.Limit(16)}))

    tally = world.deliver(keeper, add=[f"k{number:02}" for number in range(16)])

    assert (tally.delivered, tally.rejected, tally.error) == (15, 1, None)
    assert tally.rejects == [("k05", "invalid email format")]
    assert tally.calls == 1 + 2 * 4
    assert world.states(keeper)["k05"] is REFUSED


def test_refused_member_is_a_tombstone_with_the_data_it_was_refused_for(world: World) -> None:
    keeper = Poisoned("k1")
    world.deliver(keeper, add=["k1"])

    rows = world.ledger.membership(world.audience(keeper).audience_id).to_pylist()

    assert [(row["state"], row["data_hash"], row["attributes_hash"]) for row in rows] == [("refused", "d-k1", None)]
    assert world.ledger.handles(world.audience(keeper).audience_id, ["k1"]) == {"k1": {}}


@pytest.mark.parametrize("largest", [500, 5, 1])
def test_splitting_ends_when_everything_is_refused(world: World, largest: int) -> None:
    keys = [f"k{number:04}" for number in range(1_000)]
    keeper = Poisoned(*keys, can=can(ops={ADD: api.Limit(largest)}))

    tally = world.deliver(keeper, add=keys)

    assert (tally.failed, tally.rejected) == (1_000, 0)
    assert isinstance(tally.error, api.RejectedError)
    assert tally.stopped == "everything is refused: invalid email format"
    assert tally.calls < 80
    assert REFUSED not in world.states(keeper).values()


def test_many_bad_rows_between_good_ones_do_not_end_splitting(world: World) -> None:
    keys = [f"k{number:02}" for number in range(60)]
    bad = keys[::2]
    keeper = Poisoned(*bad, can=can(ops={ADD: api.Limit(60)}))

    tally = world.deliver(keeper, add=keys)

    assert (tally.delivered, tally.rejected) == (30, 30)


def test_refused_credentials_stop_the_connection(world: World) -> None:
    keeper = Scripted(api.AuthError("401"))

    tally = world.deliver(keeper, add=["k1", "k2", "k3", "k4"])

    assert (tally.failed, tally.calls, tally.connection_stopped) == (4, 1, True)
    assert isinstance(tally.error, api.AuthError)


def test_an_audience_that_is_not_there_any_more_stops_no_other_sync_of_the_connection(world: World) -> None:
    keeper = Scripted(api.ConfigError("there is no such list any more"))

    tally = world.deliver(keeper, add=["k1", "k2", "k3", "k4"])

    assert (tally.failed, tally.calls, tally.connection_stopped) == (4, 1, False)
    assert isinstance(tally.error, api.ConfigError)


def test_outcome_that_proves_a_block_writes_it_at_once(world: World) -> None:
    class Bouncing(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            return member.rejected("unknown mailbox", blocks="hard_bounce")

    keeper = Bouncing(connection="newsletter")
    tally = world.deliver(keeper, add=["k1"])

    assert tally.rejected == 1
    rows = world.ledger.blocks().table.to_pylist()
    assert [(row["address_key"], row["channel"], row["reason"], row["origin"]) for row in rows] == [
        ("k1", "email", "hard_bounce", "newsletter")
    ]


@pytest.mark.parametrize(
    ("outcome", "numbers"),
    [("rejected", (0, 1, 0, 0)), ("unknown", (0, 0, 1, 0)), ("failed", (0, 0, 0, 1)), ("delivered", (1, 0, 0, 0))],
)
def test_member_that_is_updated_stays_held_whatever_comes_of_it(
    world: World, outcome: str, numbers: tuple[int, int, int, int]
) -> None:
    class Moody(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            if op is ADD or outcome == "delivered":
                return member.delivered()
            return {"rejected": member.rejected, "unknown": member.unknown, "failed": member.failed}[outcome]("why")

    keeper = Moody()
    world.deliver(keeper, add=["k1"])
    tally = world.deliver(keeper, update=[{"member_key": "k1", "email": "k1@example.com", "attributes_hash": "new"}])

    assert (tally.delivered, tally.rejected, tally.unknown, tally.failed) == numbers
    row = world.ledger.membership(world.audience(keeper).audience_id).to_pylist()[0]
    assert row["state"] == "held"
    # An update is due again where the hash is not the new one.
    due_again = {"rejected": "new", "delivered": "new", "unknown": None, "failed": "a-k1"}
    assert row["attributes_hash"] == due_again[outcome]


def test_removal_that_fails_is_due_again_and_the_member_is_not_forgotten(world: World) -> None:
    class Sticky(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            return member.delivered() if op is ADD else member.rejected("no such contact")

    keeper = Sticky()
    world.deliver(keeper, add=["k1"])
    world.deliver(keeper, remove=["k1"])
    assert world.states(keeper) == {"k1": MemberState.REMOVING}

    world.deliver(keeper, remove=["k1"])
    assert due(world, keeper)["k1"] > world.clock.now.replace(tzinfo=None)


def test_stop_lets_the_batch_in_flight_finish_and_starts_nothing_new(world: World) -> None:
    class Interrupting(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            world.stop.set()
            yield from super().push(batch)

    keeper = Interrupting()
    tally = world.deliver(keeper, add=["k1", "k2", "k3", "k4"])

    assert (tally.delivered, tally.failed, tally.stopped) == (3, 1, "interrupted")
    assert world.states(keeper) == {"k1": HELD, "k2": HELD, "k3": HELD}

    world.stop.clear()
    assert world.deliver(keeper, add=["k4"]).delivered == 1


def test_stop_ends_retries(world: World) -> None:
    class Failing(Keeper):
        def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
            self.batches.append(batch)
            world.stop.set()
            raise api.TransientError("503")

    keeper = Failing()
    tally = world.deliver(keeper, add=["k1"])

    assert (len(keeper.batches), tally.failed) == (1, 1)


def test_patience_is_an_argument(world: World) -> None:
    world.policy = replace(Policy(), attempts=2, random=lambda: 0.5)
    keeper = Scripted(*[api.TransientError("503")] * 9)

    tally: Tally = world.deliver(keeper, add=["k1"])

    assert tally.calls == 2


def test_failure_in_one_of_several_at_once_leaves_the_others_alone(world: World) -> None:
    keeper = Poisoned("k0007", can=can(ops={ADD: api.Limit(10)}, rate=api.Rate(concurrent=3)))
    keys = [f"k{number:04}" for number in range(100)]

    tally = world.deliver(keeper, add=keys)

    assert (tally.delivered, tally.rejected) == (99, 1)


def test_progress_is_told_batch_by_batch(world: World) -> None:
    from hub.deliver import Work, deliver

    keeper = Keeper()
    seen: list[int] = []
    work = Work(world.audience(keeper), keeper, START, "run", additions=world.cleared(["k1", "k2", "k3", "k4"]))

    deliver(work, world.ledger, world.clock, world.clock.sleep, world.stop, progress=seen.append)

    assert seen == [3, 1]


def test_ids_that_a_vendor_gives_as_numbers_are_kept_as_text(world: World) -> None:
    class Numbering(Keeper):
        def take(self, op: api.Op, member: api.Member) -> api.Outcome:
            return api.Outcome(member, api.State.DELIVERED, remote_id=101)  # type: ignore[arg-type]

    keeper = Numbering()
    world.deliver(keeper, add=["k1"])
    tally = world.deliver(keeper, remove=["k1"])

    assert (tally.delivered, tally.error) == (1, None)
    assert keeper.batches[-1].members[0].remote_id == "101"
    assert world.states(keeper) == {}


def test_an_outcome_that_says_it_in_other_types_is_understood(world: World) -> None:
    class Loose(Keeper):
        def push(self, batch: api.Batch) -> Any:
            first, second, third = batch.members
            yield api.Outcome(first, "delivered")  # type: ignore[arg-type]
            yield api.Outcome(second, "rejected", reason=ValueError("no k9@example.com"))  # type: ignore[arg-type]
            yield api.Outcome(third, api.State.FAILED, reason=503)  # type: ignore[arg-type]

    keeper = Loose()
    tally = world.deliver(keeper, add=["k1", "k2", "k3"])

    assert tally.error is None
    assert (tally.delivered, tally.rejected, tally.failed) == (1, 1, 1)
    assert dict(tally.rejects) == {"k2": "no <email>", "k3": "503"}


@pytest.mark.parametrize(
    "rubbish",
    [
        {"state": "done"},
        {"remote_id": 1.5},
        {"remote_id": b"17"},
        {"blocks": 3},
        {"state": api.State.REJECTED, "blocks": "bounced"},
        {"member": None},
    ],
)
def test_an_outcome_that_means_nothing_breaks_the_contract(world: World, rubbish: dict[str, Any]) -> None:
    class Rubbish(Keeper):
        def push(self, batch: api.Batch) -> Any:
            first, second = batch.members
            yield first.delivered()
            yield api.Outcome(**({"member": second, "state": api.State.DELIVERED} | rubbish))

    keeper = Rubbish()
    tally = world.deliver(keeper, add=["k1", "k2"])

    assert isinstance(tally.error, api.PluginError)
    assert (tally.delivered, tally.unknown) == (1, 1)
    assert world.states(keeper) == {"k1": HELD, "k2": UNKNOWN}


@pytest.mark.parametrize(
    ("told", "slept"),
    [("0", 0.5), ("7.5", 8.0), (-5, 0.75), (float("nan"), 0.75), ("soon", 0.75), (object(), 0.75), (True, 0.75)],
)
def test_a_pause_is_read_from_what_a_plugin_calls_one(world: World, told: Any, slept: float) -> None:
    keeper = Scripted(api.TransientError("429", retry_after=told))

    tally = world.deliver(keeper, add=["k1"])

    assert (tally.delivered, tally.error, world.clock.slept) == (1, None, [slept])


@pytest.mark.parametrize("told", [1e18, float("inf"), "1e300"])
def test_no_pause_is_longer_than_a_day(world: World, told: Any) -> None:
    keeper = Scripted(api.TransientError("429", retry_after=told))

    tally = world.deliver(keeper, add=["k1"])

    assert tally.failed == 1
    assert due(world, keeper) == {"k1": (START + 24 * HOUR).replace(tzinfo=None)}


@pytest.mark.parametrize("kind", [api.AuthError, api.ConfigError, api.PluginError, api.HubError])
def test_an_error_that_quotes_somebody_is_told_and_kept_without_the_address(
    world: World, kind: type[api.HubError]
) -> None:
    said = "401 for k9@example.com, +4532123456 on 2026-11-21"
    keeper = Scripted(kind(said, next_step="Ask k9@example.com."))

    tally = world.deliver(keeper, add=["k1", "k2"])

    assert isinstance(tally.error, kind)
    assert (str(tally.error), tally.error.next_step) == ("401 for <email>, <phone> on 2026-11-21", "Ask <email>.")
    assert dict(tally.rejects)["k1"] == "401 for <email>, <phone> on 2026-11-21"
    assert not any(b"k9@" in file.read_bytes() for file in world.folder.glob("ledger.sqlite*"))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("kind", [api.RejectedError, api.TransientError])
def test_a_batch_that_fails_and_quotes_somebody_is_kept_without_the_address(
    world: World, kind: type[api.HubError], whole: bool
) -> None:
    keeper = Scripted(*[kind("bad address k9@example.com")] * 9, can=can(replaces=whole))

    tally = world.deliver(keeper, add=["k1"], everyone=["k1"] if whole else None)

    assert dict(tally.rejects) == {"k1": "bad address <email>"}
