"""Push one batch until every member has an outcome: retries, splitting, and the contract's checks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import tenacity

from hub.api import Batch, HubError, Outcome, PluginError, RejectedError, TransientError
from hub.deliver.batches import batch_key
from hub.deliver.isolation import ACCIDENTS, BROKE, broken, told_safely
from hub.deliver.telling import as_kept, is_plain
from hub.deliver.work import Policy, Work
from hub.http import Backoff, Enough


@dataclass(slots=True)
class Answer:
    """What one batch came to; a member without an outcome is explained by ``error``."""

    batch: Batch
    outcomes: list[Outcome | None]
    error: HubError | None = None
    maybe_sent: bool = False
    alone: set[int] = field(default_factory=set)
    pushes: int = 0

    def open_places(self, places: Sequence[int]) -> Sequence[int]:
        """Return those of some positions that have no outcome yet."""
        return [place for place in places if self.outcomes[place] is None]


class _AllRefusedError(Exception):
    """One member after the other was refused alone: the fault is not in the rows."""

    def __init__(self, reason: RejectedError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Sender:
    """Push batches of one sync; threads may share it."""

    def __init__(self, work: Work, policy: Policy, sleep: Callable[[float], object], stop: threading.Event) -> None:
        self._work = work
        self._destination = work.destination
        self._policy = policy
        self._stop = stop
        self._refused_alone = 0
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(self._is_worth_repeating),
            wait=Backoff(policy.random, first=policy.first, longest=policy.longest),
            stop=Enough(policy.attempts, policy.total),
            sleep=cast("Callable[[int | float], None]", sleep),
            reraise=True,
        )

    def send(self, batch: Batch, *, whole: bool = False) -> Answer:
        """Push a batch and return what it came to; split it around refused rows unless it must stay ``whole``."""
        answer = Answer(batch, [None] * len(batch.members))
        try:
            if whole:
                self._attempt(answer, range(len(batch.members)), empty=not batch.members)
            else:
                self._deliver(answer, range(len(batch.members)))
        except _AllRefusedError as refused:
            answer.error = refused.reason
            # They were refused for a reason that is not theirs: no tombstones.
            for place in answer.alone:
                answer.outcomes[place] = None
        except HubError as error:
            answer.error = error
        return answer

    def _deliver(self, answer: Answer, places: Sequence[int]) -> None:
        try:
            self._attempt(answer, places)
        except RejectedError as error:
            self._split(answer, answer.open_places(places), error)
        else:
            self._refused_alone = 0

    def _split(self, answer: Answer, places: Sequence[int], error: RejectedError) -> None:
        if len(places) > 1:
            middle = len(places) // 2
            self._deliver(answer, places[:middle])
            self._deliver(answer, places[middle:])
            return
        for place in places:
            answer.outcomes[place] = answer.batch.members[place].rejected(str(error))
            answer.alone.add(place)
            self._refused_alone += 1
        if self._refused_alone >= self._policy.lone_rejections:
            raise _AllRefusedError(error)

    def _attempt(self, answer: Answer, places: Sequence[int], *, empty: bool = False) -> None:
        """Push members until nobody is open; what an attempt settled before it failed stays settled."""

        def attempt() -> None:
            still = places if answer.pushes == 0 else answer.open_places(places)
            if still or empty:
                self._push(answer, still)

        self._retrying.copy()(attempt)

    def _push(self, answer: Answer, places: Sequence[int]) -> None:
        batch = _some(answer.batch, places)
        got: list[Outcome] = []
        speaks_http = _http_of(self._destination) is not None
        limiter = self._work.limiter
        try:
            with nullcontext() if speaks_http or limiter is None else limiter.slot():
                answer.pushes += 1
                got.extend(self._destination.push(batch))
        except HubError as error:
            self._match(answer, batch, places, got)
            answer.maybe_sent |= isinstance(error, TransientError) and error.sent
            told_safely(error)
            raise
        except ACCIDENTS as error:  # the one place that isolates a destination
            self._match(answer, batch, places, got)
            raise broken(self._work.named, "push", error) from error
        self._match(answer, batch, places, got)
        missing = len(answer.open_places(places))
        if missing:
            raise self._broken(f"gave no outcome for {missing} of {len(places)} members")

    def _match(self, answer: Answer, batch: Batch, places: Sequence[int], got: Sequence[Outcome]) -> None:
        """Give every outcome to its member. Raises PluginError for a stranger or a second outcome."""
        try:
            pairs = zip(got, batch.members, strict=False)
            if len(got) == len(batch.members) and all(o.member is m and is_plain(o) for o, m in pairs):
                if len(got) == len(answer.outcomes):
                    answer.outcomes[:] = got
                    return
                for place, outcome in zip(places, got, strict=True):
                    answer.outcomes[place] = outcome
                return
        except AttributeError:
            pass
        by_key = {member.key: place for member, place in zip(batch.members, places, strict=True)}
        twice: str | None = None
        for told in got:
            try:
                outcome = as_kept(told)
            except ValueError as error:
                raise self._broken(str(error)) from None
            if outcome.member.key not in by_key:
                raise self._broken("gave an outcome for a member that was not in the batch")
            place = by_key[outcome.member.key]
            if answer.outcomes[place] is not None:
                twice = outcome.member.key
                answer.outcomes[place] = batch.members[places.index(place)].unknown("two outcomes were given")
            else:
                answer.outcomes[place] = outcome
        if twice is not None:
            raise self._broken("gave more than one outcome for a member")

    def _broken(self, what: str) -> PluginError:
        return PluginError(
            f"{self._work.named} broke the contract: push {what}",
            next_step=BROKE,
        )

    def _is_worth_repeating(self, error: BaseException) -> bool:
        if not isinstance(error, TransientError) or self._stop.is_set():
            return False
        return self._destination.can.repeatable or not error.sent


def counters(destination: Any) -> tuple[int, int] | None:
    """Return write and read calls so far, where the destination speaks HTTP."""
    http = _http_of(destination)
    return None if http is None else (getattr(http, "writes", 0), getattr(http, "reads", 0))


def _http_of(destination: Any) -> Any:
    try:
        return destination.http
    except RuntimeError:
        return None


def _some(batch: Batch, places: Sequence[int]) -> Batch:
    if len(places) == len(batch.members):
        return batch
    members = [batch.members[place] for place in places]
    # The same members of the same batch have the same key whenever they are sent again.
    key = batch_key(batch.key, batch.op, (member.key for member in members), batch.as_of) if batch.as_of else batch.key
    return Batch(batch.op, batch.audience, key, members, batch.number, batch.last, batch.total, None, batch.as_of)
