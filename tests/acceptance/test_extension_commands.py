"""Extensions' commands stand beside hub's own, which stay as quick as they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.extending import extend, install
from tests.acceptance.kit import Agency
from tests.acceptance.test_cli_basics import HEAVY

WELCOME = """
import typer

app = typer.Typer(name="welcome", help="Greet the clients.")


@app.command()
def welcome(context: typer.Context, loud: bool = typer.Option(False, "--loud", help="Greet them twice.")) -> None:
    for client in context.obj.clients():
        typer.echo(f"hello {client}" * (1 + loud))


@api.hookimpl
def hub_commands():
    return [app]
"""

REMOTE = """
import typer

app = typer.Typer(name="remote", help="Look at connections.", no_args_is_help=True)


@app.command()
def show(context: typer.Context, name: str, kind: str = typer.Option(None)) -> None:
    with context.obj.connection("acme", name, kind) as connection:
        typer.echo(f"{type(connection).__name__} {connection.connection} {context.obj.workspace.name}")
        connection.close = lambda: typer.echo("closed")


@app.command()
def breaks() -> None:
    {}["p7@example.com"]


@app.command()
def refuses() -> None:
    raise api.ConfigError("there is no such contract", next_step="Write one.")


@app.command()
def leaves() -> None:
    raise typer.Exit(7)


@api.hookimpl
def hub_commands():
    yield app
"""


def test_a_command_is_listed_helped_and_run(agency: Agency) -> None:
    extend(agency, WELCOME)

    listed = agency.hub("--help").stdout
    helped = agency.hub("welcome", "--help").stdout

    assert "Extensions" in listed
    assert "Greet the clients." in listed
    assert "--loud" in helped
    assert "--install-completion" not in helped
    assert agency.hub("welcome", "--loud").stdout == "hello acmehello acme\n"


def test_without_such_an_extension_help_has_no_panel_for_them(agency: Agency) -> None:
    assert "Extensions" not in agency.hub("--help").stdout


def test_an_installed_command_needs_no_workspace(
    agency: Agency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", "greeter", WELCOME, monkeypatch)
    outside = Agency(tmp_path / "elsewhere")
    (outside.folder / "hub.toml").unlink()

    assert "welcome" in outside.hub("--help").stdout
    assert "no workspace" in outside.hub("welcome", expect=2).stderr
    assert outside.hub("welcome", HUB_WORKSPACE=str(agency.folder)).stdout == "hello acme\n"


def test_a_command_gets_connections_as_they_are_configured(agency: Agency) -> None:
    extend(agency, REMOTE)

    assert agency.hub("remote", "show", "list").stdout.splitlines() == ["Keeper list agency", "closed"]
    assert agency.hub("remote", "show", "shop").stdout.splitlines() == ["CsvSource shop agency", "closed"]
    assert (
        "acme has no source or destination 'lists'; did you mean"
        in agency.hub("remote", "show", "lists", expect=2).stderr
    )
    agency.add('[destinations.shop]\nplugin = "keeper"\n')
    assert "say which kind is meant" in agency.hub("remote", "show", "shop", expect=2).stderr
    assert agency.hub("remote", "show", "shop", "--kind", "destination").stdout.startswith("Keeper shop")


def test_what_goes_wrong_in_a_command_is_one_line_and_an_exit_code(agency: Agency) -> None:
    extend(agency, REMOTE)

    broken = agency.hub("remote", "breaks", expect=4)
    refused = agency.hub("remote", "refuses", expect=2)

    assert broken.stderr.startswith(
        "error: extension 'mine' (plugins/mine.py) failed in its command 'remote': KeyError"
    )
    assert "Traceback" not in broken.stderr
    assert "Traceback" in agency.hub("remote", "breaks", "--debug", expect=4).stderr
    assert refused.stderr == "error: there is no such contract\nnext: Write one.\n"
    assert "No such option" in agency.hub("remote", "show", "--nope", expect=2).stderr
    agency.hub("remote", "leaves", expect=7)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WELCOME.replace('"welcome"', '"sync"'), "its command 'sync' is one of hub's own"),
        (WELCOME.replace('name="welcome", ', ""), "a typer.Typer without a name of a-z, 0-9 and -"),
        (WELCOME.replace('"welcome"', '"wel come"'), "a typer.Typer without a name of a-z, 0-9 and -"),
        (WELCOME.replace("@app.command()", ""), "its command 'welcome' does nothing"),
        (WELCOME.replace("[app]", "[welcome]"), "not a typer.Typer"),
        (WELCOME.replace("loud: bool", "loud: int | str"), "offers a command 'welcome' that cannot be made"),
        (WELCOME.replace("import typer", "import typer_of_the_moon"), "ModuleNotFoundError"),
        (WELCOME.replace("def hub_commands", "def hub_command"), "unknown hook 'hub_command'"),
    ],
)
def test_a_command_that_cannot_be_offered_is_one_line_and_harms_no_other(
    agency: Agency, text: str, expected: str
) -> None:
    extend(agency, text, "broken")
    extend(agency, WELCOME.replace("welcome", "greet"), "good")

    helped = agency.hub("--help")

    (line,) = [each for each in helped.stderr.splitlines() if each.startswith("broken: ")]
    assert line.startswith("broken: plugins/broken.py: ")
    assert expected in line
    assert "greet" in helped.stdout
    assert agency.hub("greet").stdout == "hello acme\n"
    assert agency.hub("client", "list").stderr == ""
    assert expected in " ".join(agency.hub("check", "acme", "--offline").stdout.split())


def test_a_name_that_two_extensions_share_is_neithers(agency: Agency) -> None:
    extend(agency, WELCOME, "one")
    extend(agency, WELCOME, "two")

    done = agency.hub("welcome", expect=2)

    assert (
        "broken: plugins/two.py: its command 'welcome' is also offered by extension 'one' (plugins/one.py)"
        in done.stderr
    )
    assert "No such command 'welcome'" in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "list"], ["client", "list"]])
def test_hubs_own_commands_load_no_extension_but_help_one_that_has_commands(
    agency: Agency, arguments: list[str]
) -> None:
    extend(agency, 'print("loaded the other")\n\n@api.hookimpl\ndef hub_after_run(run):\n    pass\n', "other")
    extend(agency, f'print("loaded mine")\n{WELCOME}')
    script = (
        f"import sys\nfrom hub.cli.app import main\ntry:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        f"print('heavy:', [name for name in {HEAVY[:-1]!r} if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=agency.folder, capture_output=True, text=True, check=True)

    assert "loaded the other" not in done.stdout + done.stderr
    assert ("loaded mine" in done.stderr) == (arguments == ["--help"])
    assert arguments == ["client", "list"] or "heavy: []" in done.stdout
