"""Peak memory of a first sync and a run with nothing to change, for a shop and for one five times as large.

Each runs in a process of its own; DuckDB is given the same small limit in both, and takes all of it. On more than four
cores it needs more for each of its threads.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from figures import Figure
from server import loopback
from world import World, make_world

BUDGET = 0.25
LARGER = 5
LIMIT = "750MB"
"""So little that both shops need all of it: with more, the smaller one leaves some of it unused."""
_STATUS = Path("/proc/self/status")


def figures(folder: Path, people: int) -> Iterator[Figure]:
    """Make both shops, sync each in a child, and compare."""
    peaks = [_peak(folder / str(size), size) for size in (people, people * LARGER)]
    more = peaks[1] / peaks[0] - 1
    yield Figure(
        f"memory, {people * LARGER:,} against {people:,} members",
        f"{more:+.0%}",
        f"≤ +{BUDGET:.0%} (DuckDB limited to {LIMIT})",
        more <= BUDGET,
        f"{peaks[1] / 1e6:,.0f} MB against {peaks[0] / 1e6:,.0f} MB",
    )


def _peak(folder: Path, people: int) -> int:
    with loopback() as address:
        # A process of its own for building, too: what it leaves behind must not count.
        for step in ("make", "sync"):
            command = [sys.executable, __file__, step, str(folder), str(people), address]
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return int(told)


def _main(step: str, folder: Path, people: int, address: str) -> None:
    if step == "make":
        make_world(folder, people, people, address=address, memory_limit="4GB")
        (folder / "hub.toml").write_text(f'memory_limit = "{LIMIT}"\n', encoding="utf-8")
        return
    world = World(folder, people, people, address)
    [first] = world.sync().syncs
    [second] = world.sync().syncs
    if (first.delivered, second.unchanged) != (first.cleared, first.cleared):
        raise SystemExit(f"the sync went wrong: {first} {second}")
    print(high_water())


def high_water() -> int:
    """Return the largest amount of memory this program has used, in bytes."""
    if _STATUS.exists():
        # What getrusage tells on Linux includes the process that started this one.
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
