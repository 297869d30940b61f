"""What every page says about files, links and commands is so."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from hub.cli.app import app
from hub.config import check_offline, load_client, load_workspace
from hub.plugins import Plugins
from hub.secrets import ConnectionSecrets
from tests.docs.markdown_pages import PAGES, ROOT, Block, anchors, blocks, links

BASE = {
    "sources.shop": '[sources.shop]\nplugin = "csv"\nfolder = "exports/acme"\n',
    "segments.cart-abandoners": '[segments.cart-abandoners]\nplugin = "cart-abandoners"\n',
    "destinations.file": '[destinations.file]\nplugin = "file"\n',
    "destinations.mail": (
        '[destinations.mail]\nplugin = "smtp"\nserver = "smtp://mail.example.com"\nsender = "news@acme.example"\n'
        'postal_address = "Aarhus"\nunsubscribe_url = "https://acme.example/u?t={token}"\n'
    ),
}
NO_COMMANDS = {
    "hub smtp token 1",  # a text that is hashed
    "hub ping acme file",  # a command of the page's own extension, run by test_extend_hub.py
}
IDS = [str(page.relative_to(ROOT)) for page in PAGES]


class AnySecret(dict[str, str]):
    """Have every secret."""

    def get(self, key: str, default: Any = None) -> Any:
        return "a secret"


def toml_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page, "toml")]


def with_base(text: str) -> str:
    """Return a client's file that holds the block and whatever the block leaves to the rest of the file."""
    told = tomllib.loads(text)
    top = "" if "name" in told else 'name = "Acme"\n'
    top += "".join(
        f'[sources.{name}]\nplugin = "csv"\n' for name, each in told.get("sources", {}).items() if "plugin" not in each
    )
    rest = [chunk for key, chunk in BASE.items() if key.split(".")[1] not in told.get(key.split(".")[0], {})]
    return "\n".join([top + text, *rest])


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("block", toml_blocks(), ids=str)
def test_every_toml_block_is_a_configuration_that_hub_takes(block: Block, tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()
    (tmp_path / "plugins").mkdir()
    for page in PAGES:
        for code in blocks(page, "python"):
            if code.text.startswith("# plugins/"):
                (tmp_path / code.text.splitlines()[0].removeprefix("# ")).write_text(code.text)
    for_workspace = block.text.startswith("# hub.toml")
    (tmp_path / "hub.toml").write_text(block.text if for_workspace else "")
    (tmp_path / "clients" / "acme.toml").write_text(with_base("" if for_workspace else block.text))

    workspace = load_workspace(tmp_path)
    load_client(workspace, "acme")
    plugins = Plugins(tmp_path)
    found = check_offline(
        workspace, "acme", plugins, lambda name: ConnectionSecrets("acme", name, None, {}, stand_in=AnySecret())
    )

    assert [each.text for each in found if each.level == "error"] == []


def hub_lines() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in blocks(page, "sh", "", "console", "bash"):
            for typed in block.text.splitlines():
                line = typed.removeprefix("$ ").removeprefix(".venv/bin/")
                if line.startswith("hub "):
                    found.append((str(block), line.split("  #")[0].strip()))
        prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        found += [(str(page.relative_to(ROOT)), code) for code in re.findall(r"`(hub [a-z][^`…]*)`", prose)]
    return sorted({(where, line) for where, line in found if line not in NO_COMMANDS})


@pytest.mark.parametrize(("where", "line"), hub_lines(), ids=lambda value: value)
def test_every_command_and_option_exists(where: str, line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while words and getattr(command, "commands", None) and not words[0].startswith("-"):
        choices = words[0].split("|")
        for choice in choices:
            assert choice in command.commands, f"{where}: there is no `{choice}`"
        command, words = command.commands[choices[0]], words[1:]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "--debug"}
    for word in words:
        if word.startswith("--"):
            assert word.split("=")[0] in known, f"{where}: {line} has no option {word}"


def test_hooks_and_commands_that_exist_are_in_the_reference() -> None:
    reference = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")

    missing = [name for name in typer.main.get_command(app).commands if f"`hub {name}" not in reference]  # type: ignore[attr-defined]

    assert missing == [], "run `make docs`"


def test_no_page_names_a_folder_of_some_machine() -> None:
    said = [str(page) for page in PAGES if re.search(r"/(?:home|Users|work|tmp)/\w", page.read_text(encoding="utf-8"))]

    assert said == []
