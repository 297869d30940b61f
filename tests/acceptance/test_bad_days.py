"""Bad days: a full disk, signals, two runs at once, clocks, plugins that misbehave, files that are gone."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from hub.ledger import MemberState
from hub.sync.numbers import Status
from tests.acceptance.kit import START, Agency, finish, only, told, until

# No file may grow beyond this many bytes, as on a full disk.
FULL_DISK = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
P = {number: f"p{number}@example.com" for number in range(1, 300)}


def test_a_full_disk_under_the_ledger_ends_in_one_line_and_the_next_run_completes(running: Agency) -> None:
    running.shop.people(120, start=100).write()
    running.hub("pull", "acme")

    done = running.process("sync", "acme", "--no-pull", "--force", expect=1, preamble=FULL_DISK)

    assert "ledger.sqlite cannot be written" in only(told(done))
    assert "next: " in done.stderr
    partly = running.held()
    assert len(partly) < 140
    assert only(running.sync("--no-pull")["syncs"])["status"] == "ok"
    assert len(running.held()) == 140
    assert set(running.members().values()) == {MemberState.HELD}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_a_run_that_is_asked_to_stop_finishes_its_batch_and_the_next_run_the_rest(
    running: Agency, number: signal.Signals
) -> None:
    running.change('plugin = "keeper"', 'plugin = "once"')
    running.shop.people(20, start=100).write()
    since = len(running.records())
    running.fault("wait")
    run = running.spawn("sync", "acme", "--json")
    until(running.waiting().exists, run)

    run.send_signal(number)
    until(lambda: "stopping" in run.stderr.readline())  # type: ignore[union-attr]  # it is a pipe
    running.waiting().unlink()
    done = finish(run, 1)

    assert done.json["status"] == "failed"
    sync = only(done.json["syncs"])
    assert (sync["add"], sync["delivered"]) == (20, 5)
    assert len(running.got(since=since)) == 5
    rest = only(running.sync()["syncs"])
    assert (rest["add"], rest["delivered"], rest["status"]) == (15, 15, "ok")
    assert sorted(running.got(since=since)) == sorted(P[n] for n in range(100, 120))


def test_a_second_run_beside_the_first_is_skipped(running: Agency) -> None:
    running.shop.people(6, start=100).write()
    running.fault("wait")
    run = running.spawn("sync", "acme", "--json")
    until(running.waiting().exists, run)

    second = running.sync()

    assert second["status"] == "skipped"
    assert str(run.pid) in second["error"]["text"]
    running.waiting().unlink()
    assert only(finish(run).json["syncs"])["delivered"] == 6


def test_who_withdraws_while_a_run_delivers_is_not_sent(running: Agency) -> None:
    running.shop.people(15, start=100).write()
    since = len(running.records())
    running.fault("wait")
    run = running.spawn("sync", "acme", "--json")
    until(running.waiting().exists, run)
    under_way = {each["email"] for each in running.records()[since:] if each["op"] == "add"}
    # The first of five is written down; of the other fourteen, ten are not in this batch. All but the batch are spared.
    for number in range(100, 115):
        if P[number] not in under_way:
            running.hub("suppress", "acme", P[number])

    running.waiting().unlink()
    sync = only(finish(run).json["syncs"])

    assert (sync["add"], sync["delivered"], sync["held_back"]) == (15, 5, 10)
    assert len(running.got(since=since)) == 5
    running.sync()
    assert running.held() == {P[n] for n in range(1, 21)} | under_way


def test_a_clock_that_goes_back_sends_nothing_twice_and_nothing_early(agency: Agency) -> None:
    agency.change('plugin = "keeper"', 'plugin = "poster"')
    agency.shop.people(5).write(START - timedelta(days=9))
    assert agency.run(force=True).exit_code == 0
    assert len(agency.got()) == 5

    agency.clock.go(days=-2)
    agency.shop.people(2, start=50).write(START - timedelta(days=8))
    back = agency.run(force=True)

    assert len(agency.got()) == 5
    assert only(back.syncs).status is Status.REFUSED
    assert "the audience's last run" in only(back.syncs).trouble.text
    agency.clock.now = START + timedelta(days=1)
    assert agency.run().exit_code == 0
    assert sorted(agency.got()) == sorted([*(P[n] for n in range(1, 6)), P[50], P[51]])


@pytest.mark.parametrize(
    "command", [("sync", "acme", "--json"), ("sync", "acme", "--force"), ("plan", "acme", "--out", "plan.json")]
)
def test_nothing_is_delivered_for_an_instant_still_to_come(agency: Agency, command: tuple[str, ...]) -> None:
    agency.shop.people(3).write()

    line = only(told(agency.hub(*command, "--as-of", "2199-01-01T12:00:00Z", expect=2)))

    assert "2199-01-01T12:00:00Z, which is still to come" in line
    assert agency.records() == []
    assert not (agency.folder / "plan.json").exists()
    assert only(agency.sync("--force")["syncs"])["delivered"] == 3


def test_a_plan_for_an_instant_still_to_come_is_not_applied(agency: Agency) -> None:
    agency.shop.people(3).write()
    agency.hub("plan", "acme", "--out", "plan.json")
    file = agency.folder / "plan.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"as_of": "2199-01-01T12:00:00"}))

    line = only(told(agency.hub("apply", "plan.json", expect=2)))

    assert "2199-01-01T12:00:00Z, which is still to come" in line
    assert agency.records() == []


def test_looking_ahead_is_allowed_and_leaves_nothing_to_approve(agency: Agency) -> None:
    agency.shop.people(3).write()

    planned = agency.hub("plan", "acme", "--as-of", "2199-01-01T12:00:00Z", "--json").json

    assert only(planned["syncs"])["add"] == 3
    assert "Nothing holds news" in agency.hub("approve", "acme", "news").stdout


def test_after_a_clock_that_ran_ahead_a_forced_run_brings_the_audience_back(agency: Agency) -> None:
    agency.shop.people(5).write(START - timedelta(days=9))
    agency.clock.go(days=400)
    assert agency.run(force=True).exit_code == 0
    agency.clock.now = START
    agency.shop.people(2, start=50).write(START - timedelta(days=8))

    refused = only(agency.run().syncs)

    assert (refused.status, refused.delivered) == (Status.REFUSED, 0)
    assert refused.trouble.text.endswith(
        f"({START + timedelta(days=400):%Y-%m-%d %H:%M:%S} UTC), which is still to come"
    )
    assert "`hub sync acme --only news --force`" in refused.trouble.next_step
    assert only(agency.run(force=True).syncs).delivered == 2
    agency.shop.people(1, start=60).write(START - timedelta(days=7))
    agency.clock.go(hours=1)
    assert only(agency.run().syncs).delivered == 1
    assert sorted(agency.got()) == sorted(P[n] for n in (*range(1, 6), 50, 51, 60))


def test_after_a_clock_that_ran_ahead_mails_go_on_once_somebody_knows(agency: Agency) -> None:
    agency.change('plugin = "keeper"', 'plugin = "poster"')
    agency.shop.people(5).write(START - timedelta(days=9))
    agency.clock.go(days=400)
    assert agency.run(force=True).exit_code == 0
    agency.clock.now = START
    agency.shop.people(2, start=50).write(START - timedelta(days=8))

    assert only(agency.run(force=True).syncs).status is Status.REFUSED
    assert len(agency.got()) == 5
    assert only(agency.run(force=True).syncs).delivered == 2
    assert sorted(agency.got()) == sorted(P[n] for n in (*range(1, 6), 50, 51))
    assert agency.run().exit_code == 0


def test_an_older_instant_is_refused_also_by_force(running: Agency) -> None:
    running.shop.people(2, start=50).write()

    refused = only(running.sync("--force", "--as-of", f"{datetime.now(UTC) - timedelta(days=1)}", expect=3)["syncs"])

    assert "before the audience's last run" in refused["error"]["text"]
    assert "leave out --as-of" in refused["error"]["next_step"]
    assert not {P[50], P[51]} & running.held()


FAULTS = {
    "raise": "raised ValueError in push: boom",
    "short": "broke the contract: push gave no outcome for",
    "stranger": "broke the contract: push gave an outcome for a member that was not in the batch",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plugin_that_misbehaves_fails_its_sync_alone_and_is_named(agency: Agency, fault: str) -> None:
    agency.add('\n[destinations.other]\nplugin = "once"\n\n[syncs.another]\nsegment = "all"\ndestination = "other"\n')
    agency.shop.people(7).write()
    agency.fault(fault)

    done = agency.sync("--force", expect=4)

    broken, good = done["syncs"]
    assert done["status"] == "partial"
    assert broken["status"] == "failed"
    assert FAULTS[fault] in broken["error"]["text"]
    assert "keeper" in broken["error"]["text"]
    assert "plugins/outside.py" in broken["error"]["text"]
    assert broken["add"] == broken["unknown"] + broken["failed"] + broken["held_back"] + broken["delivered"]
    assert (good["status"], good["delivered"]) == ("ok", 7)
    agency.fault("")
    again = agency.sync("--force")["syncs"]
    assert agency.held() == {P[n] for n in range(1, 8)}
    assert (again[1]["calls"], again[1]["unchanged"]) == (0, 7)


def test_a_destination_that_refuses_everything_stops_and_the_next_run_brings_everybody_in(agency: Agency) -> None:
    agency.shop.people(30).write()
    agency.fault("refuse")

    done = agency.sync("--force", expect=4)

    assert "no such list" in only(done["syncs"])["error"]["text"]
    agency.fault("")
    agency.sync("--force")
    assert len(agency.held()) == 30


def test_a_source_plugin_that_raises_fails_that_source(running: Agency) -> None:
    (running.folder / "plugins" / "broken.py").write_text(
        "from hub import api\n\n\nclass Broken(api.Source[api.SourceConfig]):\n    name = 'broken'\n"
        "    Config = api.SourceConfig\n    streams = {'orders': api.Stream(('orders',))}\n\n"
        "    def read(self, stream, since, until):\n        raise KeyError('p1@example.com')\n\n\n"
        "@api.hookimpl\ndef hub_sources():\n    return [Broken]\n"
    )
    running.add('\n[sources.till]\nplugin = "broken"\n')

    done = running.sync(expect=3)

    shop, till = done["sources"]
    assert (shop["status"], till["status"]) == ("ok", "failed")
    assert "broken" in till["error"]["text"]
    assert "plugins/broken.py" in till["error"]["text"]
    assert "KeyError: '<email>'" in till["error"]["text"]


def test_a_catalog_of_another_version_is_read_again_whatever_is_asked_first(running: Agency) -> None:
    def grow_old() -> None:
        with duckdb.connect(running.state / "catalog.duckdb") as catalog:
            catalog.execute("update about set value = 'older' where key = 'version'")

    def ask(*commands: str) -> None:
        grow_old()
        for command in commands:
            refused = running.hub(command, "acme", "p3@example.com", expect=1)
            assert "was stored by another version of hub" in refused.stderr
            assert "hub pull acme" in refused.stderr

    ask("explain", "export")
    sync = only(running.sync("--no-pull")["syncs"])
    assert (sync["calls"], sync["unchanged"] > 0) == (0, True)

    ask("suppress", "forget")
    running.sync("--no-pull")
    assert "p3@example.com" not in running.held()
    running.hub("forget", "acme", "p3@example.com")


def test_a_catalog_deleted_by_hand_is_read_again_and_nothing_is_sent(running: Agency) -> None:
    running.shop.of(P[3]).says = "no"
    running.shop.write()
    running.sync()
    since = len(running.records())
    (running.state / "catalog.duckdb").unlink()

    done = running.sync()

    assert only(done["sources"])["tables"]["customers"]["read"] == 22
    sync = only(done["syncs"])
    assert (sync["status"], sync["calls"], sync["unchanged"]) == ("ok", 0, 19)
    assert sync["withheld"] == {"NO_CONSENT": 2, "OPTED_OUT": 1}
    assert running.records()[since:] == []
