"""The commands that wire a client, as a user types them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import keyring
import keyring.backend
import keyring.backends.fail
import pytest

from hub import __version__
from hub.cli.app import main

HEAVY = ("duckdb", "pyarrow", "httpx", "keyring", "pydantic_settings", "hub.api")
"""Not pydantic: typer reads options with it, whatever hub does."""
PLUGIN = """
from hub import api


class ListSettings(api.Config):
    token: api.Secret = api.Field(description="the token from the vendor's page")
    folder_id: int = api.Field(description="the folder for lists")
    region: str = api.Field(default="eu", description="where the account lives")
    window: api.Duration = api.Field(default="7d", validate_default=True, description="how long")


class Lists(api.Destination[ListSettings]):
    \"\"\"Keep a list at a vendor of our own.\"\"\"

    name = "lists"
    Config = ListSettings
    can = api.Capabilities(
        ops={api.Op.ADD: api.Limit(150, bytes=1_000_000), api.Op.REMOVE: api.Limit(100)},
        rate=api.Rate(per_second=3, concurrent=2),
    )

    def push(self, batch):
        for member in batch:
            yield member.delivered()


class ShopSettings(api.SourceConfig):
    folder: str = api.Field(description="where the files lie", examples=["exports/{client}"])


class Shop(api.Source[ShopSettings]):
    \"\"\"Read a shop of our own.\"\"\"

    name = "own-shop"
    Config = ShopSettings
    streams = {"orders": api.Stream(tables=("orders", "order_lines"))}

    def read(self, stream, since, until):
        yield api.Page(tables={})


class LuckySettings(api.Config):
    orders: int = api.Field(default=7, ge=1, description="how many orders bring luck")


class Lucky(api.Segment[LuckySettings]):
    \"\"\"People with a lucky number of orders.\"\"\"

    name, version, Config = "a-lucky", 2, LuckySettings
    rule = (api.equals("orders", "$orders"),)
    evidence = ("orders",)


@api.hookimpl
def hub_destinations():
    return [Lists]


@api.hookimpl
def hub_sources():
    return [Shop]


class Rare(Lucky):
    \"\"\"People with a rare number of orders.\"\"\"

    name = "a-rare"
    starter = False


@api.hookimpl
def hub_segments():
    return [Lucky, Rare]
