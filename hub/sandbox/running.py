"""The note in ``.hub/sandbox.json`` that says where a running sandbox is."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hub.errors import ConfigError

_NEXT_STEP = "Start one in another terminal with `hub sandbox`, then try again."
_PATIENCE = 2.0


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox at work: its process, the control page, and the stand-in's address by plugin."""

    pid: int
    control: str
    addresses: Mapping[str, str]


def note_path(workspace: Path) -> Path:
    return workspace / ".hub" / "sandbox.json"


def write_note(workspace: Path, running: Running) -> None:
    """Write the note at once and for this user only."""
    path = note_path(workspace)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_name(f"sandbox.json.{os.getpid()}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(running), file, indent=2)
    part.replace(path)


def remove_note(workspace: Path, running: Running) -> None:
    """Remove the note, unless another sandbox has put its own there."""
    if _read_note(workspace) == running:
        note_path(workspace).unlink(missing_ok=True)


def find_sandbox(workspace: Path) -> Running | None:
    """Return the sandbox that runs for this workspace; a note whose sandbox is gone counts as none."""
    running = _read_note(workspace)
    return running if running and _is_alive(running.pid) and _answers(running.control) else None


def read_sandbox(workspace: Path) -> Mapping[str, str]:
    """Return the stand-ins' addresses by plugin, for ``--sandbox``.

    Raises:
        ConfigError: no sandbox runs for this workspace.
    """
    running = find_sandbox(workspace)
    if running is None:
        gone = note_path(workspace).exists()
        what = "the sandbox of this workspace has ended without saying so" if gone else "no sandbox is running"
        raise ConfigError(what, next_step=_NEXT_STEP)
    return running.addresses


def _read_note(workspace: Path) -> Running | None:
    try:
        said = json.loads(note_path(workspace).read_text(encoding="utf-8"))
        return Running(int(said["pid"]), str(said["control"]), dict(said["addresses"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _answers(control: str) -> bool:
    """Tell whether somebody listens there: a process id may have been given to another program."""
    parts = urlsplit(control)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=_PATIENCE):
            return True
    except OSError:
        return False
