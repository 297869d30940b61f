"""``hub drift``: what somebody changed by hand at a destination is found, and nothing is changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.kit import Agency, only

SHELF = '''
"""A vendor whose audience is a file that people can edit."""

import json

from hub import api


class Settings(api.Config):
    """None."""


class Shelf(api.Destination[Settings]):
    """Keep addresses in a file."""

    name, Config = "shelf", Settings
    can = api.Capabilities(ops={op: api.Limit(10) for op in (api.Op.ADD, api.Op.REMOVE)})

    @property
    def place(self):
        return self.shop.workspace / "shelf.json"

    def read(self):
        return json.loads(self.place.read_text()) if self.place.exists() else []

    def push(self, batch):
        held = dict.fromkeys(self.read())
        for member in batch:
            if batch.op is api.Op.ADD:
                held[member.email] = None
            else:
                held.pop(member.email, None)
            yield member.delivered()
        self.place.write_text(json.dumps(list(held)))

    def read_members(self, audience):
        if self.place.with_suffix(".closed").exists():
            raise api.TransientError("closed for the day")
        for email in self.read():
            yield api.Member(email, email=email.upper())


class Tray(Shelf):
    """The same, and it never says that it is done."""

    name = "tray"

    def push(self, batch):
        list(super().push(batch))
        yield from batch.accepted("slip")

    def poll(self, batch):
        yield api.Pending()


@api.hookimpl
def hub_destinations():
    return [Shelf, Tray]
'''


@pytest.fixture(scope="module")
def shelved_once(tmp_path_factory: pytest.TempPathFactory, empty_keyring: None) -> Agency:
    """Deliver five people to the shelf."""
    agency = Agency(tmp_path_factory.mktemp("shelved") / "agency")
    (agency.folder / "plugins" / "shelf.py").write_text(SHELF)
    agency.change('plugin = "keeper"', 'plugin = "shelf"')
    agency.shop.people(5)
    return agency.started()


@pytest.fixture
def shelved(shelved_once: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    return shelved_once.copied(tmp_path / "agency")


def edit(agency: Agency, *, add: str | None = None, remove: str | None = None) -> None:
    place = agency.folder / "shelf.json"
    held = [each for each in json.loads(place.read_text()) if each != remove]
    place.write_text(json.dumps([*held, *([add] if add else [])]))


def drift(agency: Agency) -> dict[str, Any]:
    return only(agency.hub("drift", "acme", "--json").json)


def test_an_audience_nobody_touched_has_no_drift(shelved: Agency) -> None:
    found = drift(shelved)

    assert (found["held"], found["read"], found["added_count"], found["missing_count"]) == (5, 5, 0, 0)
    assert "nobody else" in shelved.hub("drift", "acme").stdout


def test_one_added_and_one_removed_by_hand_are_found_and_left_alone(shelved: Agency) -> None:
    edit(shelved, add="stranger@example.org", remove="p3@example.com")
    before = (shelved.folder / "shelf.json").read_text()

    found = drift(shelved)

    assert (found["held"], found["read"]) == (5, 5)
    assert (found["added_count"], found["added"]) == (1, ["S…@EXAMPLE.ORG"])
    assert (found["missing_count"], found["missing"]) == (1, ["p…@example.com"])
    assert (shelved.folder / "shelf.json").read_text() == before
    told = shelved.hub("drift", "acme", "--only", "news").stdout
    assert "1 added there" in told
    assert "1 missing there" in told


def test_who_is_on_the_way_is_neither_strange_nor_held(shelved: Agency) -> None:
    shelved.change('plugin = "shelf"', 'plugin = "tray"')
    shelved.shop.people(2, start=6).write()
    shelved.sync()

    found = drift(shelved)

    assert (found["held"], found["unsettled"], found["read"]) == (5, 2, 7)
    assert (found["added_count"], found["missing_count"]) == (0, 0)
    assert "of 2 more it is not settled yet" in shelved.hub("drift", "acme").stdout


def test_an_audience_that_cannot_be_read_says_why(shelved: Agency) -> None:
    (shelved.folder / "shelf.closed").touch()

    assert drift(shelved)["why_not"] == "closed for the day"


def test_a_destination_without_reading_and_a_sync_without_delivery_say_so(agency: Agency) -> None:
    agency.shop.people(2).write()
    assert drift(agency)["why_not"] == "nothing was delivered yet"

    agency.sync("--force")
    assert "does not let one read" in drift(agency)["why_not"]


def test_a_sync_that_does_not_exist_is_an_error(agency: Agency) -> None:
    assert "there is no sync 'nws'" in agency.hub("drift", "acme", "--only", "nws", expect=2).stderr
