"""``hub demo``: the main job on two invented shops."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.console import leave, note, show


def demo(
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave the workspace there, to play with.")
    ] = None,
) -> None:
    """Run the main job on two invented shops and a local mail server, explained as it goes."""
    import tempfile

    from hub.cli.running import surroundings
    from hub.demo.story import Story, StoryError
    from hub.errors import ConfigError

    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise ConfigError(f"{keep} is not empty", next_step="name a folder that is empty or does not exist")
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as temporary, surroundings(quiet=True) as around:
        folder = keep.resolve() if keep is not None else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            Story(folder, around, show).tell()
        except StoryError as error:
            note(f"✗ The demo did not show what it promises: {error}")
            leave(1)
    if keep is not None:
        note(f"The workspace is in {keep}: try `hub status --workspace {keep}` and `hub sandbox --workspace {keep}`.")
