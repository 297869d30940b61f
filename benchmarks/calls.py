"""Write calls for several numbers of additions and removals, beside the fewest that the vendor's limits allow."""

from __future__ import annotations

from collections.abc import Iterator

from figures import Figure
from server import requests_taken
from world import Settings, World

ADDS_AT_ONCE = 10_000
REMOVES_AT_ONCE = 1_000
# The audience is everybody whose number lies between two shares of all people.
STEPS = ((0, 0.5), (0, 0.5), (0, 0.51), (0.01, 0.51), (0.1, 0.75), (0.1, 1), (0.9, 1), (0.9, 0.95), (0.2, 0.98))


def figures(world: World) -> Iterator[Figure]:
    """Move the audience about and count what arrives at the server."""
    told, changes, wrong = [], 0, 0
    world.forget_deliveries()
    for start, stop in STEPS:
        settings: Settings = {"plugin": "slice", "start": int(start * world.people), "stop": int(stop * world.people)}
        world.use_segments({"buyers": settings})
        before = requests_taken(world.address)
        [sync] = world.sync().syncs
        after = requests_taken(world.address)
        calls = (after - before).total()
        fewest = -(-sync.add // ADDS_AT_ONCE) + -(-sync.remove // REMOVES_AT_ONCE)
        changes += sync.add + sync.remove
        wrong += calls != fewest or sync.calls != fewest
        told.append(f"+{sync.add:,} −{sync.remove:,}: {calls}")
    yield Figure(
        f"write calls, {changes:,} changes in {len(STEPS)} runs",
        "the fewest" if not wrong else f"not the fewest in {wrong} runs",
        f"exactly the vendor's minimum ({ADDS_AT_ONCE:,} additions, {REMOVES_AT_ONCE:,} removals per call)",
        not wrong,
        "; ".join(told),
    )
