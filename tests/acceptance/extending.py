"""Extensions for an agency: files in its workspace, and distributions that are installed."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.acceptance.kit import Agency

COMPLAINTS = """
class OpenComplaint(api.Withholding):
    code = "OPEN_COMPLAINT"
    description = "complained, and nobody has answered yet"
    sql = "select person_id from people where list_contains(tags, 'complaint')"

@api.hookimpl
def hub_withholdings():
    return [OpenComplaint]
"""

LOG = """
def log(run, *words):
    with (run.workspace / "log.txt").open("a") as file:
        print(run.client, run.command, *words, file=file)

@api.hookimpl
def hub_before_run(run):
    log(run, "begins", run.delivers, run.sandbox)

@api.hookimpl
def hub_after_run(run, numbers):
    assert numbers["run_id"] == run.run_id
    log(run, "ends", numbers["status"])
"""

FAILS_BEFORE = """
@api.hookimpl
def hub_before_run(run):
    raise ValueError("the exports are not there yet")
"""


def extend(agency: Agency, text: str, name: str = "mine") -> Path:
    """Put an extension into the workspace."""
    file = agency.folder / "plugins" / f"{name}.py"
    file.write_text("from hub import api\n" + dedent(text))
    return file


def install(folder: Path, name: str, text: str, patch: pytest.MonkeyPatch, version: str = "1.2") -> None:
    """Install a distribution ``audience-hub-NAME`` with one extension; each test needs a name of its own."""
    package = folder / f"hub_{name}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "extension.py").write_text("from hub import api\n" + dedent(text))
    about = folder / f"audience_hub_{name}-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: audience-hub-{name}\nVersion: {version}\n")
    (about / "entry_points.txt").write_text(f"[hub.extensions]\n{name} = hub_{name}.extension\n")
    patch.syspath_prepend(str(folder))


def log(agency: Agency) -> list[str]:
    """Return what LOG wrote down."""
    file = agency.folder / "log.txt"
    return file.read_text().splitlines() if file.exists() else []
