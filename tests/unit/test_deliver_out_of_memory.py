"""A machine on which the members cannot be read to their end: what went is counted, the rest waits."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest

from hub import api
from hub.consent import cleared as consent
from hub.deliver import Tally, Work, deliver
from hub.errors import HubError
from hub.ledger import NewBlock
from tests.deliver_kit import ADD, START, Keeper, World, can

MEMBERS = 300_000
BATCH = 10_000


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """Make a session that has to spill its members to disk to sort them."""
    made = World(tmp_path)
    made.con.execute(f"set temp_directory = '{tmp_path / 'spilled'}'")
    made.con.execute("set threads = 1")
    made.con.execute("set memory_limit = '128MB'")
    made.con.execute(
        "create temporary table wide as select md5(i::varchar) as member_key, i || '@example.com' as email, "
        "null::varchar as phone, repeat(hash(i)::varchar, 20) || i as a_text, 'a' as attributes_hash, "
        f"'d' as data_hash from range({MEMBERS}) as r(i)"
    )
    yield made
    made.close()


def squeeze(con: duckdb.DuckDBPyConnection) -> None:
    """Leave so little memory that an answer that is being read cannot be read to its end."""
    other = con.cursor()
    with suppress(duckdb.OutOfMemoryException):
        for megabytes in range(128, 0, -1):
            other.execute(f"set memory_limit = '{megabytes}MB'")


class Squeezing(Keeper):
    """A destination on whose machine memory becomes scarce while it is given members."""

    world: World
    squeezes = True

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        if batch.number == 2 and self.squeezes:
            squeeze(self.world.con)
        return super().push(batch)


class Bouncing(Squeezing):
    """The same, and it proves meanwhile that an address does not work."""

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        if batch.number == 2 and self.squeezes:
            self.world.ledger.add_blocks([NewBlock("nobody", "email", "hard_bounce", START, "elsewhere")])
        return super().push(batch)


def send(world: World, destination: Squeezing, *, whole: bool = False) -> Tally:
    def related(keys: Collection[str]) -> set[str]:
        world.con.execute("create or replace temporary table related as select * from wide order by a_text")
        return set(keys)

    destination.world = world
    everyone = consent.Cleared(world.con, "wide", "email_marketing", consent._GATE)
    work = Work(
        world.audience(destination),
        destination,
        world.clock(),
        world.run_id,
        additions=everyone,
        updates=None,
        removals=[],
        everyone=everyone if whole else None,
        seen_block=world.ledger.highest_block(),
        related=related,
    )
    return deliver(work, world.ledger, world.clock, world.clock.sleep, world.stop, policy=world.policy)


def test_what_was_sent_is_counted_and_the_rest_goes_with_the_next_run(small: World) -> None:
    keeper = Squeezing(can=can(ops={ADD: api.Limit(BATCH)}))

    tally = send(small, keeper)

    assert "ran out of memory" in str(tally.error)
    assert "memory_limit" in str(tally.error and tally.error.next_step)
    assert 0 < tally.delivered < MEMBERS
    assert tally.delivered == len(keeper.held) == len(small.states(keeper))
    assert tally.settled == MEMBERS
    assert not tally.connection_stopped

    keeper.squeezes = False
    small.clock.sleep(60)
    small.con.execute("set memory_limit = '1GB'")
    send(small, keeper)

    assert len(keeper.held) == MEMBERS


def test_what_was_sent_is_counted_where_a_last_look_is_too_much(small: World) -> None:
    keeper = Bouncing(can=can(ops={ADD: api.Limit(BATCH)}))

    tally = send(small, keeper)

    assert "ran out of memory" in str(tally.error)
    assert (tally.delivered, tally.settled) == (2 * BATCH, MEMBERS)
    assert len(keeper.held) == len(small.states(keeper)) == 2 * BATCH


def test_an_audience_that_is_replaced_whole_is_not_replaced_by_a_part_of_it(small: World) -> None:
    keeper = Squeezing(can=can(ops={ADD: api.Limit(BATCH)}, replaces=True))

    tally = send(small, keeper, whole=True)

    assert "ran out of memory" in str(tally.error)
    assert keeper.batches
    assert not any(batch.last for batch in keeper.batches)
    assert tally.delivered == 0
    assert tally.settled == MEMBERS


def test_an_audience_is_not_replaced_by_a_part_where_a_last_look_is_too_much(small: World) -> None:
    keeper = Bouncing(can=can(ops={ADD: api.Limit(BATCH)}, replaces=True))

    tally = send(small, keeper, whole=True)

    assert "ran out of memory" in str(tally.error)
    assert (len(keeper.batches), any(batch.last for batch in keeper.batches)) == (2, False)
    assert (tally.delivered, tally.settled) == (0, MEMBERS)


def test_a_ledger_that_fails_while_leavers_are_read_is_a_fault_and_no_end(tmp_path: Path) -> None:
    def leaving() -> Iterator[list[str]]:
        yield ["k1"]
        raise HubError("the ledger cannot be written: the disk is full")

    world, keeper = World(tmp_path), Keeper()
    audience = world.audience(keeper)
    work = Work(audience, keeper, world.clock(), world.run_id, None, None, leaving(), seen_block=0)

    with pytest.raises(HubError, match="the disk is full"):
        deliver(work, world.ledger, world.clock, world.clock.sleep, world.stop, policy=world.policy)
    world.close()
