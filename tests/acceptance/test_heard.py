"""Opt-outs that one destination knows hold for all of them, whichever syncs a run is about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.sync.numbers import RunNumbers
from hub.sync.run import RunOptions, run_client
from tests.acceptance.kit import Agency, only

VENDOR = '''
"""A vendor who knows who unsubscribed there."""

from datetime import UTC, datetime

from hub import api


class Settings(api.Config):
    token: api.Secret = api.Field(description="a secret that nobody looks at")


class Vendor(api.Destination[Settings]):
    """Takes nobody, and tells of those who said no."""

    name, Config = "vendor", Settings
    can = api.Capabilities(ops={op: api.Limit(10) for op in api.Op})

    def push(self, batch):
        for member in batch:
            yield member.delivered()

    def read_suppressions(self, since):
        with (self.shop.workspace / "asked.txt").open("a") as file:
            file.write(f"{self.connection}\\n")
        if (self.shop.workspace / "silent").exists():
            raise api.TransientError("no answer came")
        for address in (self.shop.workspace / "noes.txt").read_text().splitlines():
            if address == "refused":
                raise api.RejectedError("no such list")
            if address.startswith("odd "):
                _, what, value = address.split()
                given = {"reason": "unsubscribed", "recorded_at": None, "email": "p1@example.com"} | {what: value}
                yield api.Block(**given)
                return
            kind = "email" if "@" in address else "phone"
            yield api.Block("unsubscribed", datetime(2026, 11, 20, tzinfo=UTC), **{kind: address})


@api.hookimpl
def hub_destinations():
    return [Vendor]
'''
WIRED = """
[destinations.vendor]
plugin = "vendor"
"""
ITS_SYNC = """
[syncs.letters]
segment = "all"
destination = "vendor"
"""


@pytest.fixture
def wired(agency: Agency, monkeypatch: pytest.MonkeyPatch) -> Agency:
    monkeypatch.setenv("HUB_SECRET__ACME__VENDOR__TOKEN", "word")
    (agency.folder / "plugins" / "vendor.py").write_text(VENDOR)
    agency.add(WIRED)
    says_no(agency)
    agency.shop.people(3)
    return agency


def says_no(agency: Agency, *emails: str) -> None:
    (agency.folder / "noes.txt").write_text("\n".join(emails))


def run(agency: Agency) -> RunNumbers:
    wiring = agency.wiring()
    around = replace(wiring.around, environ={"HUB_SECRET__ACME__VENDOR__TOKEN": "word"})
    return run_client(replace(wiring, around=around), RunOptions("sync", force=True))


def silent(agency: Agency) -> None:
    (agency.folder / "silent").touch()


@pytest.mark.parametrize("more", ["", ITS_SYNC], ids=["without a sync", "with a sync of its own"])
def test_who_said_no_at_another_destination_is_not_delivered(wired: Agency, more: str) -> None:
    wired.add(more)
    wired.shop.write()
    says_no(wired, "p2@example.com")

    sync = only(wired.sync("--only", "news", "--force")["syncs"])

    assert wired.held() == {"p1@example.com", "p3@example.com"}
    assert sync["withheld"] == {"OPTED_OUT": 1}


@pytest.mark.parametrize("written", ["+4520123456", "20 12 34 56", "0045 20123456", "(+45) 20-12-34-56"])
def test_a_phone_is_found_however_the_vendor_writes_it(wired: Agency, written: str) -> None:
    wired.shop.of("p2@example.com").phone = "+4520123456"
    wired.shop.write()
    says_no(wired, written)

    wired.sync("--force")

    assert wired.held() == {"p1@example.com", "p3@example.com"}


def test_who_says_no_there_later_is_removed_by_a_run_that_is_not_about_it(wired: Agency) -> None:
    wired.add(ITS_SYNC)
    wired.started()
    says_no(wired, "p3@example.com")

    wired.sync("--only", "news")

    assert wired.held() == {"p1@example.com", "p2@example.com"}


def test_a_run_asks_each_destination_once(wired: Agency) -> None:
    wired.add(ITS_SYNC)
    wired.started()

    assert (wired.folder / "asked.txt").read_text().split() == ["vendor"]


def test_a_destination_that_was_never_heard_lets_nobody_in_and_everybody_out(wired: Agency) -> None:
    wired.shop.of("p1@example.com").says = "no"
    wired.shop.write()
    silent(wired)

    sync = only(wired.sync("--force")["syncs"])

    assert wired.held() == set()
    assert sync["notes"] == [
        "nobody is added on the email channel: vendor was never heard (no answer came)",
    ]
    (wired.folder / "silent").unlink()
    wired.sync("--force")
    assert wired.held() == {"p2@example.com", "p3@example.com"}
    silent(wired)
    wired.shop.of("p2@example.com").says = "no"
    wired.shop.write()
    wired.sync("--force")
    assert wired.held() == {"p3@example.com"}


def test_the_last_word_stands_for_a_day(wired: Agency) -> None:
    wired.shop.write(wired.clock())
    assert only(run(wired).syncs).delivered == 3
    silent(wired)

    wired.clock.go(hours=24)
    wired.shop.people(1, start=4).write(wired.clock())
    within = run(wired)
    assert only(within.syncs).delivered == 1
    assert "vendor cannot be heard (no answer came); its last word is less than 24 hours old and stands" in within.notes

    wired.clock.go(seconds=1)
    wired.shop.people(1, start=5).write(wired.clock())
    after = only(run(wired).syncs)
    assert (after.add, after.delivered) == (1, 0)
    assert after.notes == [
        "nobody is added on the email channel: vendor was last heard more than 24 hours ago (no answer came)"
    ]


def test_a_destination_that_lacks_its_secret_cannot_be_heard(wired: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_SECRET__ACME__VENDOR__TOKEN")
    wired.shop.write()

    sync = only(wired.sync("--force")["syncs"])

    assert wired.held() == set()
    (note,) = sync["notes"]
    assert note.startswith("nobody is added on the email channel: vendor was never heard (")
    assert "token" in note


def test_a_destination_whose_plugin_is_missing_cannot_be_heard(wired: Agency) -> None:
    (wired.folder / "plugins" / "vendor.py").unlink()
    wired.shop.write()

    sync = only(wired.sync("--force")["syncs"])

    assert wired.held() == set()
    assert "there is no destination plugin 'vendor'" in only(sync["notes"])


def test_a_destination_that_is_switched_off_is_not_asked(wired: Agency) -> None:
    wired.change('plugin = "vendor"', 'plugin = "vendor"\nenabled = false')
    wired.started()

    assert not (wired.folder / "asked.txt").exists()
    assert len(wired.held()) == 3


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("odd reason bounce", "a block whose reason is 'bounce', none of unsubscribed, soft_bounce"),
        ("odd channel mail", "a block whose channel is 'mail', none of *, email"),
        ("odd email p1@example.com", "reading its opt-outs failed"),
        ("refused", "no such list"),
    ],
)
@pytest.mark.parametrize("more", ["", ITS_SYNC], ids=["without a sync", "with a sync of its own"])
def test_what_cannot_be_understood_was_not_heard(wired: Agency, more: str, said: str, why: str) -> None:
    wired.add(more)
    wired.shop.of("p3@example.com").says = "no"
    wired.shop.write()
    says_no(wired)
    wired.sync("--force")
    says_no(wired, said)
    wired.shop.of("p2@example.com").says = "no"
    wired.shop.people(1, start=4).write()

    report = wired.sync("--force")

    assert wired.held() == {"p1@example.com", "p4@example.com"}
    assert any(f"vendor cannot be heard ({why}" in note or why in note for note in report["notes"])
