"""``hub sandbox``: stand-ins of the outside on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.console import note, show
from hub.cli.options import WorkspaceOption


def sandbox(
    port: Annotated[int, typer.Option("--port", min=0, help="Port of the page; 0: a free one.")] = 0,
    workspace: WorkspaceOption = None,
) -> None:
    """Serve local stand-ins of mail servers and vendors until Ctrl-C; use them with --sandbox."""
    from hub.cli.options import open_workspace
    from hub.cli.running import surroundings
    from hub.plugins import Plugins
    from hub.sandbox import Sandbox

    opened = open_workspace(workspace)
    with surroundings() as around, Sandbox(Plugins(opened.folder).stand_ins(), opened.folder, port=port) as running:
        place = running.running
        for name, address in place.addresses.items():
            show(f"{name}: {address}")
        show(f"page: {place.control}")
        note("Rehearse with `hub plan CLIENT --sandbox` and `hub sync CLIENT --sandbox`; end with Ctrl-C.")
        around.stop.wait()
