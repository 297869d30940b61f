"""Plan files: what was reviewed is what is delivered, and nothing else."""

from __future__ import annotations

import json
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.errors import RefusedError
from hub.sync.apply import apply_plan, plan_writer, read_reviewed
from hub.sync.run import RunOptions, run_client
from tests.acceptance.kit import START, Agency, only, told

P = {number: f"p{number}@example.com" for number in range(1, 200)}


@pytest.fixture(scope="module")
def planned_once(tmp_path_factory: pytest.TempPathFactory, empty_keyring: None) -> Agency:
    """Make an agency with a plan that nobody applied yet: six prospects to add."""
    agency = Agency(tmp_path_factory.mktemp("planned") / "agency")
    agency.change('plugin = "everyone"', 'plugin = "prospects"')
    agency.shop.people(6).people(1, "no", start=50)
    agency.shop.buy("nobody@example.com", START - timedelta(days=3))
    agency.shop.write(START - timedelta(hours=1))
    agency.hub("plan", "acme", "--out", "plan.json", "--json")
    return agency


@pytest.fixture
def planned(planned_once: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    return planned_once.copied(tmp_path / "agency")


def test_planning_makes_no_write_call_and_the_file_tells_nobody(planned: Agency) -> None:
    file = planned.folder / "plan.json"

    text = file.read_text()

    assert planned.records() == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "@" not in text
    assert "p1" not in json.dumps(json.loads(text)["syncs"][0]["changes"])
    assert {op for op, _, _ in json.loads(text)["syncs"][0]["changes"]} == {"add"}


def test_a_plan_is_applied_exactly_and_once(planned: Agency) -> None:
    done = only(planned.hub("apply", "plan.json", "--json").json["syncs"])

    assert (done["add"], done["delivered"], done["status"]) == (6, 6, "ok")
    assert planned.held() == {P[n] for n in range(1, 7)}
    assert only(planned.sync()["syncs"])["calls"] == 0
    assert "changed since the plan was made" in only(told(planned.hub("apply", "plan.json", expect=3)))
    assert planned.got().count(P[1]) == 1


@pytest.mark.parametrize("plugin", ["keeper", "file"])
def test_who_withdrew_or_bought_since_is_dropped_and_named(agency: Agency, plugin: str) -> None:
    agency.change('plugin = "keeper"', f'plugin = "{plugin}"')
    agency.change('plugin = "everyone"', 'plugin = "prospects"')
    agency.shop.people(6).buy("nobody@example.com", START - timedelta(days=3))
    agency.shop.write()
    agency.hub("plan", "acme", "--out", "plan.json")
    agency.hub("suppress", "acme", P[1])
    customers = agency.shop.folder / "customers_export.csv"
    before = customers.stat()
    agency.shop.buy(P[2], START - timedelta(days=2))
    agency.shop.write()
    os.utime(customers, ns=(before.st_atime_ns, before.st_mtime_ns))
    agency.hub("pull", "acme")

    done = only(agency.hub("apply", "plan.json", "--json").json["syncs"])

    assert (done["add"], done["delivered"]) == (4, 4)
    note = only(note for note in done["notes"] if "dropped" in note)
    assert note.startswith("2 planned changes were dropped")
    assert note.count("add ") == 2
    if plugin == "keeper":
        assert agency.held() == {P[n] for n in range(3, 7)}
    else:
        rows = (agency.folder / "audiences" / "acme" / "all.csv").read_text()
        assert [n for n in range(1, 7) if P[n] in rows] == [3, 4, 5, 6]
        assert only(agency.sync()["syncs"])["calls"] == 0


def test_any_other_difference_refuses_the_plan(planned: Agency) -> None:
    planned.shop.people(1, start=100).write(START)
    planned.hub("pull", "acme")

    line = only(told(planned.hub("apply", "plan.json", expect=3)))

    assert "1 changes of news are not in the plan" in line
    assert planned.records() == []


def test_a_changed_configuration_refuses_the_plan(planned: Agency) -> None:
    planned.add("holdout = 0.1\n")

    assert "configuration changed" in only(told(planned.hub("apply", "plan.json", expect=3)))
    assert planned.records() == []


def test_a_plan_expires_after_24_hours(agency: Agency) -> None:
    agency.shop.people(3).write(START - timedelta(hours=1))
    file = agency.folder / "plan.json"
    run_client(agency.wiring(), RunOptions("plan", deliver=False, inspect=plan_writer(file)))

    agency.clock.go(hours=24, minutes=1)
    with pytest.raises(RefusedError, match="expired"):
        apply_plan(agency.wiring(), read_reviewed(file))
    assert agency.records() == []

    agency.clock.go(minutes=-2)
    assert apply_plan(agency.wiring(), read_reviewed(file)).exit_code == 0
    assert len(agency.held()) == 3


@pytest.mark.parametrize("text", ["", "{}", '{"format": 99}', "[]", None])
def test_what_is_no_plan_file_is_one_line(agency: Agency, text: str | None) -> None:
    file: Path = agency.folder / "plan.json"
    if text is not None:
        file.write_text(text)

    done = agency.hub("apply", "plan.json", expect=1)

    assert "plan.json" in only(told(done))


def test_who_withdrew_is_removed_though_all_that_was_planned_waits_and_is_dropped(agency: Agency) -> None:
    late, held = "p100@example.com", "p1@example.com"
    agency.change('plugin = "everyone"', 'plugin = "prospects"')
    agency.shop.people(3).buy("nobody@example.com", START - timedelta(days=3))
    agency.started()
    agency.shop.people(1, start=100).write()
    agency.fault("fail")
    for _ in range(2):  # the first failure is due again at once
        agency.sync(expect=4)
    agency.fault("")
    agency.hub("plan", "acme", "--out", "plan.json")
    customers = agency.shop.folder / "customers_export.csv"
    before = customers.stat()
    agency.shop.buy(late, datetime.now(UTC))
    agency.shop.write()
    os.utime(customers, ns=(before.st_atime_ns, before.st_mtime_ns))
    agency.hub("pull", "acme")
    agency.hub("suppress", "acme", held)

    agency.hub("apply", "plan.json")

    assert agency.got(op="remove") == [held]
