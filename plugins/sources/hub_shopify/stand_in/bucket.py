"""The leaky bucket that meters an app's requests to a shop. Source: shopify.dev, "GraphQL Admin API rate limits"."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

_MICROSECOND = timedelta(microseconds=1)


class Bucket:
    """Hold up to ``size`` points, refilled by ``restore_rate`` a second; ``now`` is the clock.

    The level is exact, so that who waits for just enough points finds them.
    """

    def __init__(self, size: float, restore_rate: float, now: Callable[[], datetime]) -> None:
        self.size = size
        self.restore_rate = restore_rate
        self._now = now
        self._level = Fraction(size)
        self._seen = now()
        self._lock = threading.Lock()

    @property
    def available(self) -> Fraction:
        """Return the points there are now."""
        with self._lock:
            return self._refill()

    def take(self, points: float) -> bool:
        """Take points, or none if there are not enough."""
        with self._lock:
            if self._refill() < points:
                return False
            self._level -= Fraction(points)
            return True

    def give_back(self, points: float) -> None:
        """Return points that were not needed."""
        with self._lock:
            self._level = min(Fraction(self.size), self._refill() + Fraction(points))

    def drain(self) -> None:
        """Leave nothing."""
        with self._lock:
            self._refill()
            self._level = Fraction(0)

    def status(self) -> dict[str, Any]:
        """Return ``throttleStatus``; points that are not whole yet do not show."""
        return {
            "maximumAvailable": float(self.size),
            "currentlyAvailable": int(self.available),
            "restoreRate": float(self.restore_rate),
        }

    def _refill(self) -> Fraction:
        now = self._now()
        if now > self._seen:
            passed = Fraction((now - self._seen) // _MICROSECOND, 1_000_000)
            self._level = min(Fraction(self.size), self._level + passed * Fraction(self.restore_rate))
            self._seen = now
        return self._level
