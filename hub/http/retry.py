"""When to try again, and how long to wait before it."""

from __future__ import annotations

from collections.abc import Callable

import tenacity


class Backoff:
    """Wait as long as the other side asked, else exponentially longer each time, with jitter."""

    def __init__(self, random: Callable[[], float], *, first: float = 1.0, longest: float = 60.0) -> None:
        self._random = random
        self._first = first
        self._longest = longest

    def __call__(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = getattr(error, "retry_after", None)
        if told is not None:
            return float(told) + self._random()
        return float(min(self._longest, self._first * 2 ** (state.attempt_number - 1)) * (0.5 + self._random() / 2))


class Enough:
    """Stop after some attempts, or when the waits would add up to more than a total."""

    def __init__(self, attempts: int, total: float) -> None:
        self._attempts = attempts
        self._total = total

    def __call__(self, state: tenacity.RetryCallState) -> bool:
        return state.attempt_number >= self._attempts or state.idle_for + state.upcoming_sleep > self._total
