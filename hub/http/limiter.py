"""How fast one connection may be asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hub.api import Rate, TransientError

CONNECTIONS = 10
_DAY = 86_400.0


class Limiter:
    """Keep requests of one connection within its rate. Threads may share it.

    ``used`` is how many calls the day has seen already. A wait longer than ``patience`` seconds is not waited: the
    request is refused as transient, so that a run ends and a later one goes on.
    """

    def __init__(
        self,
        rate: Rate | None,
        *,
        used: int = 0,
        patience: float = 300.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        rate = rate or Rate()
        self.rate = rate
        self.used = used
        self._patience = patience
        self._monotonic = monotonic
        self._sleep = sleep
        self._windows = rate.windows()
        self._past: list[deque[float]] = [deque() for _ in self._windows]
        self._not_before = float("-inf")
        self._turn = threading.Lock()
        self._slots = threading.Semaphore(min(rate.concurrent, CONNECTIONS))

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for permission to ask once, and occupy one of the concurrent requests meanwhile."""
        with self._slots:
            self._take()
            yield

    def hold(self, seconds: float) -> None:
        """Let nobody ask for some seconds: the vendor said so."""
        with self._turn:
            self._not_before = max(self._not_before, self._monotonic() + seconds)

    def _take(self) -> None:
        while True:
            with self._turn:
                wait = self._wait()
                if wait <= 0:
                    now = self._monotonic()
                    for past in self._past:
                        past.append(now)
                    self.used += 1
                    return
            if wait > self._patience:
                raise TransientError(f"the rate limit asks for a pause of {wait:.0f} s", retry_after=wait)
            self._sleep(wait)

    def _wait(self) -> float:
        if self.rate.per_day is not None and self.used >= self.rate.per_day:
            return _DAY
        now = self._monotonic()
        wait = self._not_before - now
        for (seconds, count), past in zip(self._windows, self._past, strict=True):
            # One reckoning for both, since two that round differently would now and then let one request too many go.
            while past and past[0] + seconds - now <= 0:
                past.popleft()
            if len(past) >= count:
                wait = max(wait, past[0] + seconds - now)
        return wait
