"""How far long work is: bars on a terminal, plain lines in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.cli.console import notes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_LINE_EVERY = 50_000
"""Rows between two lines of progress in a log."""


class Bars:
    """Progress on a terminal; it leaves the screen when asked to, and when the work is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        shown = self._shown or self._show()
        if what not in self._tasks:
            self._tasks[what] = shown.add_task(what, total=total)
        shown.update(self._tasks[what], completed=done, total=total)

    def rest(self) -> None:
        """Leave the screen to a question; the next news brings the bars back."""
        if self._shown is not None:
            self._shown.stop()
        self._shown, self._tasks = None, {}

    def _show(self) -> RichProgress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        text = TextColumn("{task.description}")
        columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._shown = Progress(*columns, console=self._console, transient=True)
        self._shown.start()
        return self._shown


class Lines:
    """Progress for a log: a plain line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, int] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if done - self._told.get(what, 0) < _LINE_EVERY:
            return
        self._told[what] = done
        self._console.print(f"{what}: {done:,}" + (f" of {total:,}" if total else ""), highlight=False)


@contextmanager
def show_progress() -> Iterator[Bars | Lines]:
    """Give the progress that fits where the output goes."""
    console = notes()
    if not console.is_terminal:
        yield Lines(console)
        return
    bars = Bars(console)
    try:
        yield bars
    finally:
        bars.rest()
