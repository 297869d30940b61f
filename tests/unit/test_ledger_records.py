from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from hub.errors import BusyError, ConfigError, HubError
from hub.ledger import Freshness, Ledger, NewBlock
from hub.ledger.store import upgrade
from tests.deliver_kit import HOUR, START, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[Ledger]:
    with Ledger.open(tmp_path / "acme", clock) as opened:
        yield opened


def block(key: str, reason: str = "unsubscribed", moment: datetime = START, channel: str = "email") -> NewBlock:
    return NewBlock(key, channel, reason, moment, "newsletter")


def test_file_and_folder_are_private_to_their_owner(ledger: Ledger) -> None:
    ledger.start_run("sync")

    assert stat.S_IMODE(ledger.path.parent.stat().st_mode) == 0o700
    for file in ledger.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_ledger_of_a_newer_hub_is_a_clear_error(ledger: Ledger, clock: Clock) -> None:
    ledger.close()
    with sqlite3.connect(ledger.path) as con:
        con.execute("pragma user_version = 99")

    with pytest.raises(ConfigError, match="schema version 99") as caught:
        Ledger.open(ledger.path, clock)

    assert caught.value.next_step == "Upgrade hub to the version that wrote it."


def test_file_that_is_no_ledger_is_a_clear_error(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"customer,email\n" * 1000)

    with pytest.raises(ConfigError, match="is not a ledger"):
        Ledger.open(path, clock)


def test_upgrade_runs_the_steps_that_are_missing_and_no_other(tmp_path: Path) -> None:
    con = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    first = (1, "create table one (a text);\ncreate table two (b text default ';');\n")
    upgrade(con, [first], tmp_path)
    con.execute("insert into one values ('kept')")

    upgrade(con, [first, (2, "alter table one add column c text;\n")], tmp_path)

    assert con.execute("select a, c from one").fetchall() == [("kept", None)]
    assert con.execute("pragma user_version").fetchone() == (2,)


def test_upgrade_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    con = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    upgrade(con, [(1, "create table one (a text);\n")], tmp_path)

    with pytest.raises(sqlite3.OperationalError):
        upgrade(con, [(1, ""), (2, "create table two (b text);\nselect * from nowhere;\n")], tmp_path)

    assert con.execute("select name from sqlite_master").fetchall() == [("one",)]
    assert con.execute("pragma user_version").fetchone() == (1,)


def test_transaction_that_fails_writes_nothing(ledger: Ledger) -> None:
    def write_and_fail() -> None:
        with ledger.transaction():
            ledger.add_blocks([block("k1")])
            raise RuntimeError("plug pulled")

    with pytest.raises(RuntimeError):
        write_and_fail()

    assert ledger.blocks().table.num_rows == 0


def test_writer_that_waits_too_long_is_told_who_is_in_the_way(ledger: Ledger, clock: Clock) -> None:
    other = Ledger.open(ledger.path, clock)
    other.execute("pragma busy_timeout = 0")

    with ledger.transaction(), pytest.raises(BusyError, match="being written by another process"):
        other.add_blocks([block("k1")])

    other.close()


def test_full_disk_is_said_in_one_line(ledger: Ledger) -> None:
    pages = ledger.execute("pragma page_count").fetchone()[0]
    ledger.execute(f"pragma max_page_count = {pages}")

    blocks = [block(f"key-{number}") for number in range(5_000)]

    with pytest.raises(HubError, match="cannot be written: database or disk is full"):
        ledger.add_blocks(blocks)

    ledger.execute("pragma max_page_count = 1000000")
    assert ledger.highest_block() == 0


def test_run_is_kept_with_its_report(ledger: Ledger, clock: Clock) -> None:
    run_id = ledger.start_run("sync")
    ledger.set_run_as_of(run_id, START)
    clock.now += HOUR
    ledger.end_run(run_id, "ok", {"members": 3})

    run = ledger.run(run_id)

    assert run is not None
    assert (run.command, run.as_of, run.started_at, run.ended_at) == ("sync", START, START, START + HOUR)
    assert (run.status, run.report) == ("ok", {"members": 3})
    assert ledger.runs() == [run]
    assert ledger.run("unheard-of") is None


