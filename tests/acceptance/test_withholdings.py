"""Checks that may only withhold: they take people out, never put anybody in, and where they fail nobody is added."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from hub.ledger import Ledger
from hub.plan.file import read_plan
from hub.report.words import CODES
from hub.sync import verdicts
from hub.sync.apply import apply_plan, plan_writer
from hub.sync.numbers import SyncNumbers
from hub.sync.run import RunOptions, run_client
from hub.sync.withholding import own_codes
from tests.acceptance.extending import COMPLAINTS, extend, install
from tests.acceptance.kit import Agency, only

P7 = "p7@example.com"


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory: pytest.TempPathFactory, empty_keyring: None) -> Agency:
    """An agency whose list holds p1@example.com to p20@example.com, verdicts kept; p21 and p22 said no."""
    agency = Agency(tmp_path_factory.mktemp("filled") / "agency")
    agency.shop.people(20).people(2, "no", start=21)
    write(agency)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "WORTH_STORING", 0)
        assert only(agency.run(force=True).syncs).delivered == 20
    return agency


@pytest.fixture
def filled(filled_once: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Agency:
    """A copy of that agency, for a test to spoil; its verdicts are kept."""
    monkeypatch.setattr(verdicts, "WORTH_STORING", 0)
    return filled_once.copied(tmp_path / "agency")


def complain(agency: Agency, *emails: str) -> None:
    """Let these customers, and nobody else, have a complaint open."""
    for customer in agency.shop.customers:
        customer.tags = "complaint" if customer.email in emails else ""
    agency.shop.write(agency.clock() - timedelta(minutes=1))


def write(agency: Agency) -> None:
    agency.shop.write(agency.clock() - timedelta(minutes=1))


def withheld(agency: Agency) -> dict[str, int]:
    """Return how many the ledger says are withheld."""
    with Ledger.open(agency.state, agency.clock) as ledger:
        return ledger.withheld_counts(only(ledger.audiences()).audience_id)


def test_whom_a_check_finds_is_withheld_by_its_code_in_plan_sync_and_ledger(agency: Agency) -> None:
    extend(agency, COMPLAINTS)
    agency.shop.people(5).people(1, "no", start=6)
    complain(agency, "p2@example.com", "p6@example.com")

    planned = agency.hub("plan", "acme", "--json").json
    markdown = agency.hub("plan", "acme", "--no-pull", "--markdown").stdout
    table = agency.hub("plan", "acme", "--no-pull").stdout
    sent = only(agency.sync("--force")["syncs"])

    sync = only(planned["syncs"])
    assert (sync["members"], sync["cleared"], sync["add"]) == (6, 4, 4)
    assert sync["withheld"] == sent["withheld"] == {"NO_CONSENT": 1, "OPEN_COMPLAINT": 1}
    assert planned["codes"] == {"OPEN_COMPLAINT": "complained, and nobody has answered yet"}
    assert "OPEN_COMPLAINT (complained, and nobody has answered yet)" in markdown
    assert "complained, and nobody has answered yet" in table
    assert agency.held() == {f"p{number}@example.com" for number in (1, 3, 4, 5)}
    assert withheld(agency) == {"NO_CONSENT": 1, "OPEN_COMPLAINT": 1}
    assert agency.hub("status", "--json").json[0]["withheld"] == withheld(agency)


def test_explain_says_why_before_and_after_the_first_delivery(agency: Agency) -> None:
    extend(agency, COMPLAINTS)
    agency.shop.people(2)
    complain(agency, "p2@example.com")
    agency.hub("pull", "acme")

    before = agency.hub("explain", "acme", "p2@example.com", "--json").json
    agency.sync("--force")
    after = agency.hub("explain", "acme", "p2@example.com").stdout
    other = agency.hub("explain", "acme", "p1@example.com").stdout

    (audience,) = only(before)["audiences"] if isinstance(before, list) else before["audiences"]
    assert (audience["cleared"], audience["code"]) == (True, "OPEN_COMPLAINT")
    assert audience["withheld_because"] == "complained, and nobody has answered yet"
    assert "yes, held back: OPEN_COMPLAINT" in after
    assert "complained, and nobody has answered yet" in " ".join(after.split())
    assert "OPEN_COMPLAINT" not in other


def test_somebody_in_the_audience_is_removed_and_comes_back_after_quiet_runs(filled: Agency) -> None:
    extend(filled, COMPLAINTS)
    complain(filled, P7)
    assert only(filled.run().syncs).remove == 1
    assert P7 not in filled.held()

    for _ in range(2):
        quiet: SyncNumbers = only(filled.run().syncs)
        assert (quiet.calls, quiet.unchanged, quiet.withheld["OPEN_COMPLAINT"]) == (0, 19, 1)

    complain(filled)
    assert only(filled.run().syncs).add == 1
    assert P7 in filled.held()


def test_a_check_that_comes_after_quiet_runs_is_heard_and_its_going_too(filled: Agency) -> None:
    complain(filled, P7)
    assert only(filled.run().syncs).calls == only(filled.run().syncs).calls == 0

    file = extend(filled, COMPLAINTS)
    assert only(filled.run().syncs).remove == 1

    file.unlink()
    assert only(filled.run().syncs).add == 1
    assert withheld(filled) == {"NO_CONSENT": 2}


def test_a_removal_by_a_check_waits_behind_the_guards(running: Agency) -> None:
    extend(running, COMPLAINTS.replace("where list_contains(tags, 'complaint')", ""))
    running.hub("suppress", "acme", P7)

    sync = only(running.sync(expect=3)["syncs"])

    assert [each["guard"] for each in sync["guards"]] == ["emptying"]
    assert running.got(op="remove") == [P7]
    assert len(running.held()) == 19


def test_in_an_audience_that_only_grows_a_check_keeps_people_out_and_removes_nobody(filled: Agency) -> None:
    filled.change('destination = "list"', 'destination = "list"\nmode = "append"')
    filled.run(force=True)
    extend(filled, COMPLAINTS)
    filled.shop.people(1, start=30)
    complain(filled, P7, "p30@example.com")

    sync = only(filled.run().syncs)

    assert (sync.add, sync.remove) == (0, 0)
    assert len(filled.held()) == 20


BY_SYNC = """
class Sleeping(api.Withholding):
    code = "SLEEPING"
    description = "sleeps"
    sql = '''
        select f.person_id from facts as f join people as p using (person_id)
        where f.orders >= 1 and p.email is not null
          and $client = 'acme' and $sync = 'more' and $destination = 'list' and $audience = 'second'
          and $purpose = 'email_marketing' and $as_of > timestamp '2000-01-01' -- the end
    '''

