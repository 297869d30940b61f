"""Options and arguments that several commands share."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.config import Client, Workspace

WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        metavar="DIR",
        help="Folder with hub.toml. Default: HUB_WORKSPACE, else the nearest one from here upwards.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
ClientArgument = Annotated[str, typer.Argument(metavar="CLIENT", help="The client's id: its file's name in clients/.")]


def open_workspace(folder: Path | None) -> Workspace:
    """Find and read the workspace that a command works on."""
    from hub.config import find_workspace, load_workspace

    return load_workspace(find_workspace(folder))


def open_client(folder: Path | None, client: str) -> tuple[Workspace, Client]:
    """Find the workspace and read a client's configuration."""
    from hub.config import load_client

    workspace = open_workspace(folder)
    return workspace, load_client(workspace, client)


def check_out(path: Path) -> None:
    """Check before the work that a file can be written.

    Raises:
        ConfigError: it is a folder, or its own folder is missing or may not be written to.
    """
    folder = path.parent
    if path.is_dir():
        raise ConfigError(f"--out {path} is a folder", next_step="Name a file in it.")
    if not folder.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {folder}", next_step="Make it, or name another file.")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise ConfigError(f"--out {path}: you may not write there", next_step="Name another file.")


def check_syncs(client: Client, names: Iterable[str] | None) -> None:
    """Check that every sync that was named is in the client's file.

    Raises:
        ConfigError: one is not; the message names those that are.
    """
    unknown = sorted(set(names or ()) - set(client.syncs))
    if unknown:
        raise ConfigError(f"there is no sync {unknown[0]!r}; there are {', '.join(client.syncs) or 'none'}")
