"""``hub --help`` and ``hub plugins list``: what they import, and what they cost beside an empty typer app."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from figures import Figure, interleaved, seconds

HEAVY = ("duckdb", "httpx", "keyring", "pyarrow", "pydantic_settings")
BUDGET = 1.5
_EMPTY = "import typer\napp = typer.Typer()\n@app.command()\ndef nothing() -> None: ...\napp()"
_HUB = "from hub.cli.app import main\nmain()"


def figures(folder: Path, times: int) -> Iterator[Figure]:
    """Measure both commands."""
    # A command that runs is held against one that runs: typer reads arguments with pydantic, help needs none.
    for arguments, asked in ((["--help"], ["--help"]), (["plugins", "list"], [])):
        command = [sys.executable, "-c", _HUB, *arguments]
        empty = [sys.executable, "-c", _EMPTY, *asked]
        imported = sorted(_imports(command, folder) & set(HEAVY))
        _run(empty, folder)
        pairs = interleaved(partial(_run, command, folder), partial(_run, empty, folder), times)
        ratio = pairs.ratio("cpu")
        yield Figure(
            f"hub {' '.join(arguments)}",
            f"{ratio:.2f} ×; imports {', '.join(imported) or 'none of them'}",
            f"≤ {BUDGET} × an empty typer app; imports no {', '.join(HEAVY)}",
            ratio <= BUDGET and not imported,
            f"{seconds(pairs.middle('left', 'cpu'))} of processor against {seconds(pairs.middle('right', 'cpu'))}",
        )


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _imports(command: list[str], folder: Path) -> set[str]:
    timed = [command[0], "-X", "importtime", *command[1:]]
    done = subprocess.run(timed, cwd=folder, check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in re.findall(r"\|\s+(\S+)$", done.stderr, flags=re.MULTILINE)}
