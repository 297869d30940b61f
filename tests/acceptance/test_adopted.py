"""`adopt = true`: an audience that exists is taken over, with whoever is in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.kit import Agency, only

LETTERBOX = '''
"""A vendor whose audiences are files that are there before hub is."""

import json

from hub import api


class Settings(api.Config):
    """None."""


class Letterbox(api.Destination[Settings]):
    """Keep members, by an id of its own, in a file per audience."""

    name, Config = "letterbox", Settings
    can = api.Capabilities(ops={op: api.Limit(100) for op in api.Op})

    def place(self, audience):
        return self.shop.workspace / f"{audience}.json"

    def ensure_audience(self, name):
        return name

    def push(self, batch):
        place = self.place(batch.audience)
        held = json.loads(place.read_text())
        with (self.shop.workspace / "calls").open("a") as calls:
            calls.write(f"{batch.op.value} {len(batch)}\\n")
        for member in batch:
            number = member.remote_id or f"n-{member.email}"
            if batch.op is api.Op.REMOVE:
                held.pop(number, None)
            else:
                held[number] = member.email
            yield member.delivered(number)
        place.write_text(json.dumps(held))

    def read_members(self, audience):
        with (self.shop.workspace / "reads").open("a") as reads:
            reads.write(audience + "\\n")
        if self.place(audience).with_suffix(".closed").exists():
            raise api.TransientError("closed for the day")
        for number, email in json.loads(self.place(audience).read_text()).items():
            yield api.Member(number, email=email, remote_id=number)


class Slot(Letterbox):
    """The same, and nobody can look into it."""

    name = "slot"
    read_members = api.Destination.read_members


@api.hookimpl
def hub_destinations():
    return [Letterbox, Slot]
'''
BEFORE = {"1": "P1@example.com", "2": "p9@example.com", "3": "stranger@example.org", "4": None}


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    """Six customers who agreed and one who is suppressed; a list of theirs that others filled."""
    made = Agency(tmp_path / "agency")
    (made.folder / "plugins" / "letterbox.py").write_text(LETTERBOX)
    made.change('plugin = "keeper"', 'plugin = "letterbox"')
    made.add('audience_id = "box"\nadopt = true\n')
    made.shop.people(6)
    made.shop.people(1, says="no", start=9)
    made.shop.write()
    made.hub("suppress", "acme", "p9@example.com")
    (made.folder / "box.json").write_text(json.dumps(BEFORE))
    return made


def box(agency: Agency, name: str = "box") -> dict[str, str | None]:
    held: dict[str, str | None] = json.loads((agency.folder / f"{name}.json").read_text())
    return held


def lines(agency: Agency, name: str) -> list[str]:
    place = agency.folder / name
    return place.read_text().splitlines() if place.exists() else []


def news(numbers: Any) -> Any:
    return only(numbers["syncs"])


def test_a_plan_tells_who_stays_and_who_leaves_and_touches_nothing(agency: Agency) -> None:
    planned = news(agency.hub("plan", "acme", "--json").json)

    assert (planned["add"], planned["update"], planned["remove"], planned["calls"]) == (5, 1, 3, 0)
    (guard,) = planned["guards"]
    assert "5 people would be added and 2 people who are in it would be removed" in guard["text"]
    assert any("4 people were in box when hub took it over" in note for note in planned["notes"])
    assert box(agency) == BEFORE
    assert lines(agency, "calls") == []


def test_once_approved_the_audience_is_the_segment_and_the_next_run_is_quiet(agency: Agency) -> None:
    agency.hub("plan", "acme")
    agency.hub("approve", "acme", "news")

    synced = news(agency.sync())

    assert (synced["status"], synced["add"], synced["update"], synced["remove"]) == ("ok", 5, 1, 3)
    assert sorted(filter(None, box(agency).values())) == [f"p{number}@example.com" for number in range(1, 7)]
    assert box(agency)["1"] == "p1@example.com"
    again = news(agency.sync())
    assert (again["calls"], again["unchanged"]) == (0, 6)
    assert lines(agency, "reads") == ["box"]
    drift = only(agency.hub("drift", "acme", "--json").json)
    assert (drift["held"], drift["added_count"], drift["missing_count"]) == (6, 0, 0)


def test_who_withdrew_leaves_even_while_the_first_delivery_is_held(agency: Agency) -> None:
    agency.sync(expect=3)

    assert box(agency) == {number: email for number, email in BEFORE.items() if number != "2"}
    assert lines(agency, "calls") == ["remove 1"]


def test_an_audience_that_adds_only_keeps_nobody_who_is_not_cleared(agency: Agency) -> None:
    agency.add('mode = "append"\n')

    agency.sync("--force")

    assert sorted(filter(None, box(agency).values())) == [f"p{number}@example.com" for number in range(1, 7)]


def test_an_audience_that_cannot_be_read_now_gets_nothing_and_is_taken_over_by_the_next_run(agency: Agency) -> None:
    closed = agency.folder / "box.closed"
    closed.touch()

    failed = news(agency.sync("--force", expect=4))

    assert (failed["status"], failed["error"]["text"]) == ("failed", "who is in box cannot be read: closed for the day")
    assert box(agency) == BEFORE
    closed.unlink()
    agency.sync("--force")
    assert len(box(agency)) == 6


def test_whom_nobody_can_see_stays_and_it_is_said(agency: Agency) -> None:
    agency.change('plugin = "letterbox"', 'plugin = "slot"')

    synced = news(agency.sync("--force"))

    assert any("whoever was in it before hub stays until removed there" in note for note in synced["notes"])
    assert set(BEFORE.items()) <= set(box(agency).items())
    assert len(box(agency)) == len(BEFORE) + 6


def test_a_sync_that_keeps_one_audience_does_not_slip_into_another(agency: Agency) -> None:
    agency.change('audience_id = "box"\nadopt = true\n', 'audience = "crate"\n')
    (agency.folder / "crate.json").write_text("{}")
    agency.sync("--force")
    agency.add('audience_id = "box"\nadopt = true\n')

    told = agency.hub("sync", "acme", "--force", expect=2).stderr

    assert "'crate' is kept as crate already, and audience_id names box" in told
    assert box(agency) == BEFORE


def test_two_syncs_do_not_keep_one_audience_under_two_names(agency: Agency) -> None:
    agency.sync("--force")
    agency.change('audience_id = "box"\nadopt = true\n', "")
    agency.add(
        """
        [syncs.more]
        segment = "all"
        destination = "list"
        audience = "Everybody"
        audience_id = "box"
        adopt = true
        """
    )

    told = agency.hub("sync", "acme", "--force", expect=2).stderr

    assert "the audience box is kept already, as 'all'" in told
