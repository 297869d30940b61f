"""The extensions on the page about extending hub do what the page says."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from hub.plugins.names import EXTENDING
from tests.docs.markdown_pages import blocks
from tests.docs.test_examples import DOCS, follow, run, write_exports

PAGE = DOCS / "how-to" / "extend-hub.md"
CLIENT = """
name = "Acme"
country = "DK"
currency = "DKK"
[sources.shop]
plugin = "csv"
folder = "exports/acme"
[segments.cart-abandoners]
plugin = "cart-abandoners"
min_value = 50
[destinations.file]
plugin = "file"
[syncs.carts-file]
segment = "cart-abandoners"
destination = "file"
"""


@pytest.fixture
def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Save the page's files in a workspace, as its reader would."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.delenv("HUB_WORKSPACE", raising=False)
    assert run("hub init", tmp_path)[0] == 0
    write_exports(tmp_path)
    (tmp_path / "clients" / "acme.toml").write_text(CLIENT)
    for block in blocks(PAGE, "python"):
        place, _, code = block.text.partition("\n")
        (tmp_path / place.removeprefix("# ")).write_text(code)
    return tmp_path


def test_the_page_shows_what_its_extensions_do(extended: Path) -> None:
    for block in blocks(PAGE, "console"):
        follow(block, extended)

    assert not (extended / "alarms.log").exists()
    assert "✗" not in run("hub check acme", extended)[1]


def test_old_exports_are_refused_and_the_alarm_says_so(extended: Path) -> None:
    for file in (extended / "exports" / "acme").iterdir():
        os.utime(file, (0, 0))

    code, said = run("hub sync acme --json", extended)

    assert code == 3
    assert "the newest export of acme is older than two days" in json.loads(said)["error"]["text"]
    assert re.fullmatch(r"sync acme \w+ refused\n", (extended / "alarms.log").read_text())


def test_every_hook_has_its_place_on_the_page_and_an_example() -> None:
    page = PAGE.read_text(encoding="utf-8")

    for hook in EXTENDING:
        assert f"| `{hook}` |" in page
        assert f"def {hook}(" in page
