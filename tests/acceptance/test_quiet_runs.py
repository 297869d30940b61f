"""An audience that was found to hold exactly its members is not read again, until anything about it is otherwise."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hub.ledger import Ledger
from hub.sync import verdicts
from hub.sync.numbers import SyncNumbers
from hub.sync.run import RunOptions, run_client
from tests.acceptance.kit import Agency, only


@pytest.fixture(scope="module", autouse=True)
def _verdicts_are_kept() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "WORTH_STORING", 0)
        yield


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory) -> Agency:
    agency = Agency(tmp_path_factory.mktemp("filled") / "agency")
    agency.shop.people(20).people(2, "no", start=21)
    write(agency)
    assert only(agency.run(force=True).syncs).delivered == 20
    return agency


@pytest.fixture(scope="module")
def quiet_once(filled_once: Agency, tmp_path_factory: pytest.TempPathFactory) -> Agency:
    agency = filled_once.copied(tmp_path_factory.mktemp("quiet") / "agency")
    assert quiet(agency).unchanged == 20
    return agency


@pytest.fixture
def filled(filled_once: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    """An agency whose list holds p1@example.com to p20@example.com, verdicts kept; p21 and p22 said no."""
    return filled_once.copied(tmp_path / "agency")


@pytest.fixture
def quieted(quiet_once: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    """The same after two quiet runs."""
    return quiet_once.copied(tmp_path / "agency")


def write(agency: Agency) -> None:
    """Write the exports a moment ago."""
    agency.shop.write(agency.clock() - timedelta(minutes=1))


def quiet(agency: Agency) -> SyncNumbers:
    """Run twice with nothing to send; the second run needs no look at the members."""
    assert only(agency.run().syncs).calls == 0
    agency.clock.go(minutes=15)
    sync: SyncNumbers = only(agency.run().syncs)
    assert (sync.calls, sync.add, sync.update, sync.remove) == (0, 0, 0, 0)
    return sync


def spoil(agency: Agency) -> None:
    """Lose every row of the membership, behind the ledger's back: whoever reads it would find nobody."""
    with sqlite3.connect(agency.state / "ledger.sqlite") as ledger:
        ledger.execute("delete from membership")
    ledger.close()


def test_the_second_quiet_run_reads_no_membership_and_counts_everybody(quieted: Agency) -> None:
    spoil(quieted)

    sync = only(quieted.run().syncs)

    assert (sync.cleared, sync.unchanged, sync.add) == (20, 20, 0)


def lose_verdicts(agency: Agency) -> None:
    """Lose every stored verdict, behind the gate's back: whoever judges by them would find nobody."""
    with duckdb.connect(agency.state / "catalog.duckdb") as catalog:
        catalog.execute("delete from derived.verdicts_0")


def told(sync: SyncNumbers) -> tuple[Any, ...]:
    return sync.members, sync.cleared, sync.withheld, sync.unchanged, sync.notes


def test_a_quiet_run_judges_nobody_again_and_tells_the_same(filled: Agency) -> None:
    before = told(quiet(filled))
    lose_verdicts(filled)

    assert told(only(filled.run().syncs)) == before
    assert before[:4] == (22, 20, {"NO_CONSENT": 2}, 20)


def test_one_more_who_is_withheld_is_noticed_after_quiet_runs(quieted: Agency) -> None:
    quieted.shop.people(1, "no", start=30)
    write(quieted)

    assert only(quieted.run().syncs).withheld == {"NO_CONSENT": 3}
    assert quiet(quieted).withheld == {"NO_CONSENT": 3}


def test_whom_a_refused_run_withheld_is_written_down_again_by_the_next_that_is_not(filled: Agency) -> None:
    for number in range(1, 6):
        filled.shop.buy(f"p{number}@example.com", filled.clock())
    filled.clock.go(minutes=5)
    write(filled)
    filled.change('plugin = "everyone"', 'plugin = "buyers"\nat_least = 0')
    filled.run(force=True)
    quiet(filled)
    settings = filled.folder / "clients" / "acme.toml"
    before = settings.read_text()
    filled.change("at_least = 0", "at_least = 1")
    assert only(filled.run().syncs).status == "refused"
    assert withheld(filled) == {}
    settings.write_text(before)

    assert only(filled.run().syncs).withheld == {"NO_CONSENT": 2}
    assert withheld(filled) == {"NO_CONSENT": 2}


