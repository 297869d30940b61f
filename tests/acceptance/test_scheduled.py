"""``sync --all`` and ``status``: what is due, for every client, whatever the others do."""

from __future__ import annotations

from datetime import timedelta

from hub.config import load_workspace
from hub.plugins import Plugins
from hub.schedule.everyone import Everyone
from hub.sync.run import RunOptions
from hub.sync.surroundings import Surroundings
from tests.acceptance.kit import CLIENT, START, Agency, Shop, only

BIRCH = CLIENT.replace("exports/acme", "exports/birch")


def two_clients(agency: Agency) -> None:
    agency.shop.people(3).write(START)
    Shop(agency.folder / "exports" / "birch").people(2).write(START)
    agency.client(BIRCH, "birch")


def test_all_does_every_client_and_one_broken_file_changes_nothing_for_the_next(agency: Agency) -> None:
    two_clients(agency)
    agency.client(CLIENT.replace("exports/acme", "exports/cedar"), "cedar")
    agency.hub("sync", "birch", "--force", "--json")
    agency.client('name = "Broken"\nbroken = true\n', "acme")

    done = agency.hub("sync", "--all", "--json", expect=2)

    lines = {line["client"]: line for line in done.lines}
    assert list(lines) == ["acme", "birch", "cedar"]
    assert lines["acme"]["status"] == "failed"
    assert "broken" in lines["acme"]["error"]["text"]
    assert (lines["birch"]["status"], lines["cedar"]["status"]) == ("ok", "refused")

    agency.client(CLIENT)
    agency.hub("sync", "acme", "--force")
    assert agency.hub("sync", "--all", "--json", expect=3).lines[2]["client"] == "cedar"
    agency.client(BIRCH, "cedar")
    agency.hub("sync", "cedar", "--force")
    assert {line["status"] for line in agency.hub("sync", "--all", "--json").lines} == {"ok"}


def test_all_runs_only_what_is_due(agency: Agency) -> None:
    agency.add('schedule = "0 9 * * *"\n')
    agency.shop.people(2).write(START - timedelta(hours=1))

    def tick() -> list[list[str]]:
        around = Surroundings(clock=agency.clock, sleep=lambda _seconds: None, environ={})
        everyone = Everyone(load_workspace(agency.folder), Plugins(agency.folder), around)
        runs = everyone.run(lambda _client, names: RunOptions("sync", only=names, force=True))
        return [[sync.name for sync in numbers.syncs] for numbers in runs]

    assert tick() == [["news"]]
    agency.clock.go(hours=20)
    assert tick() == []
    agency.clock.go(hours=2)
    assert tick() == [["news"]]
    assert tick() == []
    agency.clock.go(days=-3)
    assert tick() == []


def test_now_runs_what_is_not_due(running: Agency) -> None:
    running.add('schedule = "0 0 1 1 *"\n')
    assert running.hub("sync", "--all", "--json").stdout == ""
    assert "nothing is due" in running.hub("sync", "--all").stderr

    assert only(running.hub("sync", "--all", "--now", "--json").lines)["client"] == "acme"


def test_status_ends_with_one_if_someone_must_act_and_names_the_step(running: Agency) -> None:
    good = only(running.hub("status", "--json").json)
    assert (good["client"], good["last_status"], good["next_step"], good["problems"]) == ("acme", "ok", None, [])
    assert good["last_good_run"].endswith("Z")
    assert {each["table"] for each in good["freshness"]} >= {"customers", "orders"}
    assert good["withheld"] == {"NO_CONSENT": 2}

    (running.folder / "exports" / "acme" / "customers_export.csv").write_bytes(b"")
    running.sync(expect=3)
    bad = only(running.hub("status", "--json", expect=1).json)
    assert bad["last_status"] == "refused"
    assert bad["next_step"]
    assert any("customers_export.csv" in problem for problem in bad["problems"])
    assert bad["last_good_run"] == good["last_good_run"]

    running.client('name = "Broken"\nbroken = true\n')
    worst = only(running.hub("status", "--json", expect=1).json)
    assert "clients/acme.toml" in worst["next_step"]


def test_status_of_one_client_shows_how_fresh_each_table_is(running: Agency) -> None:
    fresh = {each["table"]: each for each in only(running.hub("status", "acme", "--json").json)["freshness"]}
    assert (fresh["customers"]["rows"], fresh["customers"]["rejected"], fresh["customers"]["from"]) == (22, 0, None)
    assert fresh["customers"]["fresh_until"].endswith("Z")

    said = running.hub("status", "acme").stdout
    assert all(word in said for word in ("Data", "customers", "orders", "the beginning"))
    assert "did you mean" in running.hub("status", "acne", expect=2).stderr


def test_status_names_an_audience_that_no_sync_keeps(running: Agency) -> None:
    running.change('segment = "all"\ndestination = "list"', 'segment = "all"\ndestination = "list"\naudience = "new"')
    running.sync("--force")

    [problem] = only(running.hub("status", "--json").json)["problems"]

    assert "'all' at list is kept by no sync and still holds 20 people" in problem


def test_status_of_a_client_that_never_ran_says_what_to_do(agency: Agency) -> None:
    told = only(agency.hub("status", "--json", expect=1).json)

    assert told["problems"] == ["never run"]
    assert "hub check acme" in told["next_step"]


NEEDS = '''
from hub import api


class Settings(api.Config):
    token: api.Secret = api.Field(description="a secret that nobody looks at")


class Needs(api.Destination[Settings]):
    """Needs a secret."""

    name, Config = "needs", Settings
    can = api.Capabilities(ops={op: api.Limit(10) for op in api.Op})

    def push(self, batch):
        for member in batch:
            yield member.delivered()


@api.hookimpl
def hub_destinations():
    return [Needs]
'''


def needing(agency: Agency) -> dict[str, str]:
    """Let the client's destination need a secret, and return the environment that has it."""
    (agency.folder / "plugins" / "needs.py").write_text(NEEDS)
    agency.change('plugin = "keeper"', 'plugin = "needs"')
    agency.shop.people(2).write()
    return {"HUB_SECRET__ACME__LIST__TOKEN": "word"}


def test_status_tells_of_ticks_that_could_not_start(agency: Agency) -> None:
    secret = needing(agency)
    agency.hub("sync", "acme", "--force", **secret)
    assert agency.hub("status").stdout.endswith("Nobody must act.\n")

    agency.hub("sync", "--all", expect=2)
    (status,) = agency.hub("status", "--json", expect=1).json
    assert "hub secret set acme list token" in status["problems"][0]
    assert "hub secret set acme list token" in status["problems"][0]
    assert status["next_step"]
    assert [run["status"] for run in agency.hub("runs", "list", "acme", "--json").json] == ["refused", "ok"]

    agency.hub("sync", "--all", **secret)
    assert agency.hub("status").stdout.endswith("Nobody must act.\n")


def test_status_of_a_client_whose_first_tick_could_not_start_says_why(agency: Agency) -> None:
    needing(agency)
    agency.hub("sync", "--all", expect=2)

    assert "token" in agency.hub("status", "--json", expect=1).json[0]["problems"][0]


def test_plan_all_goes_on_after_a_client_that_cannot_be_planned(agency: Agency) -> None:
    agency.shop.people(2).write()
    text = (agency.folder / "clients" / "acme.toml").read_text()
    agency.client(text, "zeta")
    needing(agency)

    done = agency.hub("plan", "--all", "--json", expect=2)

    assert [(each["client"], each["status"]) for each in done.lines] == [("acme", "failed"), ("zeta", "ok")]
    assert "token" in done.lines[0]["error"]["text"]
