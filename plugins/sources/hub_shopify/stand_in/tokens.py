"""Access tokens: one that does not expire, and those for client id and secret.

Source: shopify.dev, "Client credentials grant": 24 hours, no refresh token.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

LIFETIME = timedelta(seconds=86_399)


class Tokens:
    """Give out and check access tokens; ``permanent`` is accepted until it is told to expire."""

    def __init__(self, permanent: str, secret: str, now: Callable[[], datetime]) -> None:
        self._secret = secret
        self._now = now
        self._lock = threading.Lock()
        self._permanent = permanent
        self._expiry: dict[str, datetime | None] = {permanent: None}

    def issue(self, secret: str) -> str | None:
        """Return a new token for an app's secret; None if it is not the app's."""
        if not secrets.compare_digest(secret.encode(), self._secret.encode()):
            return None
        token = f"shpat_{secrets.token_hex(16)}"
        with self._lock:
            self._expiry[token] = self._now() + LIFETIME
        return token

    def accepts(self, token: str) -> bool:
        """Tell whether a token is good now."""
        with self._lock:
            if token not in self._expiry:
                return False
            expiry = self._expiry[token]
            return expiry is None or self._now() < expiry

    def expire(self) -> None:
        """Let every token given out so far expire, the permanent one too."""
        with self._lock:
            self._expiry = dict.fromkeys(self._expiry, self._now())

    def restore(self) -> None:
        """Accept the permanent token again."""
        with self._lock:
            self._expiry[self._permanent] = None
