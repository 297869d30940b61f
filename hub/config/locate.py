"""Find the workspace and its clients; imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hub.errors import ConfigError

WORKSPACE_FILE = "hub.toml"
HOME = ".hub"
_VARIABLE = "HUB_WORKSPACE"


def find_workspace(start: Path | None = None, environ: Mapping[str, str] | None = None) -> Path:
    """Return the nearest folder with ``hub.toml``, upwards from ``start``, else ``HUB_WORKSPACE``, else from here.

    Raises:
        ConfigError: there is none; the message says where hub looked.
    """
    named = (os.environ if environ is None else environ).get(_VARIABLE)
    origin = start or (Path(named) if named else Path.cwd())
    folder = origin.expanduser().resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / WORKSPACE_FILE).is_file():
            return candidate
    asked = "--workspace" if start else _VARIABLE if named else "the current folder"
    raise ConfigError(
        f"no workspace: looked for {WORKSPACE_FILE} in {folder} ({asked}) and every folder above it",
        next_step=f"Run `hub init` to make a workspace, or name one with --workspace DIR or {_VARIABLE}.",
    )


def client_ids(workspace: Path) -> tuple[str, ...]:
    """List the ids of a workspace's clients: the names of the files in ``clients/``, sorted."""
    return tuple(sorted(file.stem for file in (workspace / "clients").glob("*.toml")))