"""


class MemoryKeyring(keyring.backend.KeyringBackend):
    priority = 1  # type: ignore[assignment]  # a property in the base

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


@pytest.fixture
def memory_keyring(no_keyring: None) -> None:
    keyring.set_keyring(MemoryKeyring())


@pytest.fixture(autouse=True)
def no_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(keyring.backends.fail.Keyring())
    yield
    keyring.set_keyring(before)


@dataclass
class Done:
    stdout: str
    stderr: str


@dataclass
class Shell:
    """A folder, and hub in it."""

    folder: Path

    def hub(self, *arguments: str, expect: int = 0, stdin: str = "", **environ: str) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, chdir(self.folder), redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            for name, value in environ.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as left:
                main(arguments)
        assert (left.value.code or 0) == expect, f"{left.value.code}\n{out.getvalue()}\n{err.getvalue()}"
        return Done(out.getvalue(), err.getvalue())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(tmp_path)
    shell.hub("init")
    (tmp_path / "plugins" / "own.py").write_text(PLUGIN, encoding="utf-8")
    return shell


def add_acme(shell: Shell) -> Done:
    return shell.hub(
        "client", "add", "acme", "--source", "own-shop", "--destination", "news=lists", "--set", "news.folder_id=7"
    )  # fmt: skip


def test_init_makes_a_workspace_that_keeps_data_out_of_git(tmp_path: Path) -> None:
    done = Shell(tmp_path).hub("init", "agency")

    assert (tmp_path / "agency" / "clients").is_dir()
    assert "/.hub/" in (tmp_path / "agency" / ".gitignore").read_text()
    assert "hub client add" in done.stderr
    assert Shell(tmp_path / "agency").hub("client", "list").stdout == "No clients yet\n"


def test_init_leaves_what_is_there_alone(shell: Shell) -> None:
    (shell.folder / "hub.toml").write_text("# mine\n")

    done = shell.hub("init", expect=2)

    assert "exists already" in done.stderr
    assert (shell.folder / "hub.toml").read_text() == "# mine\n"


def test_init_adds_to_a_gitignore_only_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n/.hub/")

    Shell(tmp_path).hub("init")

    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines[:2] == ["*.log", "/.hub/"]
    assert lines.count("/.hub/") == 1
    assert "/audiences/" in lines


def test_a_new_clients_file_explains_itself_and_loads(shell: Shell) -> None:
    done = add_acme(shell)

    text = (shell.folder / "clients" / "acme.toml").read_text()
    for line in (
        'name = "Acme"',
        'folder = "exports/acme"',
        "folder_id = 7",
        "# Required. the folder for lists",
        '# region = "eu"',
        '# window = "7d"',
        "[segments.a-lucky]",
        "# orders = 7",
        "[syncs.a-lucky-news]",
        '# schedule = "*/15 * * * *"',
    ):
        assert line in text.splitlines(), line
    assert "to do: hub secret set acme news token" in done.stderr
    assert "next: hub check acme" in done.stderr
    assert "[segments.a-rare]" not in text
    listed = json.loads(shell.hub("client", "list", "--json").stdout)
    assert listed[0]["syncs"] == ["a-lucky-news"]
    assert listed[0]["problems"] == []


def test_a_required_setting_that_nobody_gave_is_said(shell: Shell) -> None:
    done = shell.hub("client", "add", "acme", "--destination", "lists")

    assert "to do: clients/acme.toml:" in done.stderr
    assert "destinations.lists.folder_id: is missing: the folder for lists" in done.stderr


def test_currency_and_country_that_nobody_gave_are_asked_for_and_each_secret_once(shell: Shell) -> None:
    done = shell.hub("client", "add", "acme", "--source", "klaviyo", "--destination", "klaviyo")

    todo = [line for line in done.stderr.splitlines() if line.startswith("to do: ")]
    assert todo.count("to do: hub secret set acme klaviyo api_key") == 1
    assert any("clients/acme.toml: currency: which is the shop's?" in line for line in todo)
    assert any("clients/acme.toml: country: where is the shop?" in line for line in todo)
    told = shell.hub("client", "add", "bird", "--country", "DK", "--currency", "DKK").stderr
    assert "currency" not in told
    assert "country" not in told


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["Acme!"], "'Acme!' is no client id"),
        (["acme", "--source", "own-shap"], "no source plugin 'own-shap'; did you mean 'own-shop'?"),
        (["acme", "--destination", "lists", "--set", "lists.folder=1"], 'did you mean "folder_id"?'),
        (["acme", "--destination", "lists", "--set", "list.folder_id=1"], 'did you mean "lists"?'),
        (["acme", "--destination", "lists", "--set", "lists.token=abc"], "is a secret and must not stand in a file"),
        (["acme", "--destination", "lists", "--destination", "lists"], "'lists' is taken"),
        (["acme", "--timezone", "Mars/Olympus"], "is not an IANA time zone"),
    ],
)
def test_a_client_that_cannot_be_added_leaves_no_file(shell: Shell, arguments: list[str], expected: str) -> None:
    done = shell.hub("client", "add", *arguments, expect=2)

    assert expected in done.stderr
    assert list((shell.folder / "clients").iterdir()) == []


def test_a_client_is_added_once(shell: Shell) -> None:
    add_acme(shell)

    assert "exists already" in shell.hub("client", "add", "acme", expect=2).stderr


def test_a_client_is_removed_only_with_a_yes_and_its_data_only_when_asked(shell: Shell) -> None:
    add_acme(shell)
    state = shell.folder / ".hub" / "acme"
    state.mkdir(parents=True)

    assert "--yes" in shell.hub("client", "remove", "acme", expect=2).stderr
    assert "kept" in shell.hub("client", "remove", "acme", "--yes").stderr

    assert state.exists()
    assert not (shell.folder / "clients" / "acme.toml").exists()


def test_check_says_what_is_right_and_where_each_secret_was_found(shell: Shell) -> None:
    add_acme(shell)

    done = shell.hub("check", "acme", "--offline", HUB_SECRET__ACME__NEWS__TOKEN="s3cret-value")

    assert "1 source" in done.stdout
    assert "destinations.news.token: secret found in the environment (HUB_SECRET__ACME__NEWS__TOKEN)" in done.stdout
    assert "s3cret-value" not in done.stdout + done.stderr


def test_check_ends_with_2_and_says_everything_that_is_wrong(shell: Shell) -> None:
    add_acme(shell)
    file = shell.folder / "clients" / "acme.toml"
    text = file.read_text().replace("folder_id = 7", 'folder_id = "seven"\ntoken = "abc-123"')
    file.write_text(text.replace('plugin = "own-shop"', 'plugin = "own-shap"'))

    done = shell.hub("check", "acme", "--offline", expect=2)

    assert "destinations.news.folder_id: should be a valid integer" in done.stdout
    assert "a secret must not stand in a file" in done.stdout
    assert "there is no source plugin 'own-shap'; did you mean \"own-shop\"?" in done.stdout
    assert "abc-123" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("folder_id = 7", "folder_idd = 7", "unknown key"),
        ("folder_id = 7", 'folder_id = "x"', "should be a valid integer"),
        ("[segments.a-lucky]", '[segments.b]\nall = ["b"]\n[segments.a-lucky]', "in a circle: b → b"),
        ('plugin = "lists"', 'plugin = "listen"', "there is no destination plugin"),
        ("folder_id = 7", "folder_id = 7", "no secret found; looked in the environment"),
        ("folder_id = 7", 'folder_id = 7\ntoken = "abc"', "a secret must not stand in a file"),
    ],
)
def test_each_wrong_setting_ends_with_2_and_one_clear_line(shell: Shell, old: str, new: str, expected: str) -> None:
    add_acme(shell)
    file = shell.folder / "clients" / "acme.toml"
    file.write_text(file.read_text().replace(old, new))

    done = shell.hub("check", "acme", "--offline", expect=2)

    lines = [line for line in done.stdout.splitlines() if line.lstrip().startswith("✗") and expected in line]
    assert len(lines) == 1, done.stdout
    assert "clients/acme.toml:" in lines[0]


def test_a_secret_is_set_from_standard_input_and_never_shown(shell: Shell, memory_keyring: None) -> None:
    add_acme(shell)

    set_ = shell.hub("secret", "set", "acme", "news", "token", stdin="s3cret-value\n")
    listed = shell.hub("secret", "list", "acme")
    checked = shell.hub("check", "acme", "--offline")
    deleted = shell.hub("secret", "delete", "acme", "news", "token")
    after = json.loads(shell.hub("secret", "list", "acme", "--json").stdout)

    assert "audience-hub: acme/news/token" in listed.stdout
    assert "found in the system keyring" in checked.stdout
    assert "Removed" in deleted.stdout
    assert after == [{"connection": "news", "field": "token", "found": None}]
    for done in (set_, listed, checked, deleted):
        assert "s3cret-value" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("acme", "new", "token"), "no connection 'new'; did you mean \"news\"?"),
        (("acme", "news", "tokens"), "no secret 'tokens'; did you mean \"token\"?"),
        (("acne", "news", "token"), "there is no client 'acne'"),
    ],
)
def test_a_secret_that_nothing_reads_is_refused(shell: Shell, arguments: tuple[str, ...], expected: str) -> None:
    add_acme(shell)

    assert expected in shell.hub("secret", "set", *arguments, stdin="x", expect=2).stderr


def test_a_machine_without_keyring_is_told_the_other_ways(shell: Shell) -> None:
    add_acme(shell)

    done = shell.hub("secret", "set", "acme", "news", "token", stdin="s3cret-value", expect=1)

    assert "no usable keyring" in done.stderr
    assert "HUB_SECRET__ACME__NEWS__TOKEN" in done.stderr
    assert "s3cret-value" not in done.stderr


def test_plugins_are_listed_and_described(shell: Shell) -> None:
    listed = json.loads(shell.hub("plugins", "list", "--json").stdout)
    info = shell.hub("plugins", "info", "lists").stdout

    assert {"kind": "destination", "name": "lists", "from": "plugins/own.py"} in listed
    assert {"csv", "high-spenders", "smtp", "file"} <= {plugin["name"] for plugin in listed}
    for text in ("Keep a list at a vendor of our own.", "folder_id", "whole number", "required", "150 members"):
        assert text in info
    for text in ("email_marketing", "3 per second, 2 at once", "secret", "7d", "plugins/own.py"):
        assert text in info


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("own-shop", ["Read a shop of our own.", "changes: orders, order_lines", "system"]),
        ("a-lucky", ["People with a lucky number of orders.", "version", "2", "evidence", "orders"]),
    ],
)
def test_info_says_what_a_plugin_reads_or_provides(shell: Shell, name: str, texts: list[str]) -> None:
    info = shell.hub("plugins", "info", name).stdout

    for text in texts:
        assert text in info


def test_a_broken_plugin_is_reported_and_the_others_are_listed(shell: Shell) -> None:
    (shell.folder / "plugins" / "broken.py").write_text("def hub_sources(:\n")

    done = shell.hub("plugins", "list")

    assert "broken: plugins/broken.py: cannot be read" in done.stderr
    assert "lists" in done.stdout


def test_a_plugin_that_fails_is_named_in_one_line_and_the_traceback_comes_with_debug(shell: Shell) -> None:
    own = shell.folder / "plugins" / "own.py"
    own.write_text(own.read_text() + "\n1 / 0\n")

    plain = shell.hub("plugins", "info", "lists", expect=4)
    debug = shell.hub("plugins", "info", "lists", "--debug", expect=4)

    assert "error: destination plugin 'lists' (plugins/own.py) cannot be loaded: ZeroDivisionError" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "next: " in plain.stderr
    assert "Traceback" in debug.stderr


def test_an_unknown_plugin_gets_the_closest(shell: Shell) -> None:
    assert "did you mean 'lists'?" in shell.hub("plugins", "info", "list", expect=2).stderr


def test_schedules_are_listed_and_exported(shell: Shell) -> None:
    add_acme(shell)
    file = shell.folder / "clients" / "acme.toml"
    file.write_text(file.read_text().replace('# schedule = "*/15 * * * *"', 'schedule = "10 9 * * *"'))

    listed = json.loads(shell.hub("schedule", "list", "--json").stdout)
    cron = shell.hub("schedule", "export").stdout
    systemd = shell.hub("schedule", "export", "--format", "systemd").stdout

    assert listed[0]["schedule"] == "10 9 * * *"
    assert listed[0]["next"].endswith("T09:10:00Z")
    assert "*/5 * * * * " in cron
    assert f"sync --all --workspace {shell.folder}" in cron
    assert "OnCalendar=*:0/5" in systemd


def test_export_warns_of_a_secret_that_only_the_keyring_has(shell: Shell, memory_keyring: None) -> None:
    add_acme(shell)
    shell.hub("secret", "set", "acme", "news", "token", stdin="s3cret-value\n")

    done = shell.hub("schedule", "export")

    assert "warning: only the keyring has token of news for acme" in done.stderr
    assert "warning" not in done.stdout


def test_without_a_workspace_the_message_says_where_hub_looked(tmp_path: Path) -> None:
    done = Shell(tmp_path).hub("client", "list", expect=2)

    assert done.stderr.startswith("error: no workspace: looked for hub.toml in")
    assert "next: Run `hub init`" in done.stderr


def test_a_workspace_can_be_named(shell: Shell, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = Shell(tmp_path_factory.mktemp("elsewhere"))

    assert "No clients" in elsewhere.hub("client", "list", "--workspace", str(shell.folder)).stdout
    assert "No clients" in elsewhere.hub("client", "list", HUB_WORKSPACE=str(shell.folder)).stdout


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert Shell(tmp_path).hub("--version").stdout == f"hub {__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "list"], ["--version"], ["schedule", "--help"]])
def test_light_commands_import_nothing_heavy(shell: Shell, arguments: list[str]) -> None:
    script = dedent(
        f"""
        import sys
        from hub.cli.app import main
        try:
            main({arguments!r})
        except SystemExit:
            pass
        sys.stderr.write("loaded:" + ",".join(name for name in {HEAVY!r} if name in sys.modules))
        """
    )

    done = subprocess.run([sys.executable, "-c", script], cwd=shell.folder, capture_output=True, text=True, check=True)

    assert done.stderr.rsplit("loaded:", 1)[1] == ""
