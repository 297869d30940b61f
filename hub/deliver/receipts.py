"""Receipts: jobs that a vendor works on after it took a batch, looked at by this run or a later one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from hub.api import (
    AuthError,
    Batch,
    Destination,
    HubError,
    Op,
    Pending,
    PluginError,
    RejectedError,
    State,
    TransientError,
)
from hub.deliver.batches import members_of
from hub.deliver.isolation import BROKE, isolated, wait_of
from hub.deliver.outcomes import blocks_of, count, settlement_of
from hub.deliver.sending import Answer, counters
from hub.deliver.telling import as_kept
from hub.deliver.work import Policy, Tally
from hub.ledger import Audience, Ledger, MemberState, Receipt

_FIRST = 5.0
_LONGEST = 3600.0


def settle(
    ledger: Ledger,
    destination: Destination[Any],
    audience: Audience,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    stop: threading.Event,
    policy: Policy | None = None,
    channel: str | None = "email",
    plugin: str | None = None,
    wait: bool = False,
) -> Tally:
    """Look at an audience's open receipts that are due, and settle those that have ended.

    With ``wait`` look again until none is open or the policy's patience is used up. Removals that were sent while a
    receipt was open are due again once it is settled.
    """
    named = plugin or f"destination {destination.connection}"
    looker = _Looker(
        ledger, destination, audience, clock=clock, policy=policy or Policy(), channel=channel, named=named
    )
    before = counters(destination)
    waited = 0.0
    while (pause := looker.look(now_or_later=wait)) is not None and wait and not stop.is_set():
        if waited + pause > looker.policy.patience:
            break
        sleep(pause)
        waited += pause
    after = counters(destination)
    tally = looker.tally
    if before is not None and after is not None:
        tally.calls, tally.reads = after[0] - before[0], after[1] - before[1]
    return tally


class _Looker:
    """Look at receipts of one audience."""

    def __init__(
        self,
        ledger: Ledger,
        destination: Destination[Any],
        audience: Audience,
        *,
        clock: Callable[[], datetime],
        policy: Policy,
        channel: str | None,
        named: str,
    ) -> None:
        self._ledger = ledger
        self._destination = destination
        self._audience = audience
        self._clock = clock
        self._channel = channel
        self._named = named
        self.policy = policy
        self.tally = Tally()

    def look(self, *, now_or_later: bool) -> float | None:
        """Look at every receipt once and return seconds until the next look; None when there is none to wait for."""
        pauses: list[float] = []
        for receipt in self._ledger.open_receipts(self._audience.audience_id):
            if receipt.look_at > self._clock() and not now_or_later and receipt.deadline > self._clock():
                continue
            pause = self._look_at(receipt)
            if self.tally.error is not None:
                return None
            if pause is not None:
                pauses.append(pause)
        return min(pauses, default=None)

    def _look_at(self, receipt: Receipt) -> float | None:
        batch = self._batch_of(receipt)
        answer = Answer(batch, [None] * len(batch.members))
        pause: float | None = None
        try:
            pause = self._poll(batch, answer)
        except TransientError as error:
            pause = error.retry_after or self._backoff(receipt)
        except RejectedError as error:
            answer.error, answer.maybe_sent = error, True
        except HubError as error:
            self.tally.error = error
            self.tally.stopped = str(error)
            self.tally.connection_stopped = isinstance(error, AuthError)
            pause = self._backoff(receipt)
        if pause is None:
            self._settle(receipt, answer)
        elif receipt.deadline <= self._clock():
            answer.outcomes = [member.unknown("the vendor's job did not end in time") for member in batch.members]
            self._settle(receipt, answer)
        else:
            pause = pause or self._backoff(receipt)
            self._ledger.look_later(receipt, self._clock() + timedelta(seconds=pause))
            return pause
        return None

    def _poll(self, batch: Batch, answer: Answer) -> float | None:
        """Ask once; return seconds to wait (0: not told) while the job is open, None when it has ended."""
        self.tally.reads += 1
        with isolated(self._named, "poll"):
            got = list(self._destination.poll(batch))
        for pending in got:
            if isinstance(pending, Pending):
                return wait_of(pending.again_in) or 0.0
        places = {member.key: place for place, member in enumerate(batch.members)}
        for told in got:
            try:
                outcome = as_kept(told)
            except ValueError as error:
                raise self._broken(str(error)) from None
            if outcome.member.key not in places or outcome.state is State.ACCEPTED:
                raise self._broken("gave an outcome that belongs to no open member of the receipt")
            answer.outcomes[places.pop(outcome.member.key)] = outcome
        if places:
            raise self._broken(f"gave no outcome for {len(places)} of {len(batch)} members")
        return None

    def _settle(self, receipt: Receipt, answer: Answer) -> None:
        """Write outcomes of those who still wait for the receipt; others left or entered again meanwhile."""
        due = {MemberState.REMOVING} if receipt.op is Op.REMOVE else {MemberState.ACCEPTED}
        waiting = self._ledger.still_waiting(receipt)
        places = [p for p, m in enumerate(answer.batch.members) if waiting.get(m.key) in due]
        mine = Answer(answer.batch, [answer.outcomes[place] for place in places], answer.error, answer.maybe_sent)
        result = settlement_of(mine, receipt.rows.take(pa.array(places, pa.int64())), repeatable=receipt.repeatable)
        with self._ledger.transaction():
            self._ledger.add_blocks(
                blocks_of(answer.outcomes, self._channel, self._clock(), self._destination.connection)
            )
            self._ledger.settle(receipt, result, deadline=self.policy.deadline)
        count(self.tally, result)

    def _batch_of(self, receipt: Receipt) -> Batch:
        audience = self._audience.remote_id or self._audience.name
        members = members_of(receipt.rows)
        return Batch(receipt.op, audience, receipt.key, members, receipt=receipt.receipt, as_of=receipt.as_of)

    def _backoff(self, receipt: Receipt) -> float:
        return float(min(_LONGEST, _FIRST * 2**receipt.looks))

    def _broken(self, what: str) -> PluginError:
        return PluginError(
            f"{self._named} broke the contract: poll {what}",
            next_step=BROKE,
        )
