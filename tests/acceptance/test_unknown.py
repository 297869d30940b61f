"""Members of whom nobody knows whether the destination has them: they may, until it said that they were removed."""

from __future__ import annotations

import pytest

from hub.ledger import MemberState
from tests.acceptance.kit import Agency, only

LATE = "p100@example.com"


@pytest.fixture
def unsure(running: Agency) -> Agency:
    """Return an agency whose list may have p100, who said yes after the first delivery."""
    running.shop.people(1, start=100).write()
    running.fault("unknown")
    assert only(running.sync(expect=4)["syncs"])["unknown"] == 1
    running.fault("")
    assert LATE in running.held()
    return running


def late(agency: Agency) -> list[MemberState]:
    """Return the states of whoever is not simply held."""
    return [state for state in agency.members().values() if state is not MemberState.HELD]


def test_who_withdraws_is_removed_though_another_attempt_was_asked_for(unsure: Agency) -> None:
    unsure.hub("suppress", "acme", LATE)

    unsure.hub("retry", "acme", "--unknown")

    assert LATE not in unsure.held()
    assert unsure.got(op="remove") == [LATE]


def test_who_is_refused_by_the_next_attempt_may_still_be_held(unsure: Agency) -> None:
    unsure.fault("reject")
    unsure.sync(expect=4)
    assert late(unsure) == [MemberState.UNKNOWN]
    unsure.fault("")

    unsure.hub("suppress", "acme", LATE)
    unsure.sync()

    assert LATE not in unsure.held()


def test_refused_again_and_again_is_not_tried_for_ever(unsure: Agency) -> None:
    unsure.fault("reject")
    # Refused, taken out, since it may be there; tried as anybody new, and refused for good.
    for code in (4, 0, 4, 0):
        unsure.sync(expect=code)
    assert late(unsure) == [MemberState.REFUSED]
    writes = unsure.writes()

    unsure.sync()
    unsure.sync()

    assert unsure.writes() == writes


@pytest.fixture
def posted(agency: Agency) -> Agency:
    """Return an agency whose destination must get nothing twice, and may have got p1."""
    agency.change('plugin = "keeper"', 'plugin = "once"')
    agency.shop.people(1).write()
    agency.fault("unknown")
    agency.hub("sync", "acme", "--force", expect=4)
    agency.fault("")
    return agency


def test_what_must_not_happen_twice_happens_again_only_when_somebody_says_so_and_once(posted: Agency) -> None:
    posted.sync()
    assert len(posted.got()) == 1

    posted.hub("retry", "acme", "--unknown")
    posted.sync()

    assert posted.got() == ["p1@example.com"] * 2
    assert set(posted.members().values()) == {MemberState.HELD}


def test_somebody_who_withdrew_meanwhile_is_not_tried_again(posted: Agency) -> None:
    posted.hub("suppress", "acme", "p1@example.com")

    posted.hub("retry", "acme", "--unknown")

    assert len(posted.got()) == 1


def test_who_may_have_got_it_was_not_refused(agency: Agency) -> None:
    agency.change('plugin = "keeper"', 'plugin = "once"')
    agency.shop.people(1).write()
    agency.fault("unknown")

    (note,) = only(agency.sync("--force", expect=4)["syncs"])["notes"]

    assert note.partition("…")[2] == ": no answer came"


def test_status_tells_of_it_until_somebody_decides(posted: Agency) -> None:
    posted.sync()

    status = posted.hub("status", "--json").json[0]
    said = posted.hub("status").stdout

    assert status["problems"] == [
        "news: whether 1 person got it is unknown, and it is not sent again by itself; if it did not arrive, run "
        "`hub retry acme --unknown --only news`"
    ]
    assert "Nobody must act." in said

    posted.hub("retry", "acme", "--unknown", "--only", "news")
    assert posted.hub("status", "--json").json[0]["problems"] == []
