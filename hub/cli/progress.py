"""How far long work is: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.cli.console import notes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_LINE_EVERY = 50_000
"""Rows between two lines of progress in a log."""


class Pace:
    """How fast each work goes, and how long it still takes, in words."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._begun: dict[str, tuple[float, int]] = {}

    def told(self, what: str, done: int, total: int | None) -> str:
        """Return such as ``1,200/s, 35 s left``; nothing until there is something to tell."""
        now = self._monotonic()
        begun, at_first = self._begun.setdefault(what, (now, done))
        rate = (done - at_first) / (now - begun) if now > begun else 0.0
        if rate <= 0:
            return ""
        speed = f"{rate:,.0f}/s" if rate >= 1 else f"{rate * 60:,.1f}/min"
        left = (total - done) / rate if total else 0.0
        return f"{speed}, {_length(left)} left" if left >= 1 else speed


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Bars:
    """Progress on a terminal; it leaves the screen when asked to, and when the work is done."""

    def __init__(self, console: Console, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._shown: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._pace = Pace(monotonic)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        shown = self._shown or self._show()
        if what not in self._tasks:
            self._tasks[what] = shown.add_task(what, total=total, pace="")
        shown.update(self._tasks[what], completed=done, total=total, pace=self._pace.told(what, done, total))

    def rest(self) -> None:
        """Leave the screen to a question; the next news brings the bars back."""
        if self._shown is not None:
            self._shown.stop()
        self._shown, self._tasks = None, {}

    def _show(self) -> RichProgress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        text = TextColumn("{task.description}")
        pace = TextColumn("{task.fields[pace]}")
        columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), pace, TimeElapsedColumn())
        self._shown = Progress(*columns, console=self._console, transient=True)
        self._shown.start()
        return self._shown


class Lines:
    """Progress for a log: a plain line now and then."""

    def __init__(self, console: Console, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._told: dict[str, int] = {}
        self._pace = Pace(monotonic)

    def __call__(self, what: str, done: int, total: int | None) -> None:
        pace = self._pace.told(what, done, total)
        if done - self._told.get(what, 0) < _LINE_EVERY:
            return
        self._told[what] = done
        line = f"{what}: {done:,}" + (f" of {total:,}" if total else "") + (f" ({pace})" if pace else "")
        self._console.print(line, highlight=False)


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
