"""Deliveries to a destination that is given the whole audience whenever anything changed, such as a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa

from hub.api import Batch, HubError, Member, Op, PluginError, State
from hub.deliver.batches import Part, Stream, batch_key, members_of, parts_of
from hub.deliver.delivery import Delivery
from hub.deliver.outcomes import count
from hub.deliver.sending import Answer
from hub.ledger import Intent, MemberState, Settlement
from hub.ledger.packing import ROWS

_KEYS_AT_ONCE = 10_000
_EMPTY = Part(ROWS.empty_table(), [])


class Replacing(Delivery):
    """Send everyone in successive batches. Nothing counts before the last was taken.

    Intents hold the changed members only, and are read again from the ledger at the end, so that memory does not
    grow with the audience.
    """

    _changes: list[tuple[Intent, Mapping[str, tuple[State, str]]]]
    _standing: Mapping[str, tuple[MemberState, str | None]]
    _changed: frozenset[str]
    _dropped: list[str]

    def _send_all(self) -> int:
        if self.work.everyone is None:
            # Only removals that must go: nobody may say who else is in.
            return super()._send_all() if Op.REMOVE in self.can.ops else self._keep_removals_due()
        self._changes, self._standing, self._changed, self._dropped = [], {}, frozenset(), []
        work = self.work
        planned = sum(len(cleared) for cleared in (work.additions, work.updates) if cleared is not None)
        planned += self._note_removals()
        if planned:
            try:
                error, maybe_taken = self._push_everyone()
            finally:
                self._interrupt()
            for intent, exceptions in self._changes:
                self._end_intent(intent, exceptions, error, maybe_taken=maybe_taken)
            if error is None and self._dropped and not self.tally.stopped:
                self.ledger.remove_silently(work.audience.audience_id, self._dropped)
        return planned

    def _keep_removals_due(self) -> int:
        """Keep in the ledger whom the destination still holds, and say so; the next replacement takes them out."""
        planned = sum(map(len, self.work.removals))
        if planned:
            error = PluginError(
                f"{self.work.named} replaces its audience and has no Op.REMOVE: who must leave is still in it",
                next_step="Answer what holds the sync, so that the audience is replaced; or give the plugin Op.REMOVE.",
            )
            self.end(error, str(error))
        return planned

    def _note_removals(self) -> int:
        planned = 0
        for keys in self.work.removals:
            planned += len(keys)
            columns = {name: [None] * len(keys) for name in ROWS.names} | {"member_key": list(keys)}
            rows = pa.table(columns, schema=ROWS)
            sent = self.begin(Op.REMOVE, Part(rows, members_of(rows)))
            if sent is not None:
                self._changes.append((sent.intent, {}))
        return planned

    def _push_everyone(self) -> tuple[HubError | None, bool]:
        """Push all batches; return what ended it, and whether the whole may have been taken nevertheless."""
        for number, (part, last) in enumerate(self._read(self._parts()), 1):
            if self.ended:
                return None, False
            kept, intent = _EMPTY, None
            with self.asking():
                kept, intent = self._write_intent(part)
            if self.tally.stopped is not None:
                return self.tally.error, False
            if not len(kept) and not last:
                continue
            key = batch_key(self.work.remote, Op.ADD, kept.keys(), self.work.as_of)
            batch = Batch(Op.ADD, self.work.remote, key, kept.members, number, last, None, as_of=self.work.as_of)
            answer = self.sender.send(batch, whole=True)
            self._pushes += answer.pushes
            if intent is not None:
                self._changes.append((intent, _exceptions(answer)))
            if answer.error is not None:
                self.end(answer.error, str(answer.error), connection=not isinstance(answer.error, PluginError))
                return answer.error, last and (answer.maybe_sent or isinstance(answer.error, PluginError))
            if self._progress:
                self._progress(len(part))
        return self.tally.error, not self.tally.stopped

    def _parts(self) -> Iterator[Part]:
        everyone = self.work.everyone
        if everyone is None or not len(everyone):
            yield _EMPTY
            return
        limit = self.can.ops[Op.ADD]
        stream = Stream(everyone, limit.count)
        self._streams.append(stream)
        yield from parts_of(stream, limit, self.size, permissions=self.can.permissions)

    def _write_intent(self, part: Part) -> tuple[Part, Intent | None]:
        """Note who changed in a part, and return it without those who withdrew."""
        hashes = part.rows.column("attributes_hash").to_pylist()
        with self.ledger.transaction():
            self._standing = self.ledger.standing(self.work.audience.audience_id, part.keys())
            pairs = zip(part.members, hashes, strict=True)
            self._changed = frozenset(member.key for member, digest in pairs if self._differs(member, digest))
            kept = self.gatekeeper.pass_on(part, self._interrupt, self._hold_back)
            changed = [place for place, member in enumerate(kept.members) if member.key in self._changed]
            sent = self.begin(Op.ADD, kept.take(changed))
        return kept, sent.intent if sent is not None else None

    def _differs(self, member: Member, attributes_hash: str | None) -> bool:
        state, known = self._standing.get(member.key, (MemberState.ABSENT, None))
        return state is not MemberState.HELD or known != attributes_hash

    def _hold_back(self, keys: Collection[str], reason: str) -> None:
        """Leave out who withdrew; whoever was in the whole before is gone with its replacement."""
        self._dropped += [key for key in keys if key in self._standing]
        super()._hold_back([key for key in keys if key in self._changed], reason)

    def _end_intent(
        self,
        intent: Intent,
        exceptions: Mapping[str, tuple[State, str]],
        error: HubError | None,
        *,
        maybe_taken: bool,
    ) -> None:
        rows = self.ledger.intent_rows(intent)
        places = range(rows.num_rows)
        why = str(error or self.tally.stopped)
        if error is None and not self.tally.stopped:
            result = _taken(rows, exceptions)
        elif isinstance(error, PluginError) and maybe_taken:
            result = Settlement(rows, unknown=[(place, why) for place in places])
        else:
            result = Settlement(rows, failed=[(place, why) for place in places], maybe_sent=maybe_taken)
        self.ledger.settle(intent, result, deadline=self.policy.deadline)
        count(self.tally, result)


def _exceptions(answer: Answer) -> dict[str, tuple[State, str]]:
    return {
        outcome.member.key: (outcome.state, outcome.reason or outcome.state.value)
        for outcome in answer.outcomes
        if outcome is not None and outcome.state is not State.DELIVERED
    }


def _taken(rows: pa.Table, exceptions: Mapping[str, tuple[State, str]]) -> Settlement:
    if not exceptions:
        return Settlement(rows, delivered=range(rows.num_rows))
    delivered: list[int] = []
    troubled: dict[State, list[tuple[int, str]]] = {}
    for place, key in enumerate(rows.column("member_key").to_pylist()):
        if key in exceptions:
            state, reason = exceptions[key]
            troubled.setdefault(state, []).append((place, reason))
        else:
            delivered.append(place)
    nobody: Sequence[tuple[int, str]] = ()
    return Settlement(
        rows,
        delivered=delivered,
        rejected=troubled.get(State.REJECTED, nobody),
        unknown=[*troubled.get(State.UNKNOWN, nobody), *troubled.get(State.ACCEPTED, nobody)],
        failed=troubled.get(State.FAILED, nobody),
    )
