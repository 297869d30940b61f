"""Klaviyo's rate limits: fixed windows of a second and a minute, per endpoint (``x-klaviyo-ratelimit``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

DAY = 86_400
TIERS: Mapping[str, tuple[int, int]] = {"XS": (1, 15), "S": (3, 60), "M": (10, 150), "L": (75, 750), "XL": (350, 3500)}
LISTS_A_DAY = 150


@dataclass(slots=True)
class Windows:
    """How often one endpoint was asked in the windows that run now."""

    tier: str
    a_day: int | None = None
    _begun: dict[int, int] = field(default_factory=dict)
    _asked: dict[int, int] = field(default_factory=dict)

    def take(self, now: float) -> tuple[int | None, dict[str, str]]:
        """Count a request: seconds until it may be asked again where it is refused, and the headers that say so."""
        burst, steady = TIERS[self.tier]
        allowed = {1: burst, 60: steady} | ({DAY: self.a_day} if self.a_day else {})
        for seconds in allowed:
            if self._begun.get(seconds) != int(now // seconds):
                self._begun[seconds], self._asked[seconds] = int(now // seconds), 0
        full = [seconds for seconds, count in allowed.items() if self._asked[seconds] >= count]
        if full:
            longest = max(full)
            wait = max(1, math.ceil(longest - now % longest))
            return wait, {"Retry-After": str(wait)}
        for seconds in allowed:
            self._asked[seconds] += 1
        return None, {
            "RateLimit-Limit": f"{steady}, {burst};w=1, {steady};w=60",
            "RateLimit-Remaining": str(steady - self._asked[60]),
            "RateLimit-Reset": str(math.ceil(60 - now % 60)),
        }
