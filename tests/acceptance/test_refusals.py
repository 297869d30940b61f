"""A segment that refuses to answer changes nothing at its audience but what a record demands."""

from __future__ import annotations

from tests.acceptance.kit import Agency, only

PICKY = '''
from hub import api


class Settings(api.Config):
    least: int = api.Field(default=1, description="people needed")


class Picky(api.Segment[Settings]):
    """Everybody, where there are enough of them."""

    name, version, Config = "picky", 1, Settings
    sql = "select person_id from people"

    def prepare(self, catalog, as_of):
        people = catalog.table("select count(*) as n from people")["n"][0].as_py()
        if people < self.config.least:
            return api.Prepared(refused=f"population_too_small: {people} people, {self.config.least} are needed")
        return api.Prepared()


@api.hookimpl
def hub_segments():
    return [Picky]
'''
TOO_FEW = "population_too_small: 22 people, 30 are needed"


def picky(running: Agency) -> Agency:
    (running.folder / "plugins" / "picky.py").write_text(PICKY)
    running.change('plugin = "everyone"', 'plugin = "picky"\nleast = 20')
    running.sync()
    running.change("least = 20", "least = 30")
    return running


def test_a_refused_segment_leaves_its_audience_alone_until_it_has_an_answer(running: Agency) -> None:
    agency = picky(running)
    before = agency.held()

    run = agency.sync(expect=3)
    sync = only(run["syncs"])

    assert (sync["status"], sync["add"], sync["remove"], sync["delivered"]) == ("refused", 0, 0, 0)
    assert [(each["guard"], each["text"]) for each in sync["guards"]] == [("segment", TOO_FEW)]
    assert "change the settings of segment all" in sync["guards"][0]["next_step"]
    assert agency.held() == before
    assert run["segments"] == [{"name": "all", "members": 0, "notes": [TOO_FEW]}]


def test_a_withdrawal_leaves_a_refused_segment_too(running: Agency) -> None:
    agency = picky(running)
    agency.shop.of("p3@example.com").says = "no"
    agency.shop.write()

    sync = only(agency.sync(expect=3)["syncs"])

    assert (sync["remove"], sync["delivered"]) == (1, 1)
    assert "p3@example.com" not in agency.held()


def test_an_approval_does_not_make_up_for_an_answer(running: Agency) -> None:
    agency = picky(running)
    agency.sync(expect=3)
    before = agency.held()

    assert "Nothing holds news" in agency.hub("approve", "acme", "news").stdout
    forced = only(agency.sync("--force", expect=3)["syncs"])

    assert [each["guard"] for each in forced["guards"]] == ["segment"]
    assert agency.held() == before


def test_the_list_names_the_refusal_and_a_sample_is_refused(running: Agency) -> None:
    agency = picky(running)

    listed = agency.hub("segments", "list", "acme")
    sample = agency.hub("segments", "preview", "acme", "all", expect=1)

    assert f"note: all: {TOO_FEW}" in listed.stderr
    assert TOO_FEW in sample.stderr


def test_an_audience_smaller_than_the_segments_min_size_is_not_touched(running: Agency) -> None:
    running.change('plugin = "everyone"', 'plugin = "everyone"\nmin_size = 23')
    before = running.held()

    sync = only(running.sync(expect=3)["syncs"])
    running.change("min_size = 23", "min_size = 22")

    assert [each["text"] for each in sync["guards"]] == ["22 people, fewer than min_size = 23"]
    assert running.held() == before
    assert only(running.sync()["syncs"])["unchanged"] == 20


TWO_LISTS = """
[segments.buyers]
plugin = "buyers"

[syncs.thanks]
segment = "buyers"
destination = "list"
audience = "Thanks"
"""


def test_a_person_in_several_segments_of_the_priority_list_goes_to_the_first_only(running: Agency) -> None:
    running.add(TWO_LISTS)
    running.change('name = "Acme Shoes"', 'name = "Acme Shoes"\npriority = ["buyers", "all"]')

    planned = {each["name"]: each for each in running.hub("plan", "acme", "--json").json["syncs"]}
    told = running.hub("explain", "acme", "p1@example.com").stdout

    assert (planned["thanks"]["members"], planned["news"]["members"]) == (5, 17)
    assert (planned["news"]["remove"], planned["thanks"]["add"]) == (5, 5)
    assert "in buyers, which comes first in the priority list" in told
    assert [each["guard"] for each in planned["news"]["guards"]] == ["changed-definition"]


def test_check_names_a_limit_by_something_that_is_no_evidence_and_a_select_that_does_not_pass(running: Agency) -> None:
    running.change('plugin = "everyone"', 'plugin = "everyone"\nlimit = { count = 5, by = "spend" }')
    limit = running.hub("check", "acme", "--offline", expect=2)
    running.change('\nlimit = { count = 5, by = "spend" }', "")
    (running.folder / "plugins" / "picky.py").write_text(
        PICKY.replace('from people"\n\n    def', 'from persons"\n\n    def')
    )
    running.change('plugin = "everyone"', 'plugin = "picky"')

    assert "segment 'all' has a limit by 'spend', which is no evidence of it; there is none" in limit.stdout
    assert "a strategy may not read 'persons'" in running.hub("check", "acme", "--offline", expect=2).stdout
