"""A run that has nothing to send, beside people, facts and segment alone."""

from __future__ import annotations

from collections.abc import Iterator

from figures import Figure, interleaved, seconds
from world import World

from hub.sync.prepare import Preparation

BUDGET = 3.0
AIM = 2.0


def figures(world: World, times: int) -> Iterator[Figure]:
    """Run again and again after the audience was filled."""
    world.use_segments(world.BUYERS)
    members = world.sync().syncs[0].cleared
    calls = []
    unchanged = []

    def run() -> None:
        [sync] = world.sync().syncs
        calls.append(sync.calls + sync.reads)
        unchanged.append(sync.unchanged)

    def segment() -> None:
        wiring = world.wiring()
        now = wiring.around.now()
        with wiring.open_ledger() as ledger, wiring.catalog.session(now, now) as session:
            Preparation(wiring, session, ledger, (), {}).segments()

    run()
    pairs = interleaved(run, segment, times)
    quiet = not any(calls) and set(unchanged) == {members}
    yield Figure(
        f"nothing to change, {members:,} members",
        f"{pairs.ratio():.2f} × (processor {pairs.ratio('cpu'):.2f} ×); {sum(calls)} calls",
        f"≤ {BUDGET:g} × people, facts and segment alone (aim {AIM:g} ×); no calls",
        pairs.ratio() <= BUDGET and quiet,
        f"{seconds(pairs.middle('left'))} against {seconds(pairs.middle('right'))}",
    )
