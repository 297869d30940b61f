"""A source whose plugin breaks, or refuses, is a source that failed: named, and nobody's run is over."""

from __future__ import annotations

from textwrap import indent
from typing import Any

import pytest

from tests.acceptance.kit import Agency, only

SOURCE = '''
"""A source that a test breaks."""

import sys
from datetime import UTC, date, datetime

from hub import api


class Settings(api.Config):
    """None."""


class Faulty(api.Source[Settings]):
    """Products, and what the test says."""

    name, Config = "faulty", Settings
    streams = {"orders": api.Stream(("orders",))}

    def read(self, stream, since, now):
        yield api.Page({"orders": [dict(
            order_id="1", email="p2@example.com", placed_at="2026-01-01T00:00:00Z", status="paid", total="5",
            currency="DKK",
        )]})

    def reach(self, table):
        return api.Reach()

BODY

@api.hookimpl
def hub_sources():
    return [Faulty]
'''
MORE = """
[sources.till]
plugin = "faulty"

[segments.buying]
plugin = "buyers"

[syncs.buyers]
segment = "buying"
destination = "list"
"""


def wire(agency: Agency, body: str) -> None:
    (agency.folder / "plugins" / "faulty.py").write_text(SOURCE.replace("BODY", indent(body, "    ")))
    agency.shop.people(3).write()
    agency.add(MORE)


def fail(agency: Agency, *more: str) -> Any:
    """Sync, and check that the source failed alone and is named."""
    done = agency.hub("sync", "acme", "--json", "--force", *more, expect=3)
    shop, till = done.json["sources"]
    assert (shop["status"], till["status"]) == ("ok", "failed")
    said = done.stdout + done.stderr + agency.hub("status", "acme", expect=1).stdout
    assert "failed unexpectedly" not in said
    assert "@example.com" not in said
    return done.json


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("def read(self, *_):\n    raise api.RejectedError('404 for p1@example.com')", "404 for <email>"),
        ("def read(self, *_):\n    raise api.HubError('404 for p1@example.com')", "404 for <email>"),
        ("def read(self, *_):\n    raise api.SourceError('row of p1@example.com')", "row of <email>"),
        ("def read(self, *_):\n    sys.exit(3)", "SystemExit"),
        ("def reach(self, table):\n    raise KeyError('p1@example.com')", "raised KeyError in reach: '<email>'"),
        ("def reach(self, table):\n    raise api.RejectedError('404')", "404"),
        ("def reach(self, table):\n    return None", "reach of orders is no api.Reach"),
        ("def reach(self, table):\n    return datetime.now(UTC)", "reach of orders is no api.Reach"),
        ("def reach(self, table):\n    return api.Reach(date(2026, 1, 1))", "reach of orders is no api.Reach"),
        ("def reach(self, table):\n    return api.Reach(None, '2026-01-01')", "reach of orders is no api.Reach"),
    ],
)
def test_whatever_a_source_breaks_in_is_its_own_failure(agency: Agency, body: str, error: str) -> None:
    wire(agency, body)

    told = fail(agency)

    assert error in told["sources"][1]["error"]["text"]
    assert only(told["syncs"][1]["guards"])["guard"] == "source"
    assert "till" in only(told["syncs"][1]["guards"])["text"]


def test_who_withdrew_leaves_although_a_source_is_refused(agency: Agency) -> None:
    broken = "if (self.shop.workspace / 'broken').exists():\n        raise api.RejectedError('404')"
    wire(agency, f"def read(self, *_):\n    {broken}\n    yield api.Page({{}})")
    agency.hub("sync", "acme", "--force")
    (agency.folder / "broken").touch()
    agency.shop.of("p1@example.com").says = "no"
    agency.shop.write()

    fail(agency)

    assert "p1@example.com" not in agency.held()


def test_a_wrong_setting_that_a_source_finds_while_it_reads_stays_the_runs(agency: Agency) -> None:
    wire(agency, "def read(self, *_):\n    raise api.ConfigError('no such table')")

    assert "no such table" in agency.hub("sync", "acme", expect=2).stderr


def test_notes_of_a_source_are_told_without_addresses(agency: Agency) -> None:
    wire(agency, "def read(self, *_):\n    yield api.Page({}, notes=['left out p1@example.com, +4532123456'])")

    told = agency.sync("--force")

    assert told["sources"][1]["notes"] == ["left out <email>, <phone>"]
