"""Between two mails to one person is the pause of the sync and the cap over all, also where the address changes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.sync.numbers import SyncNumbers
from hub.sync.retry import retry
from tests.acceptance.kit import Agency, only

MAILS = """
[destinations.post]
plugin = "poster"

[syncs.welcome]
segment = "all"
destination = "post"
"""
SECOND = """
[syncs.second]
segment = "buyers"
destination = "post"

[segments.buyers]
plugin = "buyers"
"""


@pytest.fixture
def mailing(agency: Agency) -> Agency:
    agency.change(
        '[destinations.list]\nplugin = "keeper"\n\n[syncs.news]\nsegment = "all"\ndestination = "list"\n', MAILS
    )
    agency.shop.people(2)
    agency.shop.write(agency.clock() - timedelta(minutes=1))
    assert only(agency.run(force=True).syncs).delivered == 2
    return agency


def run(agency: Agency, **later: float) -> SyncNumbers:
    agency.clock.go(**later)
    agency.shop.write(agency.clock() - timedelta(minutes=1))
    sync: SyncNumbers = only(each for each in agency.run(force=True).syncs if each.name == "welcome")
    return sync


def test_a_changed_address_is_no_new_person(mailing: Agency) -> None:
    mailing.shop.of("p1@example.com").email = "other@example.com"

    capped = run(mailing, hours=15)
    assert (capped.add, set(capped.withheld) & {"COOLDOWN", "FREQUENCY_CAP"} != set()) == (0, True)

    paused = run(mailing, days=6, hours=8, minutes=59)
    assert (paused.add, paused.withheld) == (0, {"COOLDOWN": 1})
    assert sorted(mailing.got("post")) == ["p1@example.com", "p2@example.com"]

    assert run(mailing, minutes=1).delivered == 1
    assert mailing.got("post")[2:] == ["other@example.com"]


def test_a_changed_address_counts_for_the_cap_over_all_syncs(mailing: Agency) -> None:
    mailing.shop.of("p1@example.com").email = "other@example.com"
    mailing.shop.buy("other@example.com", mailing.clock() - timedelta(days=1))
    mailing.shop.buy("p2@example.com", mailing.clock() - timedelta(days=1))
    mailing.add(SECOND)

    for hours, expected in ((15, []), (2, ["other@example.com", "p2@example.com"])):
        run(mailing, hours=hours)
        assert sorted(mailing.got("post")[2:]) == expected


def test_who_was_mailed_before_a_kill_is_known_by_another_address_too(mailing: Agency) -> None:
    """The accounts are counted by a later run where the one that mailed could not."""
    with mailing.wiring().open_ledger() as ledger:
        ledger.memory("").set("counted_for_accounts", None)
        ledger.execute("delete from deliveries where delivery_id > 2")
    run(mailing, minutes=30)
    mailing.shop.of("p1@example.com").email = "other@example.com"

    assert run(mailing, hours=1).add == 0


@pytest.fixture
def unsure(agency: Agency) -> Agency:
    """Return an agency of whose two mails nobody knows whether they arrived."""
    agency.change(
        '[destinations.list]\nplugin = "keeper"\n\n[syncs.news]\nsegment = "all"\ndestination = "list"\n', MAILS
    )
    agency.shop.people(2)
    agency.fault("unknown", "post")
    agency.shop.write(agency.clock() - timedelta(minutes=1))
    assert only(agency.run(force=True).syncs).unknown == 2
    agency.fault("", "post")
    return agency


def again(agency: Agency, **later: float) -> SyncNumbers:
    """Ask for another attempt, some time later."""
    agency.clock.go(**later)
    sync: SyncNumbers = only(
        each for each in retry(agency.wiring(), None, unknown=True).syncs if each.name == "welcome"
    )
    return sync


def test_what_did_not_arrive_is_no_reason_to_wait(unsure: Agency) -> None:
    assert (again(unsure, minutes=5).delivered, len(unsure.got("post"))) == (2, 4)

    assert (again(unsure, minutes=5).add, len(unsure.got("post"))) == (0, 4)


def test_another_mail_is_and_the_attempt_waits_for_its_time(unsure: Agency) -> None:
    unsure.shop.buy("p2@example.com", unsure.clock() - timedelta(days=1))
    unsure.add(SECOND)
    unsure.change('plugin = "poster"\n', 'plugin = "poster"\n\n[destinations.other]\nplugin = "poster"\n')
    unsure.change('segment = "buyers"\ndestination = "post"', 'segment = "buyers"\ndestination = "other"')
    unsure.clock.go(hours=17)
    unsure.shop.write(unsure.clock() - timedelta(minutes=1))
    unsure.run(force=True)
    assert unsure.got("other") == ["p2@example.com"]

    capped = again(unsure, minutes=5)
    assert (capped.delivered, capped.remove, capped.withheld) == (1, 0, {"FREQUENCY_CAP": 1})
    assert unsure.got("post")[2:] == ["p1@example.com"]

    assert run(unsure, hours=17).delivered == 1
    assert unsure.got("post")[3:] == ["p2@example.com"]
