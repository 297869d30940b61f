"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
