"""The six strategies over all orders, beside one aggregation written by hand for the same questions."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
from figures import Figure, interleaved, seconds
from world import NOW, SIX, World, blocks

from hub.segments import run_segments

BUDGET = 2.0


def figures(world: World, times: int) -> Iterator[Figure]:
    """Measure on one catalog, each time with a session of its own."""
    world.use_segments({name: {"plugin": name} for name in SIX})
    wiring = world.wiring()
    instant = NOW.replace(tzinfo=None)
    by_hand = blocks("by_hand.sql")["aggregation"]
    sizes: dict[str, int] = {}

    def strategies() -> None:
        with wiring.catalog.session(instant, instant) as session:
            results = run_segments(session, wiring.definitions, SIX)
            sizes.update({name: result.members for name, result in results.items()})

    def aggregation() -> None:
        with duckdb.connect(wiring.catalog.path, read_only=True) as con:
            con.execute(by_hand, {"as_of": instant})

    strategies()
    aggregation()
    pairs = interleaved(strategies, aggregation, times)
    empty = [name for name, size in sizes.items() if not size]
    yield Figure(
        f"six strategies, {world.orders:,} orders, {world.people:,} people",
        f"{pairs.ratio():.2f} × (processor {pairs.ratio('cpu'):.2f} ×)",
        f"≤ {BUDGET:g} × one aggregation by hand",
        pairs.ratio() <= BUDGET and not empty,
        f"{seconds(pairs.middle('left'))} against {seconds(pairs.middle('right'))}; "
        + ", ".join(f"{name} {size:,}" for name, size in sizes.items()),
    )
