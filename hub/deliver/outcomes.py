"""From what a destination answered to what the ledger writes and the report counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from hub.api import Outcome, PluginError, State, TransientError
from hub.deliver.sending import Answer
from hub.deliver.work import Tally
from hub.ledger import NewBlock, Settlement


def settlement_of(answer: Answer, rows: pa.Table, *, repeatable: bool) -> Settlement:
    """Sort a batch's outcomes for the ledger; who has none is unknown or failed, by what ended the batch."""
    if _all_plainly_delivered(answer.outcomes):
        return Settlement(rows, delivered=range(len(answer.outcomes)))
    delivered: list[int] = []
    remote_ids: dict[int, str] = {}
    accepted: dict[str, list[int]] = {}
    troubled: dict[State, list[tuple[int, str]]] = {State.REJECTED: [], State.UNKNOWN: [], State.FAILED: []}
    fallback = _without_outcome(answer, repeatable=repeatable)
    for place, outcome in enumerate(answer.outcomes):
        if outcome is None:
            troubled[fallback].append((place, str(answer.error or "not tried")))
        elif outcome.state is State.DELIVERED:
            delivered.append(place)
            if outcome.remote_id is not None:
                remote_ids[place] = outcome.remote_id
        elif outcome.state is State.ACCEPTED:
            accepted.setdefault(outcome.receipt or answer.batch.key, []).append(place)
        else:
            troubled[outcome.state].append((place, outcome.reason or outcome.state.value))
    return Settlement(
        rows,
        delivered=delivered,
        remote_ids=remote_ids,
        accepted=accepted,
        rejected=troubled[State.REJECTED],
        unknown=troubled[State.UNKNOWN],
        failed=troubled[State.FAILED],
        retry_after=getattr(answer.error, "retry_after", None),
        maybe_sent=answer.maybe_sent,
    )


def blocks_of(outcomes: Sequence[Outcome | None], channel: str | None, now: datetime, origin: str) -> list[NewBlock]:
    """Return the blocks that outcomes prove."""
    return [
        NewBlock(outcome.member.key, channel or "*", outcome.blocks, now, origin)
        for outcome in outcomes
        if outcome is not None and outcome.blocks is not None
    ]


def count(tally: Tally, result: Settlement) -> None:
    """Add a batch to the numbers."""
    tally.delivered += len(result.delivered)
    tally.accepted += sum(map(len, result.accepted.values()))
    tally.rejected += len(result.rejected)
    tally.unknown += len(result.unknown)
    tally.failed += len(result.failed)
    if not (result.rejected or result.unknown or result.failed):
        return
    keys = result.rows.column("member_key")
    for place, reason in (*result.rejected, *result.unknown, *result.failed):
        tally.sample(tally.rejects, keys[place].as_py(), reason)


def _all_plainly_delivered(outcomes: Sequence[Outcome | None]) -> bool:
    delivered = State.DELIVERED
    return all(o is not None and o.state is delivered and o.remote_id is None for o in outcomes)


def _without_outcome(answer: Answer, *, repeatable: bool) -> State:
    if isinstance(answer.error, TransientError):
        # Where repeating is harmless, the next tick repeats it; else nobody does by itself.
        return State.UNKNOWN if answer.maybe_sent and not repeatable else State.FAILED
    if isinstance(answer.error, PluginError) or answer.maybe_sent:
        return State.UNKNOWN
    return State.FAILED
