"""What a run takes from outside: time, sleep, the wish to stop, and somebody to tell."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import Protocol


class Progress(Protocol):
    """Somebody who wants to know how far the work is."""

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """Hear that ``done`` of ``total`` (None: unknown) of something are done."""


def say_nothing(what: str, done: int, total: int | None) -> None:
    """Be the progress that nobody watches."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Clock (aware UTC), seconds that only go on, sleep, an event that asks to stop, environment and progress."""

    clock: Callable[[], datetime] = _now
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    stop: Event = field(default_factory=Event)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    progress: Progress = say_nothing

    def now(self) -> datetime:
        """Return the time as naive UTC, as the catalog keeps it."""
        return self.clock().astimezone(UTC).replace(tzinfo=None)
