"""A source that is switched off or taken out of the file: what it said about refusals stays."""

from __future__ import annotations

import pytest

from tests.acceptance.kit import OPT_OUTS, Agency

OUT = "p3@example.com"


@pytest.fixture
def heard(agency: Agency) -> Agency:
    """Return an agency whose second source says that p3 unsubscribed, where the shop says yes."""
    agency.add(OPT_OUTS)
    agency.shop.people(5).write()
    (agency.folder / "exports" / "outs.csv").write_text(
        f"who,channel,status,at\n{OUT},email,unsubscribed,2026-03-01 10:00:00\n"
    )
    agency.started()
    assert OUT not in agency.held()
    return agency


@pytest.mark.parametrize("how", [[], ["--no-pull"]], ids=["pull", "no pull"])
@pytest.mark.parametrize("gone", ["", OPT_OUTS.replace('plugin = "csv"', 'plugin = "csv"\nenabled = false', 1)])
def test_who_said_no_there_is_not_added_when_the_source_is_gone(heard: Agency, gone: str, how: list[str]) -> None:
    heard.change(OPT_OUTS, gone)

    for _ in range(2):
        heard.sync(*how)

    assert OUT not in heard.held()
    assert heard.held() == {f"p{number}@example.com" for number in (1, 2, 4, 5)}


def test_a_question_asked_first_forgets_nobody(heard: Agency) -> None:
    heard.change(OPT_OUTS, "")

    heard.hub("explain", "acme", OUT)
    heard.sync()

    assert OUT not in heard.held()


def test_a_newer_opt_in_counts_again(heard: Agency) -> None:
    heard.change(OPT_OUTS, OPT_OUTS.replace("outs", "ins"))
    (heard.folder / "exports" / "ins.csv").write_text(
        f"who,channel,status,at\n{OUT},email,subscribed,2026-04-01 10:00:00\n"
    )

    heard.sync()

    assert OUT in heard.held()
