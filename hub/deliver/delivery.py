"""One delivery: the difference of one sync, sent in batches and written down batch by batch."""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from hub.api import AuthError, Batch, ConfigError, HubError, Member, Op, PluginError, RejectedError, TransientError
from hub.api.forecasts import json_size
from hub.catalog import CatalogFailedError, plain_failures
from hub.consent.cleared import Cleared
from hub.deliver.batches import Part, Stream, batch_key, parts_of, removals_of
from hub.deliver.gatekeeper import Gatekeeper
from hub.deliver.isolation import ACCIDENTS, broken
from hub.deliver.outcomes import blocks_of, count, settlement_of
from hub.deliver.receipts import settle
from hub.deliver.sending import Answer, Sender, counters
from hub.deliver.work import Policy, Tally, Work
from hub.ledger import Intent, Ledger
from hub.ledger.packing import HANDLE

_COLLECT_AFTER = 100_000
_WAITING = "the vendor is still working on an earlier batch"


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch that is on its way."""

    part: Part
    intent: Intent
    batch: Batch


class Delivery:
    """Send one sync's difference. The calling thread alone writes; pushing may happen in threads of its own."""

    def __init__(
        self,
        work: Work,
        ledger: Ledger,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object],
        stop: threading.Event,
        policy: Policy,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.work = work
        self.can = work.destination.can
        self.ledger = ledger
        self.clock = clock
        self.sleep = sleep
        self.stop = stop
        self.policy = policy
        self.tally = Tally()
        self.sender = Sender(work, policy, sleep, stop)
        self.gatekeeper = Gatekeeper(work, ledger, clock)
        self._progress = progress
        self._exhausted = 0
        self._refused_alone: list[str] = []
        self._pushes = 0
        self._streams: list[Stream] = []

    def run(self) -> Tally:
        """Send the difference until it is done or something stops it."""
        before = counters(self.work.destination)
        used = self.work.limiter.used if self.work.limiter else 0
        # What may not be repeated must not be forgotten in a power cut either.
        self.ledger.durable(not self.can.repeatable)
        try:
            with _rare_collections():
                planned = self._send_all()
        finally:
            self.ledger.durable(True)
        self._count_calls(before, used)
        self._count_rest(planned - self.tally.settled)
        return self.tally

    def _send_all(self) -> int:
        """Send removals, then updates, then additions; return how many were planned."""
        updates = self.work.updates if Op.UPDATE in self.can.ops else None
        planned = self._remove()
        changes = ((Op.UPDATE, updates), (Op.ADD, self.work.additions))
        sizes = {op: len(cleared) for op, cleared in changes if cleared is not None}
        for op, cleared in changes:
            if cleared is not None and self.tally.stopped is None:
                self._send(op, cleared, sizes[op])
        return planned + sum(sizes.values())

    def end(self, error: HubError | None, why: str, *, connection: bool = False) -> None:
        """Start nothing more in this sync."""
        self.tally.stopped = self.tally.stopped or why
        self.tally.error = self.tally.error or error
        self.tally.connection_stopped |= connection

    @property
    def ended(self) -> bool:
        """Tell whether nothing more may start."""
        if self.stop.is_set():
            self.end(None, "interrupted")
        return self.tally.stopped is not None

    def begin(self, op: Op, part: Part, *, number: int = 1, last: bool = True, total: int | None = None) -> Sent | None:
        """Check a batch a last time and write its intent, in one transaction; None when nobody is left."""
        work = self.work
        with self.ledger.transaction():
            if op is not Op.REMOVE:
                part = self.gatekeeper.pass_on(part, self._interrupt, self._hold_back)
            if not len(part):
                return None
            key = batch_key(work.remote, op, part.keys(), work.as_of)
            intent = self.ledger.write_intent(
                work.audience.audience_id,
                op,
                key,
                part.rows,
                run_id=work.run_id,
                repeatable=self.can.repeatable,
                capped=self.can.cap is not None and op is Op.ADD,
                as_of=work.as_of,
                whole=self.can.replaces,
            )
        batch = Batch(op, work.remote, key, part.members, number, last, total, as_of=work.as_of)
        return Sent(part, intent, batch)

    def finish(self, sent: Sent, answer: Answer) -> None:
        """Write down what became of a batch, and judge whether to go on."""
        result = settlement_of(answer, sent.part.rows, repeatable=self.can.repeatable)
        now = self.clock()
        with self.ledger.transaction():
            blocks = blocks_of(answer.outcomes, self.work.channel, now, self.work.destination.connection)
            self.gatekeeper.write(blocks)
            self.ledger.settle(sent.intent, result, deadline=self.policy.deadline)
        count(self.tally, result)
        self._pushes += answer.pushes
        if result.delivered or result.accepted:
            self._refused_alone = []
        if answer.error is None:
            self._refused_alone += [answer.batch.members[place].key for place in answer.alone]
        self._judge(answer)
        if self._progress:
            self._progress(len(sent.part))

    def _remove(self) -> int:
        """Send removals and return how many were planned."""
        planned = 0

        def counted() -> Iterator[Collection[str]]:
            nonlocal planned
            for keys in self.work.removals:
                planned += len(keys)
                yield keys

        chunks = counted()
        audience_id = self.work.audience.audience_id
        limit = self.can.ops.get(Op.REMOVE)
        if limit is None:
            for keys in chunks:
                self._leave(keys)
        else:
            tables = removals_of(self.ledger, audience_id, chunks, limit.count)
            self._send_parts(Op.REMOVE, parts_of(self._found(tables), limit, self.size), None)
        # Sending may have ended early: what was not read is planned nevertheless.
        for _ in chunks:
            pass
        return planned

    def _found(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Pass on whom the destination can find; the others leave the ledger without a call."""
        for table in tables:
            identified = [any(values) for values in zip(*(table.column(n).to_pylist() for n in HANDLE), strict=True)]
            if all(identified):
                yield table
                continue
            mask = pa.array(identified, pa.bool_())
            lost = table.filter(pa.array([not found for found in identified], pa.bool_()))
            self._leave(lost.column("member_key").to_pylist())
            yield table.filter(mask)

    def _leave(self, keys: Collection[str]) -> None:
        self.ledger.remove_silently(self.work.audience.audience_id, keys)
        self.tally.delivered += len(keys)

    def _send(self, op: Op, cleared: Cleared, size: int) -> None:
        limit = self.can.ops[op]
        total = -(-size // limit.count) if limit.bytes is None else None
        stream = Stream(cleared, limit.count)
        self._streams.append(stream)
        parts = parts_of(stream, limit, self.size, permissions=self.can.permissions)
        try:
            self._send_parts(op, map(self._with_remote_ids, parts) if op is Op.UPDATE else parts, total)
        finally:
            # A session with an open answer refuses every other question.
            stream.interrupt()

    def _with_remote_ids(self, part: Part) -> Part:
        return part.with_remote_ids(self.ledger.handles(self.work.audience.audience_id, part.keys()))

    def _send_parts(self, op: Op, parts: Iterator[Part], total: int | None) -> None:
        """Send parts one after the other, or several at once where the vendor allows it."""
        rate = self.can.rate or self.work.destination.rate
        concurrent = 1 if self.can.exclusive or rate is None else rate.concurrent
        batches = self._batches(op, parts, total)
        if concurrent == 1:
            self._send_in_turn(batches)
            return
        with ThreadPoolExecutor(concurrent) as pool:
            self._send_at_once(pool, concurrent, batches)

    def _send_in_turn(self, batches: Iterator[Sent]) -> None:
        sent = next(batches, None)
        while sent is not None:
            answer = self.sender.send(sent.batch)
            if self.can.exclusive or not self.can.repeatable:
                self.finish(sent, answer)
                sent = next(batches, None)
                continue
            # One transaction writes an outcome and the next intent: half the commits, and pages are reused in it.
            # Should it fail, the outcome is lost and the batch repeated, which is harmless here.
            with self.ledger.transaction():
                self.finish(sent, answer)
                sent = next(batches, None)

    def _send_at_once(self, pool: ThreadPoolExecutor, concurrent: int, batches: Iterator[Sent]) -> None:
        under_way: dict[Future[Answer], Sent] = {}
        try:
            for sent in batches:
                under_way[pool.submit(self.sender.send, sent.batch)] = sent
                if len(under_way) == concurrent:
                    self._finish_some(under_way, FIRST_COMPLETED)
        finally:
            while under_way:
                self._finish_some(under_way, FIRST_COMPLETED)

    def _finish_some(self, under_way: dict[Future[Answer], Sent], when: Any) -> None:
        done, _ = wait(under_way, return_when=when)
        for future in done:
            self.finish(under_way.pop(future), future.result())

    def _batches(self, op: Op, parts: Iterator[Part], total: int | None) -> Iterator[Sent]:
        number = 0
        for part, last in self._read(parts):
            if self.ended or not self._is_free():
                return
            sent = None
            with self.asking():
                sent = self.begin(op, part, number=number + 1, last=last, total=total)
            if sent is not None:
                number += 1
                yield sent

    def _read(self, parts: Iterator[Part]) -> Iterator[tuple[Part, bool]]:
        """Yield every part with whether it is the last; where no more can be read, the sync ends without a last."""
        with self.asking():
            yield from marked(parts)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """End the sync, what went being counted, where catalog or plugin cannot answer what is asked in the context."""
        try:
            with plain_failures():
                yield
        except (CatalogFailedError, PluginError) as error:
            self.end(error, str(error))

    def size(self, member: Member) -> int:
        """Return the bytes of a member in a request. Raises PluginError where the plugin breaks."""
        try:
            return json_size(self.work.destination.row(member))
        except ACCIDENTS as error:
            raise broken(self.work.named, "row", error) from error

    def _is_free(self) -> bool:
        """Tell whether the audience takes a batch now; waits for its open job as long as patience lasts."""
        if not self.can.exclusive or not self.ledger.count_receipts(self.work.audience.audience_id):
            return True
        earlier = settle(
            self.ledger,
            self.work.destination,
            self.work.audience,
            clock=self.clock,
            sleep=self.sleep,
            stop=self.stop,
            policy=self.policy,
            channel=self.work.channel,
            plugin=self.work.named,
            wait=True,
        )
        self._pushes_read(earlier)
        if earlier.error is not None:
            self.end(earlier.error, str(earlier.error), connection=earlier.connection_stopped)
            return False
        if self.ledger.count_receipts(self.work.audience.audience_id):
            self.end(None, _WAITING)
            return False
        return True

    def _pushes_read(self, earlier: Tally) -> None:
        if counters(self.work.destination) is None:
            self.tally.reads += earlier.reads

    def _judge(self, answer: Answer) -> None:
        """End the sync, or the connection, where going on would do no good."""
        error = answer.error
        if error is None:
            self._exhausted = 0
        elif isinstance(error, TransientError):
            self._exhausted += 1
            if self._exhausted >= self.policy.exhausted:
                self.end(error, str(error), connection=True)
        elif isinstance(error, AuthError):
            self.end(error, str(error), connection=True)
        elif isinstance(error, RejectedError):
            self._forgive()
            self.end(error, f"everything is refused: {error}")
        else:
            # A wrong setting met while sending is one audience's; the connection's own are met when it is made.
            self.end(error, str(error), connection=not isinstance(error, PluginError | ConfigError))

    def _forgive(self) -> None:
        """Take back the tombstones of a row of lone refusals: the fault is not in the members."""
        self.ledger.forgive(self.work.audience.audience_id, self._refused_alone)
        self.tally.rejected -= len(self._refused_alone)
        self.tally.failed += len(self._refused_alone)
        self._refused_alone = []

    def _interrupt(self) -> None:
        for stream in self._streams:
            stream.interrupt()

    def _hold_back(self, keys: Collection[str], reason: str) -> None:
        self.tally.held_back += len(keys)
        for key in keys:
            self.tally.sample(self.tally.held, key, reason)

    def _count_calls(self, before: tuple[int, int] | None, used: int) -> None:
        after = counters(self.work.destination)
        if before is None or after is None:
            self.tally.calls = (1 if self._pushes else 0) if self.can.replaces else self._pushes
        else:
            self.tally.calls, self.tally.reads = after[0] - before[0], after[1] - before[1]
        limiter = self.work.limiter
        if limiter is not None and limiter.used > used:
            now = self.clock()
            self.ledger.add_usage(self.work.destination.connection, now.date().isoformat(), limiter.used - used)

    def _count_rest(self, rest: int) -> None:
        """Count those that were not tried: kept waiting, or failed with what stopped the sync."""
        if rest <= 0:
            return
        if self.tally.stopped == _WAITING:
            self.tally.held_back += rest
        else:
            self.tally.failed += rest


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the garbage collector look more rarely at members and outcomes, which have no cycles: a fifth of the time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def marked(parts: Iterator[Part]) -> Iterator[tuple[Part, bool]]:
    """Yield every part with whether it is the last."""
    ahead: deque[Part] = deque()
    for part in parts:
        if ahead:
            yield ahead.popleft(), False
        ahead.append(part)
    if ahead:
        yield ahead.popleft(), True
