"""What a benchmark gives back, and how two things are timed against each other."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, what came out, what it must be, and what lies behind it."""

    what: str
    figure: str
    budget: str
    met: bool
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds on the clock, and seconds of processor time of this process and the children it waited for."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same two things measured alternately several times."""

    left: tuple[Spent, ...]
    right: tuple[Spent, ...]

    def ratio(self, of: str = "wall") -> float:
        """Return the median over the pairs of left divided by right: what disturbs a pair disturbs both of it."""
        pairs = zip(self.left, self.right, strict=True)
        return float(statistics.median(getattr(a, of) / max(getattr(b, of), 1e-9) for a, b in pairs))

    def middle(self, side: str, of: str = "wall") -> float:
        """Return the median of one side, in seconds."""
        return float(statistics.median(getattr(spent, of) for spent in getattr(self, side)))


def measured(work: Callable[[], Any]) -> Spent:
    """Do something once and return what it took."""
    before, start = _processor(), time.perf_counter()
    work()
    return Spent(time.perf_counter() - start, _processor() - before)


def interleaved(left: Callable[[], Any], right: Callable[[], Any], times: int) -> Pairs:
    """Do two things in turn: A B A B, so that a busy moment of the machine falls on both."""
    pairs = [(measured(left), measured(right)) for _ in range(times)]
    return Pairs(tuple(a for a, _ in pairs), tuple(b for _, b in pairs))


def seconds(spent: float) -> str:
    """Write seconds for a reader."""
    return f"{spent * 1000:.0f} ms" if spent < 1 else f"{spent:.1f} s"


def table(rows: list[Figure]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    head = ("what", "figure", "budget", "met", "behind it")
    cells = [(row.what, row.figure, row.budget, "yes" if row.met else "NO", row.behind) for row in rows]
    widths = [max(len(line[place]) for line in (head, *cells)) for place in range(len(head))]
    for line in (head, tuple("-" * width for width in widths), *cells):
        yield "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"


def _processor() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)
