"""What holds for the repository itself."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hub.plugins import KINDS, Plugins

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OWN = [(entry.kind, entry.name) for entry in Plugins().entries() if entry.distribution == PROJECT["name"]]


def test_constraints_are_names_with_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()

    assert lines == sorted(lines, key=str.lower)
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_every_dependency_is_constrained() -> None:
    def name(text: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[<>=\[! ]", text)[0]).lower()

    wanted = [
        *PROJECT["dependencies"],
        *(each for group in PROJECT["optional-dependencies"].values() for each in group),
    ]
    constrained = {name(line) for line in (ROOT / "constraints.txt").read_text().splitlines()}

    assert {name(each) for each in wanted} - {"audience-hub"} <= constrained


@pytest.mark.parametrize(("kind", "name"), OWN)
def test_every_plugin_of_hubs_own_loads_under_the_name_users_write(kind: str, name: str) -> None:
    assert Plugins().load(kind, name).name == name


@pytest.mark.parametrize(("kind", "name"), OWN)
def test_every_setting_of_hubs_own_plugins_is_described(kind: str, name: str) -> None:
    model = Plugins().load(kind, name).Config

    assert [field for field, known in model.model_fields.items() if not known.description] == []


def test_no_folder_of_plugins_is_a_package_and_every_plugin_is_typed() -> None:
    kinds = [ROOT / "plugins" / f"{kind}s" for kind in KINDS]
    packages = [package for kind in kinds for package in kind.iterdir() if package.name.startswith("hub_")]

    assert [folder for folder in (ROOT / "plugins", *kinds) if (folder / "__init__.py").exists()] == []
    assert [package.name for package in packages if not (package / "py.typed").exists()] == []


def test_the_stand_ins_of_hubs_own_plugins_load() -> None:
    plugins = Plugins()

    assert "smtp" in [stand_in.plugin for stand_in in plugins.stand_ins()]
    assert plugins.broken == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("faster-sync.changed.md", "`hub sync` is faster.", None),
        ("faster-sync.better.md", "It is.", "name it <topic>.<kind>.md"),
        ("Faster.changed.md", "It is.", "name it <topic>.<kind>.md"),
        ("faster.changed.md", "# Faster", "write plain sentences"),
        ("faster.changed.md", "It is", "with a full stop"),
    ],
)
def test_a_changelog_fragment_is_checked(tmp_path: Path, name: str, text: str, problem: str | None) -> None:
    check = tmp_path / "check.py"
    check.write_text((ROOT / "changelog.d" / "check.py").read_text())
    (tmp_path / name).write_text(text)

    done = subprocess.run([sys.executable, str(check)], capture_output=True, text=True, check=False)

    assert done.returncode == (1 if problem else 0)
    assert (problem or "") in done.stderr


def test_the_projects_own_fragments_are_well_formed() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "changelog.d" / "check.py")], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
