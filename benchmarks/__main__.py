"""Measure hub against its budgets and print one table: ``python benchmarks`` (``make bench``).

Every figure is a ratio of two things measured in turn in the same run, so that another machine, or a busy one, comes
to the same answer. The exit code is 1 when a budget is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import analytics
import calls
import every_strategy
import first_sync
import klaviyo_load
import loading
import memory
import no_change
import shopify_lines
import startup
import strategies
from figures import Figure, table
from server import loopback
from world import World, make_world

ROWS = (
    "startup", "strategies", "first-sync", "no-change", "klaviyo", "calls", "memory", "loading", "shopify", "analytics",
    "every-strategy",
)  # fmt: skip
_ORDERS_PER_PERSON = 10
_LINES_PER_PERSON = 5
_EVENTS_PER_PERSON = 10
_MOST_FOR_CALLS = 60_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows asked for and return the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000, help="how many people the shop has (1_000_000)")
    parser.add_argument("--only", choices=ROWS, action="append", help="measure this row only; may be repeated")
    parser.add_argument("--rounds", type=int, help="how often each pair is measured (3 to 15, by row)")
    options = parser.parse_args(arguments)
    chosen = options.only or ROWS
    rows: list[Figure] = []
    print(f"{machine()}\n")
    with tempfile.TemporaryDirectory(prefix="hub-benchmarks-") as name, loopback() as address:
        for figure in measure(Path(name), options.people, chosen, address, options.rounds):
            print(f"{figure.what}: {figure.figure}", file=sys.stderr, flush=True)
            rows.append(figure)
    print("\n".join(table(rows)))
    return 0 if all(row.met for row in rows) else 1


def measure(
    folder: Path, people: int, chosen: Sequence[str], address: str, rounds: int | None = None
) -> Iterator[Figure]:
    """Measure the chosen rows, one after the other."""
    if "startup" in chosen:
        yield from startup.figures(folder, rounds or 15)
    if {"strategies", "first-sync", "no-change", "klaviyo"} & set(chosen):
        world = make_world(folder / "shop", people, people * _ORDERS_PER_PERSON, address=address)
        on_shop: dict[str, Callable[[], Iterator[Figure]]] = {
            "strategies": lambda: strategies.figures(world, rounds or 5),
            "first-sync": lambda: first_sync.figures(world, folder, rounds or 3),
            "no-change": lambda: no_change.figures(world, rounds or 5),
            "klaviyo": lambda: klaviyo_load.figures(world, folder, rounds or 3),
        }
        for row, figures in on_shop.items():
            if row in chosen:
                yield from figures()
    apart: dict[str, Callable[[], Iterator[Figure]]] = {
        "calls": lambda: calls.figures(_few(folder, min(people, _MOST_FOR_CALLS), address)),
        "memory": lambda: memory.figures(folder / "memory", people),
        "loading": lambda: loading.figures(folder / "files", people, rounds or 3),
        "shopify": lambda: shopify_lines.figures(folder / "lines", people * _LINES_PER_PERSON, rounds or 3),
        "analytics": lambda: analytics.figures(folder / "analytics", people * _EVENTS_PER_PERSON, rounds or 3),
        "every-strategy": lambda: every_strategy.figures(every_strategy.whole(folder / "whole", people), rounds or 3),
    }
    for row, figures in apart.items():
        if row in chosen:
            yield from figures()


def _few(folder: Path, people: int, address: str) -> World:
    return make_world(folder / "calls", people, people, address=address)


def machine() -> str:
    """Describe the machine, without its name."""
    memory_size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "pyarrow", "httpx", "typer"))
    return (
        f"{os.cpu_count()} cores, {memory_size:.0f} GiB of memory, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {packages}"
    )


if __name__ == "__main__":
    sys.exit(main())
