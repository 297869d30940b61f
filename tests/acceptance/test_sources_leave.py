"""A source that is switched off or taken out of the file: what it said about refusals stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.kit import Agency

OUTS = """
[sources.outs]
plugin = "csv"

[[sources.outs.files]]
path = "outs.csv"
table = "consents"
columns = { subject = "Who", channel = "Where", status = "Says", recorded_at = "When" }
"""
OUT = "p3@example.com"


@pytest.fixture
def heard(agency: Agency) -> Agency:
    """Return an agency whose second source says that p3 unsubscribed, where the shop says yes."""
    agency.add(OUTS)
    agency.folder.joinpath("outs.csv").write_text(
        f"Who,Where,Says,When\n{OUT},email,unsubscribed,2026-03-01 10:00:00\n"
    )
    agency.shop.people(5)
    agency.started()
    assert OUT not in agency.held()
    return agency


@pytest.mark.parametrize("how", [[], ["--no-pull"]], ids=["pull", "no pull"])
@pytest.mark.parametrize("gone", ["", OUTS.replace('plugin = "csv"', 'plugin = "csv"\nenabled = false', 1)])
def test_who_said_no_there_is_not_added_when_the_source_is_gone(heard: Agency, gone: str, how: list[str]) -> None:
    heard.change(OUTS, gone)

    for _ in range(2):
        heard.sync(*how)

    assert OUT not in heard.held()
    assert heard.held() == {f"p{number}@example.com" for number in (1, 2, 4, 5)}


def test_a_question_asked_first_forgets_nobody(heard: Agency) -> None:
    heard.change(OUTS, "")

    heard.hub("explain", "acme", OUT)
    heard.sync()

    assert OUT not in heard.held()


def test_a_newer_opt_in_counts_again(heard: Agency) -> None:
    heard.change(OUTS, OUTS.replace("outs", "ins"))
    Path(heard.folder / "ins.csv").write_text(f"Who,Where,Says,When\n{OUT},email,subscribed,2026-04-01 10:00:00\n")

    heard.sync()

    assert OUT in heard.held()