def withheld(agency: Agency) -> dict[str, int]:
    """Return how many the ledger says are withheld."""
    with Ledger.open(agency.state, agency.clock) as ledger:
        return ledger.withheld_counts(only(ledger.audiences()).audience_id)


def test_a_plan_leaves_it_to_the_next_run_to_write_down_who_is_withheld(quieted: Agency) -> None:
    quieted.shop.people(1, "no", start=30)
    write(quieted)
    run_client(quieted.wiring(), RunOptions("plan", deliver=False))
    run_client(quieted.wiring(), RunOptions("plan", deliver=False))

    quieted.run()

    assert withheld(quieted) == {"NO_CONSENT": 3}


def test_a_permission_that_ends_is_noticed_after_quiet_runs(filled: Agency) -> None:
    """Bought in Canada, no other record: that permits mails for 24 months, and nothing else happens meanwhile."""
    filled.add("\n[consent]\ncasl_implied = true\n")
    filled.shop.customers = [replace(each, says="", country="CA") for each in filled.shop.customers]
    for number in range(1, 6):
        filled.shop.buy(f"p{number}@example.com", filled.clock())
    filled.clock.go(days=1)
    write(filled)
    filled.run(force=True)
    assert quiet(filled).cleared == 5

    filled.clock.go(days=800)

    assert only(filled.run(force=True).syncs).remove == 5
    assert filled.held() == set()


def test_a_changed_attribute_is_sent_after_quiet_runs(filled: Agency) -> None:
    filled.add('attributes = { name = "first_name" }\n')
    filled.run(force=True)
    quiet(filled)
    filled.shop.of("p7@example.com").first_name = "Renamed"
    write(filled)

    assert only(filled.run().syncs).update == 1
    assert filled.records()[-1]["attributes"] == {"name": "Renamed"}


def test_one_who_comes_for_one_who_goes_is_noticed_after_quiet_runs(quieted: Agency) -> None:
    quieted.shop.of("p7@example.com").says = "no"
    quieted.shop.of("p21@example.com").says = "yes"
    write(quieted)

    sync = only(quieted.run().syncs)

    assert (sync.add, sync.remove) == (1, 1)
    assert "p21@example.com" in quieted.held()
    assert "p7@example.com" not in quieted.held()


def test_somebody_suppressed_after_quiet_runs_is_removed_by_the_next(quieted: Agency) -> None:
    quieted.hub("suppress", "acme", "p7@example.com")

    assert only(quieted.run().syncs).remove == 1
    assert "p7@example.com" not in quieted.held()


def test_members_are_refreshed_when_their_time_comes_after_quiet_runs(filled: Agency) -> None:
    filled.change('plugin = "keeper"', 'plugin = "forgetful"')
    filled.change('destination = "list"', 'destination = "list"\naudience = "fleeting"')
    assert only(filled.run(force=True).syncs).delivered == 20
    quiet(filled)
    filled.clock.go(days=29)
    assert only(filled.run().syncs).calls == 0

    filled.clock.go(days=1)

    assert only(filled.run().syncs).delivered == 20


def test_a_run_that_died_leaves_nothing_settled(quieted: Agency) -> None:
    quieted.shop.people(1, start=30)
    write(quieted)
    quieted.fault("raise")
    assert only(quieted.run().syncs).status != "ok"
    quieted.fault("")

    assert only(quieted.run().syncs).delivered == 1
    assert quiet(quieted).unchanged == 21


def test_people_held_out_are_counted_in_every_quiet_run(filled: Agency) -> None:
    filled.add("holdout = 0.5\n")
    first = only(filled.run(force=True).syncs)

    assert quiet(filled).withheld["HOLDOUT"] == first.withheld["HOLDOUT"] > 0
