"""What a plan tells of calls and minutes, in every form it is shown in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.report.words import how_long
from tests.acceptance.kit import Agency

PLUGIN = """
from dataclasses import replace

from hub import api

ADD, UPDATE, REMOVE = api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE


class Nothing(api.Config):
    pass


class Paced(api.Destination[Nothing]):
    name, Config = "paced", Nothing
    can = api.Capabilities(ops={ADD: api.Limit(1), REMOVE: api.Limit(1)}, rate=api.Rate(per_minute=30))

    def push(self, batch):
        return (member.delivered() for member in batch)


class Jobs(Paced):
    name, can = "jobs", replace(Paced.can, exclusive=True)


class Whole(Paced):
    name = "whole"
    can = api.Capabilities(ops={ADD: api.Limit(5), REMOVE: api.Limit(5)}, replaces=True)


class Silent(Paced):
    name = "silent"

    def forecast(self, planned):
        return None


class Broken(Paced):
    name = "broken"

    def forecast(self, planned):
        return planned.nonsense


class Timeless(Paced):
    name = "timeless"

    def seconds(self, forecast):
        return forecast.nonsense


@api.hookimpl
def hub_destinations():
    return [Paced, Jobs, Whole, Silent, Broken, Timeless]
"""
SECOND = """
[syncs.more]
segment = "all"
destination = "list"
audience = "More"
"""


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency")
    (made.folder / "plugins" / "paced.py").write_text(PLUGIN)
    return made


def forecasts(agency: Agency) -> dict[str, Any]:
    return {sync["name"]: sync.get("forecast") for sync in agency.hub("plan", "acme", "--json").json["syncs"]}


def at(agency: Agency, plugin: str, people: int) -> None:
    agency.change('plugin = "keeper"', f'plugin = "{plugin}"')
    agency.shop.people(people).write()


def test_a_plan_foretells_what_waits_for_a_word_too_and_its_counts_stay_nothing(agency: Agency) -> None:
    agency.shop.people(12).write()

    (sync,) = agency.hub("plan", "acme", "--json").json["syncs"]

    assert sync["status"] == "refused"
    assert sync["forecast"] == {"calls": 3, "reads": 0, "later": 0, "minutes": 0.0}
    assert (sync["calls"], sync["reads"], sync["held_back"], sync["delivered"]) == (0, 0, 0, 0)
    assert agency.writes() == 0


def test_where_nothing_is_to_be_sent_nothing_is_foretold_and_no_table_is_shown(agency: Agency) -> None:
    agency.shop.people(12)
    agency.started()

    assert forecasts(agency) == {"news": {"calls": 0, "reads": 0, "later": 0, "minutes": 0.0}}
    assert "Forecast" not in agency.hub("plan", "acme").stdout


def test_a_run_tells_what_it_did_and_foretells_nothing(agency: Agency) -> None:
    agency.shop.people(12).write()

    (sync,) = agency.sync("--force")["syncs"]

    assert "forecast" not in sync
    assert sync["calls"] == 3


def test_updates_and_removals_are_foretold_by_what_each_operation_takes(agency: Agency) -> None:
    agency.shop.people(30)
    agency.started()
    for customer in agency.shop.customers[:6]:
        customer.first_name = "Grace"
    for customer in agency.shop.customers[24:]:
        customer.says = "no"
    agency.shop.people(11, start=31).write()

    told = forecasts(agency)["news"]
    (sync,) = agency.sync("--force")["syncs"]

    assert (sync["add"], sync["update"], sync["remove"]) == (11, 6, 6)
    assert told["calls"] == sync["calls"] == 3 + 2 + 2


def test_syncs_of_one_connection_share_its_limits(agency: Agency) -> None:
    at(agency, "paced", 46)
    agency.add(SECOND)

    told = forecasts(agency)

    # 30 a minute: the first 46 are done when a minute is over, all 92 after three; alone each would take one.
    assert {name: (each["calls"], each["minutes"]) for name, each in told.items()} == {
        "news": (46, 1.0),
        "more": (46, 2.0),
    }


def test_jobs_that_wait_for_each_other_tell_no_time(agency: Agency) -> None:
    at(agency, "jobs", 45)

    assert forecasts(agency)["news"] == {"calls": 45, "reads": 0, "later": 0, "minutes": None}
    assert "as it answers" in agency.hub("plan", "acme").stdout


def test_a_destination_that_replaces_takes_one_call(agency: Agency) -> None:
    at(agency, "whole", 45)

    assert forecasts(agency)["news"]["calls"] == 1
    assert agency.sync("--force")["syncs"][0]["calls"] == 1
    agency.shop.customers.pop()
    agency.shop.write()
    assert forecasts(agency)["news"]["calls"] == 1


def test_where_leaving_is_no_call_none_is_foretold(agency: Agency) -> None:
    at(agency, "once", 6)
    agency.sync("--force")
    agency.shop.customers.pop()
    agency.shop.write()

    (sync,) = agency.hub("plan", "acme", "--json").json["syncs"]

    assert (sync["remove"], sync["forecast"]["calls"]) == (1, 0)


def test_a_destination_that_cannot_tell_has_no_forecast(agency: Agency) -> None:
    at(agency, "silent", 6)

    (sync,) = agency.hub("plan", "acme", "--json").json["syncs"]

    assert (sync["add"], "forecast" in sync) == (6, False)
    assert "| news | 6 | 6 | 0 | 6 | 0 | 0 | 0 |  |  |" in agency.hub("plan", "acme", "--markdown").stdout


@pytest.mark.parametrize(("plugin", "where"), [("broken", "forecast"), ("timeless", "seconds")])
def test_a_forecast_that_breaks_costs_nothing_but_itself(agency: Agency, plugin: str, where: str) -> None:
    at(agency, plugin, 6)

    (sync,) = agency.hub("plan", "acme", "--json").json["syncs"]

    assert (sync["add"], "forecast" in sync) == (6, False)
    assert any(f"no forecast: destination list raised AttributeError in {where}" in note for note in sync["notes"])


def test_tables_and_markdown_tell_calls_and_time(agency: Agency) -> None:
    at(agency, "paced", 1_000)

    shown, written = agency.hub("plan", "acme").stdout, agency.hub("plan", "acme", "--markdown").stdout

    assert "Forecast, once approved" in shown
    assert ["news", "1,000", "0", "0", "33", "min"] in [line.split() for line in shown.splitlines()]
    assert "| news | 1,000 | 1,000 | 0 | 1,000 | 0 | 0 | 0 | 1,000 | 33 min |" in written


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (None, "as it answers"),
        (0, "under a minute"),
        (0.99, "under a minute"),
        (1, "1 min"),
        (119.4, "119 min"),
        (120, "2 h"),
        (2_879, "48 h"),
        (2_880, "2 days"),
        (20_000, "14 days"),
    ],
)
def test_time_is_told_in_one_unit(minutes: float | None, words: str) -> None:
    assert how_long(minutes) == words
