"""Extensions are told of runs and add to their reports; one that fails is named, and nobody is added for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from hub.ledger.lock import hold
from tests.acceptance.extending import FAILS_BEFORE, LOG, extend, install, log
from tests.acceptance.kit import Agency, only

SECTION = """
@api.hookimpl
def hub_report_sections(run, numbers):
    rows = [(sync["name"], sync["calls"], 0.25 * sync["calls"]) for sync in numbers["syncs"]]
    yield api.Section("What it [b]cost|", ("sync", "calls", "EUR"), rows)
"""


def test_extensions_are_told_of_every_run_and_how_it_ended(agency: Agency) -> None:
    extend(agency, LOG)
    agency.shop.people(3).write()

    agency.hub("pull", "acme")
    agency.hub("plan", "acme")
    agency.sync(expect=3)
    agency.sync("--force")

    assert log(agency) == [
        "acme pull begins False False",
        "acme pull ends ok",
        "acme plan begins False False",
        "acme plan ends ok",
        "acme sync begins True False",
        "acme sync ends refused",
        "acme sync begins True False",
        "acme sync ends ok",
    ]


def test_what_an_extension_prints_is_no_part_of_the_result(agency: Agency) -> None:
    extend(
        agency,
        """
        @api.hookimpl
        def hub_before_run(run):
            print("fetching")

        @api.hookimpl
        def hub_after_run(run, numbers):
            print("told the chat")
        """,
    )
    agency.shop.people(2).write()

    ran = agency.hub("sync", "acme", "--json", "--force")

    assert only(json.loads(ran.stdout)["syncs"])["delivered"] == 2
    assert "fetching" in ran.stderr
    assert "told the chat" in ran.stderr


def test_what_an_extension_does_before_a_run_is_there_when_the_sources_are_read(agency: Agency) -> None:
    agency.shop.people(2).write()
    file = agency.shop.folder / "customers_export.csv"
    file.rename(agency.folder / "fetched.csv")
    extend(
        agency,
        f"""
        @api.hookimpl
        def hub_before_run(run):
            (run.workspace / "fetched.csv").rename({str(file)!r})
        """,
    )

    assert only(agency.sync("--force")["syncs"])["delivered"] == 2


def test_where_an_extension_fails_before_a_run_nobody_is_added_and_who_withdrew_is_removed(running: Agency) -> None:
    running.hub("suppress", "acme", "p7@example.com")
    running.shop.people(1, start=30).write()
    broken = extend(running, FAILS_BEFORE)

    told = running.sync("--force", expect=3)

    named = "extension 'mine' (plugins/mine.py) failed in hub_before_run: ValueError: the exports are not there yet"
    sync = only(told["syncs"])
    assert (told["status"], told["error"]["text"], sync["status"]) == ("refused", named, "refused")
    assert [each["text"] for each in sync["guards"]] == [named]
    assert (sync["delivered"], running.got(op="remove"), "p30@example.com" in running.held()) == (
        1,
        ["p7@example.com"],
        False,
    )
    broken.unlink()
    assert only(running.sync()["syncs"])["add"] == 1


def test_a_pull_before_which_an_extension_fails_reads_and_ends_as_with_a_failed_source(agency: Agency) -> None:
    extend(agency, FAILS_BEFORE)
    agency.shop.people(2).write()

    told = agency.hub("pull", "acme", "--json", expect=3).json

    assert "plugins/mine.py" in told["error"]["text"]
    assert told["sources"][0]["tables"]["customers"]["read"] == 2
    assert agency.hub("plan", "acme", "--no-pull", expect=3).stdout
    assert "plugins/mine.py" in agency.hub("segments", "list", "acme", expect=1).stderr


def test_what_fails_after_a_run_is_a_note_and_changes_nothing(running: Agency) -> None:
    extend(
        running,
        """
        @api.hookimpl
        def hub_after_run(run, numbers):
            numbers["status"] = "mine"
            numbers["syncs"].clear()
            1 / 0
        """,
        "breaks",
    )
    extend(running, LOG, "logs")

    told = running.sync()

    assert (told["status"], len(told["syncs"])) == ("ok", 1)
    assert told["notes"] == [
        "extension 'breaks' (plugins/breaks.py) failed in hub_after_run: ZeroDivisionError: division by zero"
    ]
    assert log(running)[-1] == "acme sync ends ok"
    assert running.hub("runs", "show", "acme", told["run_id"]).json["notes"] == told["notes"]


def test_a_run_that_failed_is_told_too(running: Agency) -> None:
    extend(running, LOG)
    running.fault("raise")
    running.shop.people(1, start=30).write()

    running.sync(expect=4)

    assert log(running)[-1] == "acme sync ends partial"


def test_nobody_is_told_of_a_client_that_is_skipped(running: Agency) -> None:
    extend(running, LOG)

    with hold(running.state):
        assert running.sync()["status"] == "skipped"

    assert log(running) == []


def test_a_section_is_shown_and_kept_with_the_run(running: Agency) -> None:
    extend(running, SECTION)
    extend(running, LOG.replace('numbers["status"]', 'numbers["sections"]'), "after")
    running.shop.people(4, start=30).write()

    markdown = running.hub("plan", "acme", "--markdown").stdout
    table = running.hub("sync", "acme").stdout
    quiet = running.sync()

    assert "### What it [b]cost\\|" in markdown
    assert "| news | 0 | 0.0 |" in markdown
    assert "What it [b]cost|" in table
    assert ["news", "1", "0.25"] in [line.split() for line in table.splitlines()]
    section = {"title": "What it [b]cost|", "columns": ["sync", "calls", "EUR"], "rows": [["news", 0, 0.0]]}
    assert quiet["sections"] == [section]
    assert running.hub("runs", "show", "acme", quiet["run_id"]).json["sections"] == [section]
    assert log(running)[-1].endswith(str([section]))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('return [api.Section("Ragged", ("a", "b"), [(1, 2), (1,)])]', "'Ragged' has 2 columns, its row 2 has 1"),
        (
            'return [api.Section("Odd", ("a",), [(None,)])]',
            "'Odd' has a value that is neither text nor a finite number",
        ),
        ('return [api.Section("Odd", ("a",), [(float("nan"),)])]', "neither text nor a finite number"),
        ('return [api.Section("Odd", 3, [])]', "names of its columns must be texts"),
        ('return [api.Section("Odd", ("a",), 3)]', "'Odd' must have its rows as a list of lists"),
        ('return ["a table"]', "'a table' is no api.Section"),
        ("return 7", "TypeError"),
        ("raise RuntimeError('no table')", "RuntimeError: no table"),
    ],
)
def test_a_section_that_cannot_be_shown_is_a_note_that_names_the_extension(
    running: Agency, body: str, expected: str
) -> None:
    extend(running, f"@api.hookimpl\ndef hub_report_sections(run, numbers):\n    {body}\n", "odd")
    extend(running, SECTION)

    told = running.sync()

    (note,) = told["notes"]
    assert "extension 'odd' (plugins/odd.py)" in note
    assert expected in note
    assert [each["title"] for each in told["sections"]] == ["What it [b]cost|"]


def test_an_installed_extension_is_named_with_its_distribution(
    running: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "exports", FAILS_BEFORE, monkeypatch)

    told = running.sync(expect=3)

    assert told["error"]["text"].startswith("extension 'exports' (audience-hub-exports 1.2) failed in hub_before_run")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@api.hookimpl\ndef hub_befor_run(run):\n    pass\n", "unknown hook 'hub_befor_run'"),
        ("def hub_before_run(run):\n    pass\n", "hub_before_run is not marked as a hook"),
        ("@api.hookimpl\ndef hub_before_run(run, what):\n    pass\n", "PluginValidationError"),
        ("import nothing_like_it\n@api.hookimpl\ndef hub_before_run(run):\n    pass\n", "ModuleNotFoundError"),
        ("@api.hookimpl\ndef hub_before_run(run:\n", "SyntaxError"),
    ],
)
def test_an_extension_that_cannot_be_loaded_refuses_runs_and_is_found_by_check(
    running: Agency, text: str, expected: str
) -> None:
    extend(running, text)

    told = running.sync(expect=3)
    found = running.hub("check", "acme", "--offline", expect=1).stdout

    assert "extension 'mine' (plugins/mine.py) cannot be loaded" in told["error"]["text"]
    assert expected in told["error"]["text"]
    assert expected in " ".join(found.split())


def test_a_broken_extension_that_only_adds_to_reports_is_a_warning(running: Agency) -> None:
    extend(running, "import nothing_like_it\n" + SECTION)

    assert "ModuleNotFoundError" in only(running.sync()["notes"])
    assert "✗" not in running.hub("check", "acme", "--offline").stdout


def test_extensions_are_listed_without_being_imported_and_described(
    running: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "waiting", '"""Wait for exports."""\nraise SystemExit("was run")\n' + LOG, monkeypatch)
    file = extend(running, LOG + SECTION)
    file.write_text('"""Write a log."""\n' + file.read_text())

    listed = running.hub("plugins", "list", "--json").json
    info = running.hub("plugins", "info", "mine").stdout
    told = running.hub("plugins", "info", "mine", "--json").json

    extensions = [each for each in listed if each["kind"] == "extension"]
    assert extensions == [
        {"kind": "extension", "name": "mine", "from": "plugins/mine.py"},
        {"kind": "extension", "name": "waiting", "from": "audience-hub-waiting 1.2"},
    ]
    assert "hub_waiting" not in sys.modules
    assert "Write a log." in info
    assert "hub_report_sections: Offer tables of your own" in info
    assert sorted(told["hooks"]) == ["hub_after_run", "hub_before_run", "hub_report_sections"]
    assert "was run" in running.hub("plugins", "info", "waiting", expect=4).stderr


def test_a_rehearsal_and_all_clients_are_told_as_such(running: Agency) -> None:
    extend(running, LOG)
    (running.folder / "clients" / "bird.toml").write_text('name = "Bird"\ncurrency = "DKK"\n')
    running.add('[syncs.more]\nsegment = "all"\ndestination = "list"\naudience = "more"\n')

    lines = running.hub("sync", "--all", "--now", "--json", expect=3).stdout.splitlines()

    assert [json.loads(line)["client"] for line in lines] == ["acme"]
    assert log(running) == ["acme sync begins True False", "acme sync ends refused"]