def test_run_without_an_end_has_failed_once_the_next_one_starts(ledger: Ledger) -> None:
    dead = ledger.start_run("sync")

    ledger.start_run("sync")

    found = ledger.run(dead)
    assert found is not None
    assert (found.status, found.report) == ("failed", {"interrupted": True})


def test_audience_is_found_again_and_remembers_its_remote_id(ledger: Ledger) -> None:
    made = ledger.audience("vip", "newsletter", "VIP")
    ledger.set_remote_id(made.audience_id, "L1")
    ledger.set_definition(made.audience_id, "digest")

    found = ledger.audience("vip", "newsletter", "VIP")

    assert found.audience_id == made.audience_id
    assert (found.remote_id, found.definition) == ("L1", "digest")
    assert found.generation > made.generation
    assert ledger.audiences() == [found]


def test_setting_what_is_set_already_changes_no_generation(ledger: Ledger) -> None:
    made = ledger.audience("vip", "newsletter", "VIP")
    ledger.set_remote_id(made.audience_id, "L1")
    before = ledger.audience_by_id(made.audience_id)

    ledger.set_remote_id(made.audience_id, "L1")

    assert ledger.audience_by_id(made.audience_id) == before


def settled(ledger: Ledger, until: datetime | None = None) -> int:
    """Return an audience that was found settled, and what was told of it."""
    audience = ledger.audience("news", "list", "everyone")
    ledger.set_settled(audience, "whole", until)
    ledger.remember_settled(audience, "mark", "told")
    return audience.audience_id


def test_what_was_told_of_a_settled_audience_is_known_by_its_mark(ledger: Ledger) -> None:
    audience_id = settled(ledger)

    assert ledger.told_of_settled(audience_id, "mark") == "told"
    assert ledger.told_of_settled(audience_id, "other") is None
    assert ledger.is_settled(audience_id, "whole")


