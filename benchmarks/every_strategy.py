"""All strategies together over orders and events, beside one aggregation of each written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
from figures import Figure, interleaved, measured, seconds
from world import NOW, World, blocks, make_world

from hub.cli.plugin_info import example
from hub.plugins import Plugins
from hub.segments import run_segments

BUDGET = 3.0
ORDERS, EVENTS, LETTERS = 10, 50, 10
"""Per person."""


def whole(folder: Path, people: int) -> World:
    """Make a shop of which everything is known that a strategy reads."""
    world = make_world(folder, people, people * ORDERS)
    world.fill(
        {
            "order_lines": people * ORDERS * 13 // 10,
            "products": 1000,
            "events": people * EVENTS,
            "engagement": people * LETTERS,
            "traits": people,
        }
    )
    return world


def segments() -> dict[str, str]:
    """Return a segment of each of hub's own strategies, as TOML, with the settings that its description shows."""
    plugins = Plugins()
    return {
        entry.name: example(entry.name, plugins.load("segment", entry.name).Config)
        for entry in plugins.entries("segment")
        if entry.distribution == "audience-hub"
    }


def figures(world: World, times: int) -> Iterator[Figure]:
    """Measure on one catalog, each time with a session of its own."""
    world.write_segments(segments())
    wiring = world.wiring()
    instant = NOW.replace(tzinfo=None)
    by_hand = blocks("by_hand.sql")
    failed: dict[str, str] = {}
    empty: list[str] = []

    def strategies() -> None:
        with wiring.catalog.session(instant, instant) as session:
            results = run_segments(session, wiring.definitions)
            failed.update({name: str(result.error) for name, result in results.items() if result.error})
            empty[:] = [name for name, result in results.items() if not result.members]

    def aggregation() -> None:
        with duckdb.connect(wiring.catalog.path, read_only=True) as con:
            con.execute(by_hand["aggregation"], {"as_of": instant})
            con.execute(by_hand["visits"], {"as_of": instant})

    def others() -> Iterator[str]:
        with duckdb.connect(wiring.catalog.path, read_only=True) as con:
            for block, what in (("lines", "order lines"), ("mails", "mails")):
                took = [measured(lambda sql=by_hand[block]: con.execute(sql, {"as_of": instant})) for _ in range(3)]
                yield f"{what} {seconds(min(each.wall for each in took))}"

    strategies()
    aggregation()
    pairs = interleaved(strategies, aggregation, times)
    yield Figure(
        f"all {len(wiring.definitions)} strategies, {world.orders:,} orders, {world.people * EVENTS:,} events",
        f"{pairs.ratio():.2f} × (processor {pairs.ratio('cpu'):.2f} ×)",
        f"≤ {BUDGET:g} × one aggregation by hand of orders and one of events",
        pairs.ratio() <= BUDGET and not failed,
        f"{seconds(pairs.middle('left'))} against {seconds(pairs.middle('right'))} "
        f"({seconds(pairs.middle('left', 'cpu'))} and {seconds(pairs.middle('right', 'cpu'))} of processor); "
        f"by hand what is not on that side: {', '.join(others())}; "
        + (f"failed: {failed}" if failed else f"without members: {', '.join(empty) or 'none'}"),
    )
