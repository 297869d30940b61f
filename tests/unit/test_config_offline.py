"""The offline check: everything that can be known without leaving the machine, as findings."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.api import Finding
from hub.config import check_offline, load_workspace
from hub.plugins import Plugins
from hub.secrets import Secrets

CLIENT = """
name = "Acme"
[sources.shop]
plugin = "csv"
folder = "exports/acme"
[segments.vip]
plugin = "high-spenders"
[destinations.out]
plugin = "file"
[syncs.vip]
segment = "vip"
destination = "out"
"""


def check(folder: Path, text: str) -> list[Finding]:
    (folder / "clients").mkdir(exist_ok=True)
    (folder / "hub.toml").write_text("")
    (folder / "clients" / "acme.toml").write_text(text)
    return check_offline(load_workspace(folder), "acme", Plugins(folder), Secrets("acme", None, {}).of)


def test_a_right_file_has_one_finding(tmp_path: Path) -> None:
    found = check(tmp_path, CLIENT)

    assert found == [Finding.ok("clients/acme.toml: 1 source, 1 segment, 1 destination, 1 sync")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('plugin = "csv"', 'plugin = "cvs"', "acme.toml:4: sources.shop.plugin: there is no source plugin 'cvs'"),
        ('"high-spenders"', '"high-spender"', 'acme.toml:7: segments.vip.plugin: .*did you mean "high-spenders"'),
        ('"high-spenders"', '"high-spenders"\npercentil = 9', 'acme.toml:8: segments.vip.percentil: unknown key; did you mean "percentile"'),
        ('"high-spenders"', '"high-spenders"\nwindow = 9', "acme.toml:8: segments.vip.window: a duration needs a unit"),
        ('plugin = "file"', 'plugin = "file"\nlayout = "metta"', "acme.toml:10: destinations.out.layout: should be 'plain'"),
        ('segment = "vip"', 'segment = "vop"', "acme.toml:11: syncs.vip.segment: there is no segment 'vop'"),
    ],
)  # fmt: skip
def test_each_problem_is_an_error_with_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    import re

    found = check(tmp_path, CLIENT.replace(old, new))

    errors = [finding for finding in found if finding.level == "error"]
    assert len(errors) == 1
    assert re.search(expected, errors[0].text), errors


def test_what_is_switched_off_is_not_checked(tmp_path: Path) -> None:
    off = '[sources.later]\nplugin = "not-yet"\nenabled = false\n'

    assert [finding.level for finding in check(tmp_path, CLIENT + off)] == ["ok"]


def test_a_broken_plugin_is_a_finding_and_the_rest_is_still_checked(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    broken = "import nothing_like_it\nclass A:\n    name = 'broken'\ndef hub_sources():\n    return [A]\n"
    (tmp_path / "plugins" / "broken.py").write_text(broken)
    text = CLIENT.replace('"csv"', '"broken"').replace('plugin = "file"', 'plugin = "file"\nlayout = "x"')

    errors = [finding.text for finding in check(tmp_path, text) if finding.level == "error"]

    assert len(errors) == 2
    assert "'broken' (plugins/broken.py) cannot be loaded: ModuleNotFoundError" in errors[0]
    assert "destinations.out.layout" in errors[1]