CHANGES: dict[str, Callable[[Ledger, int], object]] = {
    "the audience": lambda ledger, audience_id: ledger.set_definition(audience_id, "new"),
    "who is withheld": lambda ledger, audience_id: ledger.record_withheld(audience_id, withheld(somebody="NO_CONSENT")),
    "what it is settled with": lambda ledger, audience_id: ledger.set_settled(
        ledger.audience_by_id(audience_id), "new"
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_it_is_known_no_more_once_something_changed(ledger: Ledger, what: str) -> None:
    audience_id = settled(ledger)

    CHANGES[what](ledger, audience_id)

    assert ledger.told_of_settled(audience_id, "mark") is None


def test_it_is_known_no_more_where_the_audience_changed_meanwhile(ledger: Ledger) -> None:
    audience = ledger.audience("news", "list", "everyone")
    ledger.set_settled(audience, "whole")
    ledger.set_definition(audience.audience_id, "new")
    ledger.set_settled(ledger.audience_by_id(audience.audience_id), "whole")

    ledger.remember_settled(audience, "mark", "told")

    assert ledger.told_of_settled(audience.audience_id, "mark") is None


def test_it_is_known_until_somebody_is_due_again(ledger: Ledger, clock: Clock) -> None:
    audience_id = settled(ledger, START + HOUR)
    assert ledger.told_of_settled(audience_id, "mark") == "told"

    clock.now += HOUR

    assert ledger.told_of_settled(audience_id, "mark") is None


def test_sync_that_names_a_retired_audience_takes_it_over(ledger: Ledger) -> None:
    made = ledger.audience("vip", "newsletter", "VIP")
    ledger.retire(made.audience_id)
    assert ledger.audience_by_id(made.audience_id).retired_at == START

    found = ledger.audience("best", "newsletter", "VIP")

    assert (found.audience_id, found.sync, found.retired_at) == (made.audience_id, "best", None)


def test_renamed_sync_keeps_audience_guards_and_schedule(ledger: Ledger) -> None:
    ledger.audience("old", "newsletter", "VIP")
    ledger.hold("old", "max_removals", 10)
    ledger.set_last_run("old", "ok")

    ledger.rename("old", "new")

    assert [audience.sync for audience in ledger.audiences()] == ["new"]
    assert [guard.sync for guard in ledger.held()] == ["new"]
    assert list(ledger.last_runs()) == ["new"]


def test_last_as_of_never_goes_back(ledger: Ledger) -> None:
    audience = ledger.audience("vip", "newsletter", "VIP")

    ledger.set_last_as_of(audience.audience_id, START)
    ledger.set_last_as_of(audience.audience_id, START - HOUR)

    assert ledger.audience_by_id(audience.audience_id).last_as_of == START


def test_blocks_are_numbered_in_the_order_they_are_written(ledger: Ledger) -> None:
    ledger.add_blocks([block("k1"), block("k2")])
    seen = ledger.blocks().seen

    ledger.add_blocks([block("k3")])

    assert [found.address_key for found in ledger.blocks_since(seen)] == ["k3"]
    assert ledger.blocks().seen == ledger.highest_block() == seen + 1


def test_block_that_stands_already_is_no_news(ledger: Ledger) -> None:
    assert ledger.add_blocks([block("k1")]) == 1
    seen = ledger.highest_block()

    assert ledger.add_blocks([block("k1"), block("k1", moment=START - HOUR)]) == 0
    assert ledger.blocks_since(seen) == []


def test_block_repeated_with_a_newer_time_counts_from_then(ledger: Ledger) -> None:
    ledger.add_blocks([block("k1")])

    assert ledger.add_blocks([block("k1", moment=START + HOUR), block("k1")]) == 1

    rows = ledger.blocks().table.to_pylist()
    assert [row["recorded_at"] for row in rows] == [(START + HOUR).replace(tzinfo=None)]


def test_lifted_block_stands_no_more_and_its_number_is_not_used_again(ledger: Ledger) -> None:
    ledger.add_blocks([block("k1", "hard_bounce"), block("k1", "complaint")])
    seen = ledger.highest_block()

    assert ledger.lift("k1", "email", {"hard_bounce"})
    assert not ledger.lift("k1", "sms")

    assert ledger.blocks().table.column("reason").to_pylist() == ["complaint"]
    assert ledger.highest_block() == seen


def test_block_table_has_the_columns_of_the_gate_even_when_empty(ledger: Ledger) -> None:
    assert ledger.blocks().table.schema == pa.schema(
        [
            ("address_key", pa.string()),
            ("channel", pa.string()),
            ("reason", pa.string()),
            ("recorded_at", pa.timestamp("us")),
            ("origin", pa.string()),
        ]
    )


def withheld(**codes: str) -> pa.Table:
    return pa.table(
        {"person_key": pa.array(list(codes), pa.string()), "code": pa.array(list(codes.values()), pa.string())}
    )


def test_withheld_keep_the_time_of_the_code_that_did_not_change(ledger: Ledger, clock: Clock) -> None:
    audience = ledger.audience("vip", "newsletter", "VIP").audience_id
    ledger.record_withheld(audience, withheld(p1="NO_CONSENT", p2="NO_CONSENT", p3="OPTED_OUT"))
    clock.now += HOUR

    ledger.record_withheld(audience, withheld(p2="OPTED_OUT", p1="NO_CONSENT", p4="NO_ADDRESS"))

    assert ledger.withheld_counts(audience) == {"NO_ADDRESS": 1, "NO_CONSENT": 1, "OPTED_OUT": 1}
    assert ledger.person_state(["p1"]).withheld == (("vip", "NO_CONSENT", START),)
    assert ledger.person_state(["p2"]).withheld == (("vip", "OPTED_OUT", START + HOUR),)
    assert ledger.person_state(["p3"]).withheld == ()


def test_nobody_withheld_empties_the_list(ledger: Ledger) -> None:
    audience = ledger.audience("vip", "newsletter", "VIP").audience_id
    ledger.record_withheld(audience, withheld(p1="NO_CONSENT"))

    ledger.record_withheld(audience, withheld())

    assert ledger.withheld_counts(audience) == {}


def test_holdouts_enter_and_leave(ledger: Ledger, clock: Clock) -> None:
    audience = ledger.audience("vip", "newsletter", "VIP").audience_id
    ledger.record_holdouts(audience, pa.table({"person_key": ["p1", "p2"]}))
    clock.now += HOUR
    ledger.record_holdouts(audience, pa.table({"person_key": ["p2"]}))
    ledger.record_holdouts(audience, pa.table({"person_key": ["p2"]}))

    assert ledger.person_state(["p1"]).holdouts == (("vip", START, START + HOUR),)
    assert ledger.person_state(["p2"]).holdouts == (("vip", START, None),)
    assert ledger.holdouts(audience).num_rows == 2


def test_approval_answers_the_guard_once(ledger: Ledger) -> None:
    ledger.hold("vip", "max_removals", 100, about="digest")
    assert not ledger.is_approved("vip", "max_removals", 100, "digest")

    assert [guard.guard for guard in ledger.approve("vip")] == ["max_removals"]

    assert ledger.is_approved("vip", "max_removals", 100, "digest")
    assert ledger.use_approval("vip", "max_removals", 100, "digest")
    assert not ledger.use_approval("vip", "max_removals", 100, "digest")
    assert ledger.held() == []


@pytest.mark.parametrize(
    ("guard", "size", "about", "covered"),
    [
        ("max_removals", 110, "", True),
        ("max_removals", 111, "", False),
        ("max_removals", 5, "", True),
        ("max_removals", 100, "another definition", False),
        ("max_additions", 100, "", False),
    ],
)
def test_approval_covers_its_guard_up_to_a_tenth_more(
    ledger: Ledger, guard: str, size: int, about: str, covered: bool
) -> None:
    ledger.hold("vip", "max_removals", 100)
    ledger.approve("vip")

    assert ledger.use_approval("vip", guard, size, about) is covered


def test_guard_that_holds_again_needs_a_new_approval(ledger: Ledger) -> None:
    ledger.hold("vip", "max_removals", 100)
    ledger.approve("vip")

    ledger.hold("vip", "max_removals", 200)

    assert not ledger.is_approved("vip", "max_removals", 200)
    assert [(guard.size, guard.approved_at) for guard in ledger.held("vip")] == [(200, None)]


def test_one_guard_is_approved_alone(ledger: Ledger) -> None:
    ledger.hold("vip", "max_removals", 100)
    ledger.hold("vip", "first", 100)

    assert [guard.guard for guard in ledger.approve("vip", "first")] == ["first"]

    assert ledger.is_approved("vip", "first", 100)
    assert not ledger.is_approved("vip", "max_removals", 100)


def test_released_guard_holds_nothing(ledger: Ledger) -> None:
    ledger.hold("vip", "max_removals", 100)
    ledger.hold("vip", "first", 100)

    ledger.release("vip", "first")
    assert [guard.guard for guard in ledger.held("vip")] == ["max_removals"]

    ledger.release("vip")
    assert ledger.held() == []


def test_freshness_is_replaced_per_table(ledger: Ledger) -> None:
    old = Freshness("shop", "orders", None, START - HOUR, 10, 1, "ok", START - HOUR)
    new = Freshness("shop", "orders", START - 24 * HOUR, START, 12, 0, "ok", START)
    ledger.set_freshness(old)
    ledger.set_freshness(new)

    assert ledger.freshness() == [new]

    ledger.drop_freshness("shop")
    assert ledger.freshness() == []


def test_small_notes_are_kept(ledger: Ledger) -> None:
    memory = ledger.memory("newsletter")
    memory.set("token", {"value": "t", "until": 5})
    ledger.heard("newsletter", START)
    ledger.set_last_run("vip", "ok")
    ledger.add_usage("newsletter", "2026-11-20", 5)
    ledger.add_usage("newsletter", "2026-11-21", 2)
    ledger.add_usage("newsletter", "2026-11-21", 3)
    ledger.audit("suppress", "k1", "by hand")

    assert memory.get("token") == {"value": "t", "until": 5}
    assert memory.get("other") is None
    assert ledger.memory("another").get("token") is None
    assert ledger.heard_at("newsletter") == START
    assert ledger.heard_at("another") is None
    assert ledger.last_runs()["vip"].last_run_at == START
    assert ledger.usage("newsletter", "2026-11-21") == 5
    assert ledger.usage("newsletter", "2026-11-20") == 0
    assert ledger.audit_entries(["k1"]) == ledger.audit_entries() == [(START, "suppress", "k1", "by hand")]


def test_times_without_a_zone_are_taken_as_utc(ledger: Ledger) -> None:
    ledger.heard("newsletter", datetime(2026, 11, 21, 12))
    assert ledger.heard_at("newsletter") == START

    ledger.heard("newsletter", START.astimezone(tz=None) + timedelta(microseconds=1))
    assert ledger.heard_at("newsletter") == datetime(2026, 11, 21, 12, 0, 0, 1, tzinfo=UTC)
