"""What goes where: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_LOG_WIDTH = 200
"""Columns where the output is no terminal: a log or a pipe folds nothing."""


def results() -> Console:
    """Return the console for what was asked for."""
    return _console(stderr=False)


def notes() -> Console:
    """Return the console for progress, warnings and next steps."""
    return _console(stderr=True)


def show(*parts: RenderableType) -> None:
    """Print results."""
    console = results()
    for part in parts:
        console.print(part, highlight=False, markup=False)


def note(text: str) -> None:
    """Print a line that is not a result."""
    notes().print(text, highlight=False, markup=False, soft_wrap=True)


def show_json(value: Any) -> None:
    """Print one JSON value on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    """Write times as ISO 8601 in UTC, money as a number, and anything else as its text."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"{moment.isoformat()}Z"
    return float(value) if isinstance(value, Decimal) else str(value)


def is_interactive() -> bool:
    """Tell whether someone is there to answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def leave(code: int) -> NoReturn:
    """End the command with an exit code."""
    import typer

    raise typer.Exit(code)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _LOG_WIDTH)
