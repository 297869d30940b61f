"""A plugin that breaks fails what it is part of and is named; everything else goes on."""

from __future__ import annotations

from textwrap import indent
from typing import Any

import pytest

from tests.acceptance.kit import START, Agency

DESTINATION = '''
"""A destination that a test breaks."""

import sys
from datetime import timedelta
from pathlib import Path

from hub import api


class Settings(api.Config):
    """None."""


class Faulty(api.Destination[Settings]):
    """Write down whom it got, and break where the test says."""

    name, Config = "faulty", Settings
    can = api.Capabilities(ops={op: api.Limit(5) for op in api.Op})

    @property
    def told(self):
        return self.shop.workspace / "told.txt"

    @property
    def broken(self):
        return (self.shop.workspace / "broken").exists()

    def push(self, batch):
        with self.told.open("a") as file:
            for member in batch:
                file.write(f"{batch.op} {member.email}\\n")
                yield member.delivered()

BODY

@api.hookimpl
def hub_destinations():
    return [Faulty]
'''
SIZED = "can = api.Capabilities(ops={op: api.Limit(5, 1_000) for op in api.Op})\n"
OTHERWISE = """
def serving(self, purpose):
    other = Faulty(connection=self.connection, config=self.config, shop=self.shop, remember=self.remember)
    other.can = api.Capabilities(ops={api.Op.ADD: api.Limit(5)}, CAN)
    return other
"""
CLIENT = """
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[segments.all]
plugin = "everyone"

[destinations.vendor]
plugin = "faulty"

[destinations.list]
plugin = "keeper"

[syncs.news]
segment = "all"
destination = "vendor"

[syncs.more]
segment = "all"
destination = "list"
"""


def wire(agency: Agency, body: str, *, broken: bool = True) -> None:
    """Add a destination whose class ends in some lines, before another one that keeps well."""
    (agency.folder / "plugins" / "faulty.py").write_text(DESTINATION.replace("BODY", indent(body, "    ")))
    agency.client(CLIENT)
    agency.shop.people(3).write()
    if broken:
        break_it(agency)


def break_it(agency: Agency) -> None:
    (agency.folder / "broken").touch()


def told(agency: Agency) -> list[str]:
    file = agency.folder / "told.txt"
    return sorted(file.read_text().splitlines()) if file.exists() else []


def fail_alone(agency: Agency, error: str = "destination vendor (plugin faulty") -> Any:
    """Sync, and check that the broken sync alone failed and is named, without a word of what the plugin knows."""
    done = agency.hub("sync", "acme", "--json", "--force", expect=4)
    first, second = done.json["syncs"]
    assert (first["status"], second["status"]) == ("failed", "ok")
    assert error in first["error"]["text"]
    assert first["error"]["next_step"]
    said = done.stdout + done.stderr + agency.hub("status", "acme", expect=1).stdout
    assert "failed unexpectedly" not in said
    assert "Traceback" not in said
    assert "@example.com" not in said
    return first


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("ensure_audience", "def ensure_audience(self, name):\n    raise KeyError('p1@example.com')"),
        ("prepare", "def prepare(self, attributes):\n    raise KeyError('p1@example.com')"),
        ("row", SIZED + "def row(self, member):\n    return {'of': member.attributes['p1@example.com']}"),
        ("serving", "def serving(self, purpose):\n    raise KeyError('p1@example.com')"),
        ("serving", "def serving(self, purpose):\n    return None"),
        ("purpose", "purpose = property(lambda self: self.nothing)"),
        ("cooldown", "@property\ndef cooldown(self):\n    raise KeyError('p1@example.com')"),
        ("cooldown", "cooldown = 3"),
        ("cap", OTHERWISE.replace("CAN", "cap=24")),
        ("concurrent", OTHERWISE.replace("CAN", "rate=api.Rate(concurrent=0)")),
        ("serves the purpose 'cats'", "can = api.Capabilities(ops={api.Op.ADD: api.Limit(5)}, purpose='cats')"),
        ("first_load", "def first_load(self, audience):\n    raise KeyError('p1@example.com')"),
        ("push", "def push(self, batch):\n    sys.exit(3)"),
    ],
)
def test_whatever_a_destination_breaks_in_fails_its_syncs_alone(agency: Agency, method: str, body: str) -> None:
    wire(agency, body)

    failed = fail_alone(agency)

    assert method in failed["error"]["text"]
    assert told(agency) == []
    assert len(agency.got()) == 3


def test_an_error_that_a_destination_raises_on_purpose_stays_what_it_is(agency: Agency) -> None:
    wire(agency, "def serving(self, purpose):\n    raise api.ConfigError('no such list', next_step='Name one.')")

    done = agency.hub("sync", "acme", "--force", expect=2)

    assert "no such list" in done.stderr
    assert "Name one." in done.stderr


def test_a_plan_tells_of_a_destination_that_cannot_serve(agency: Agency) -> None:
    wire(agency, "def serving(self, purpose):\n    raise KeyError('p1@example.com')")

    first, second = agency.hub("plan", "acme", "--json", expect=4).json["syncs"]

    assert "raised KeyError in serving: '<email>'" in first["error"]["text"]
    assert second["add"] == 3