@api.hookimpl
def hub_withholdings():
    return [Sleeping]
"""


def test_a_check_knows_what_it_is_asked_for(running: Agency) -> None:
    extend(running, BY_SYNC)
    running.add('[syncs.more]\nsegment = "all"\ndestination = "list"\naudience = "second"\n')

    news, more = running.sync("--force")["syncs"]

    assert "SLEEPING" not in news["withheld"]
    assert (more["withheld"]["SLEEPING"], more["cleared"]) == (5, 15)


BROKEN = [
    ("select person_id from people", "select person_id from nowhere", "may not read 'nowhere'"),
    ("select person_id from people", "select person_id from read_csv('x')", "may not use the table function"),
    ("list_contains(tags, 'complaint')", "no_such_column = 1", "no_such_column"),
    ("list_contains(tags, 'complaint')", "first_name = $tag", "the SQL names $tag, which is no setting"),
    (
        "list_contains(tags, 'complaint')",
        "email::int = 1",
        "ConversionException: what DuckDB says of it may quote the data, and is not told here",
    ),
    ("select person_id from", "select email as person_id from", "its person_id is of type VARCHAR"),
    ("select person_id from people", "drop table people; select 1 from people", "cannot be run"),
    ('code = "OPEN_COMPLAINT"', 'code = "HOLDOUT"', "the code HOLDOUT is one of hub's own"),
    ('code = "OPEN_COMPLAINT"', 'code = "NO_CONSENT"', "the code NO_CONSENT is one of hub's own"),
    ('code = "OPEN_COMPLAINT"', 'code = "complaint"', "the code 'complaint' is not of A-Z, 0-9 and _"),
    ("    description", "    told", "OPEN_COMPLAINT has no description"),
    ("(api.Withholding)", "(api.StandIn)", "is not a subclass of api.Withholding"),
    ("return [OpenComplaint]", "return 1 / 0", "ZeroDivisionError"),
    ("class OpenComplaint", "import nothing_like_it\nclass OpenComplaint", "ModuleNotFoundError"),
    ("def hub_withholdings", "def hub_withholding", "unknown hook 'hub_withholding'"),
    ("return [OpenComplaint]", "return [", "SyntaxError"),
]


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN)
def test_where_a_check_cannot_run_nobody_is_added_and_who_withdrew_is_removed(
    filled: Agency, old: str, new: str, expected: str
) -> None:
    assert old in COMPLAINTS
    extend(filled, COMPLAINTS.replace(old, new))
    filled.hub("suppress", "acme", P7)
    filled.shop.people(1, start=30)
    write(filled)

    numbers = filled.run(force=True)

    sync = only(numbers.syncs)
    assert (sync.status, numbers.exit_code, sync.add, sync.update) == ("failed", 4, 0, 0)
    assert "extension 'mine' (plugins/mine.py)" in sync.trouble.text
    assert expected in sync.trouble.text
    assert "@example.com" not in sync.trouble.text
    assert filled.got(op="remove") == [P7]
    assert len(filled.held()) == 19


@pytest.mark.parametrize(("old", "new", "expected"), BROKEN)
def test_check_finds_a_check_that_cannot_run(running: Agency, old: str, new: str, expected: str) -> None:
    extend(running, COMPLAINTS.replace(old, new))

    # On a shop without anybody no row is looked at, so only a run can meet what its data does to the select.
    by_data = "Conversion" in expected
    found = running.hub("check", "acme", "--offline", expect=0 if by_data else 1).stdout

    assert by_data or expected in " ".join(found.split())


def test_two_checks_of_one_code_are_an_error_that_names_both(
    running: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extend(running, COMPLAINTS)
    install(tmp_path / "site", "desk", COMPLAINTS, monkeypatch)

    trouble = only(running.sync(expect=4)["syncs"])["error"]["text"]

    assert "the code OPEN_COMPLAINT is offered twice" in trouble
    assert "audience-hub-desk 1.2" in trouble
    assert "plugins/mine.py" in trouble


def test_explain_says_that_a_check_cannot_run(running: Agency) -> None:
    extend(running, COMPLAINTS.replace("tags", "no_such_column"))

    told = " ".join(running.hub("explain", "acme", P7).stdout.split())

    assert "yes, nobody is added" in told
    assert "OPEN_COMPLAINT cannot be run" in told


DESK = """
[sources.desk]
plugin = "csv"
system = "shop"
[[sources.desk.files]]
path = "desk/*.csv"
table = "traits"
columns = { subject = "Mail", name = "What", value = "State", recorded_at = "When" }
"""


def test_where_a_source_fails_that_a_check_reads_nobody_is_added(running: Agency) -> None:
    running.add(DESK)
    desk = running.folder / "desk" / "open.csv"
    desk.parent.mkdir()
    desk.write_text("Mail,What,State,When\np7@example.com,ticket,open,2026-11-01T10:00:00Z\n")
    running.sync()
    extend(
        running,
        """
        class Ticket(api.Withholding):
            code = "OPEN_TICKET"
            description = "has a ticket open"
            sql = "select person_id from traits where name = 'ticket' and value = 'open'"

        @api.hookimpl
        def hub_withholdings():
            return [Ticket]
        """,
    )
    assert only(running.sync()["syncs"])["withheld"]["OPEN_TICKET"] == 1
    desk.unlink()
    running.shop.people(1, start=30).write()

    sync = only(running.sync(expect=3)["syncs"])

    assert [each["guard"] for each in sync["guards"]] == ["source"]
    assert "p30@example.com" not in running.held()


def test_a_plan_made_before_a_check_was_there_is_not_applied(running: Agency) -> None:
    running.shop.people(2, start=30).write()
    running.hub("plan", "acme", "--out", "plan.json")
    extend(running, COMPLAINTS)

    refused = running.hub("apply", "plan.json", expect=3)

    assert "plugins changed since the plan was made: extension mine" in refused.stderr


def test_apply_sends_what_the_plan_showed_and_leaves_out_whom_a_check_withholds_by_now(filled: Agency) -> None:
    extend(
        filled,
        """
        class Night(api.Withholding):
            code = "NIGHT"
            description = "asked for no mail at night"
            sql = "select person_id from people where email in ('p7@example.com', 'p30@example.com') and $as_of >= timestamp '2026-11-21 20:00:00'"

        @api.hookimpl
        def hub_withholdings():
            return [Night]
        """,
    )
    filled.shop.people(2, start=30)
    write(filled)
    plan = filled.folder / "plan.json"
    planned = run_client(filled.wiring(), RunOptions("plan", deliver=False, inspect=plan_writer(plan)))
    assert only(planned.syncs).add == 2

    filled.clock.go(hours=9)
    applied = only(apply_plan(filled.wiring(), read_plan(plan)).syncs)

    assert (applied.add, applied.delivered) == (1, 1)
    assert "1 planned changes were dropped" in only(applied.notes)
    assert {"p31@example.com", P7} <= filled.held()
    assert "p30@example.com" not in filled.held()


@pytest.mark.parametrize("seed", range(4))
def test_a_check_only_ever_makes_an_audience_smaller(filled: Agency, seed: int) -> None:
    extend(filled, COMPLAINTS)
    random = Random(seed)
    emails = [customer.email for customer in filled.shop.customers]
    said_no = {"p21@example.com", "p22@example.com"}  # a yes without a date of its own takes no earlier no back
    for _ in range(3):
        said_no |= set(random.sample(emails, random.randint(0, 4)))
        for email in said_no:
            filled.shop.of(email).says = "no"
        complaining = set(random.sample(emails, random.randint(0, len(emails))))
        complain(filled, *complaining)

        sync = only(filled.run(force=True).syncs)

        cleared = set(emails) - said_no
        assert filled.held() == cleared - complaining
        assert sync.cleared == len(cleared - complaining)
        assert sync.members == sync.cleared + sum(sync.withheld.values()) == len(emails)
        assert sync.withheld.get("OPEN_COMPLAINT", 0) == len(cleared & complaining)
        filled.clock.go(minutes=15)


def test_every_code_that_hub_has_words_for_is_its_own() -> None:
    assert CODES.keys() <= own_codes()