@pytest.mark.parametrize("method", ["prepare", "row"])
def test_who_withdrew_leaves_although_nobody_can_be_added(agency: Agency, method: str) -> None:
    body = {
        "prepare": "def prepare(self, attributes):\n    if self.broken:\n        raise ValueError('no')",
        "row": SIZED + "def row(self, member):\n    return {'a': self.broken and member.attributes and 1 / 0}",
    }[method]
    wire(agency, body, broken=False)
    agency.hub("sync", "acme", "--force")
    agency.shop.of("p1@example.com").says = "no"
    agency.shop.people(1, start=9).write()
    agency.change('destination = "vendor"\n', 'destination = "vendor"\nattributes = { land = "country" }\n')
    break_it(agency)

    fail_alone(agency)

    assert told(agency)[3:] == ["remove p1@example.com"]
    assert agency.held() == {"p2@example.com", "p3@example.com", "p9@example.com"}


def test_a_destination_that_breaks_when_it_is_closed_changes_nothing(agency: Agency) -> None:
    wire(agency, "def close(self):\n    raise ValueError('too late')")

    done = agency.hub("sync", "acme", "--json", "--force")

    assert [each["status"] for each in done.json["syncs"]] == ["ok", "ok"]
    assert agency.hub("check", "acme").code == 0


POLLED = """
def push(self, batch):
    yield from batch.accepted('job-1')

def poll(self, batch):
    if not self.broken:
        yield api.Pending(1)
        return
    POLL
"""


@pytest.mark.parametrize(
    "poll", ["raise KeyError('p1@example.com')", "return", "raise api.PluginError('no job', next_step='Report it.')"]
)
def test_a_job_that_cannot_be_looked_at_is_told_and_new_changes_go(agency: Agency, poll: str) -> None:
    wire(agency, POLLED.replace("POLL", poll), broken=False)
    agency.shop.write(START)
    agency.run(force=True)
    agency.shop.people(1, start=9).write(START)
    break_it(agency)
    agency.clock.go(hours=1)

    first, second = agency.run(force=True).syncs

    assert (first.status, second.status) == ("failed", "ok")
    assert first.trouble is not None
    assert first.trouble.next_step
    assert "@" not in first.trouble.text
    assert (first.add, first.accepted) == (1, 1)


def test_refused_credentials_of_a_job_stop_the_connection(agency: Agency) -> None:
    wire(agency, POLLED.replace("POLL", "raise api.AuthError('401', next_step='Renew it.')"), broken=False)
    agency.shop.write(START)
    agency.run(force=True)
    agency.shop.people(1, start=9).write(START)
    agency.add('[syncs.later]\nsegment = "all"\ndestination = "vendor"\naudience = "other"\n')
    break_it(agency)
    agency.clock.go(hours=1)

    numbers = agency.run(force=True)

    first, second, later = numbers.syncs
    assert (first.status, second.status, later.status) == ("failed", "ok", "failed")
    assert first.trouble is not None
    assert (first.trouble.text, first.trouble.next_step) == ("401", "Renew it.")
    assert (first.accepted, first.held_back, later.accepted) == (0, 1, 0)
    assert numbers.exit_code == 4


@pytest.mark.parametrize("gives", ["17", "'list-17'"])
def test_the_id_of_an_audience_may_be_a_number(agency: Agency, gives: str) -> None:
    wire(agency, f"def ensure_audience(self, name):\n    return {gives}")

    assert agency.sync("--force")["syncs"][0]["delivered"] == 3
    agency.shop.of("p1@example.com").says = "no"
    agency.shop.write()
    assert agency.sync("--force")["syncs"][0]["delivered"] == 1


@pytest.mark.parametrize("gives", ["None", "''", "['list-17']"])
def test_an_audience_without_an_id_fails_its_sync(agency: Agency, gives: str) -> None:
    wire(agency, f"def ensure_audience(self, name):\n    return {gives}")

    assert "ensure_audience" in fail_alone(agency)["error"]["text"]


@pytest.mark.parametrize(
    ("forget", "why"),
    [
        ("raise KeyError('p1@example.com')", "raised KeyError in forget: '<email>'"),
        ("raise api.AuthError('401 for p1@example.com')", "401 for <email>"),
        ("return None", "broke the contract: forget yielded NoneType"),
        ("sys.exit(3)", "raised SystemExit in forget"),
        ("return member.failed('later')", "not erased (later)"),
        ("return member.unknown('no answer')", "not erased (no answer)"),
    ],
)
def test_an_erasure_goes_on_where_one_destination_does_not_erase(agency: Agency, forget: str, why: str) -> None:
    wire(agency, f"def forget(self, member):\n    {forget}\n\ndef close(self):\n    raise ValueError('too late')")
    agency.hub("sync", "acme", "--force")

    receipt = agency.hub("forget", "acme", "p1@example.com", "--json").json

    (said,) = (line for line in receipt["open"] if line.startswith("vendor: "))
    assert why in said
    assert "@example.com" not in str(receipt)
    assert any(line.startswith("ledger: every identifier erased") for line in receipt["done"])
    assert "p1@example.com" not in agency.held()
    assert b"p1@example.com" not in (agency.state / "ledger.sqlite").read_bytes()


def test_who_a_file_still_holds_after_a_failed_erasure_leaves_with_its_next_replacement(agency: Agency) -> None:
    replaces = "can = api.Capabilities(ops={api.Op.ADD: api.Limit(5)}, replaces=True)\n"
    wire(agency, f"{replaces}def forget(self, member):\n    return member.failed('later')")
    agency.hub("sync", "acme", "--force")

    agency.hub("forget", "acme", "p1@example.com")
    agency.hub("sync", "acme", "--force")

    assert told(agency) == sorted(2 * ["add p2@example.com", "add p3@example.com"] + ["add p1@example.com"])
