"""What went wrong, named after what happens next.

::

    HubError
    ├── ConfigError        the user edits a file; nothing has started          exit 2
    ├── AuthError          a credential was refused; the user renews it        this connection stops
    ├── TransientError     try again later (``retry_after`` seconds, if told)  retried, then due again
    ├── RejectedError      the other side will never take it                   a batch is split, the row recorded
    ├── SourceError        a source's data cannot be used                      its syncs are refused, exit 3
    ├── RefusedError       a guard stopped what looks like an accident         exit 3
    ├── PluginError        a plugin broke the contract                         that sync failed, exit 4
    └── BusyError          another process holds the client or its catalog     a run is skipped, exit 0
"""

from __future__ import annotations

import re
import traceback
from typing import TypeVar

UNEXPECTED_STEP = "Run it again with --debug and report what it shows."

_BREAKS = r"\s\"'<>,;:=/?&()\[\]{}"
_EMAIL = re.compile(rf"[^{_BREAKS}]+(?:@|%40)[^{_BREAKS}]*[^{_BREAKS}.!]")
_PHONE = re.compile(r"(?<![\w.-])\+\d[\d ().-]{5,}\d(?![\w-])")
"""With its plus, as hub hands phones to plugins: dates and numbers of orders must stay readable."""


class HubError(Exception):
    """Be the base of everything hub raises on purpose.

    ``next_step`` is one imperative sentence for the user; it is shown after the message.
    """

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.next_step = next_step


ErrorT = TypeVar("ErrorT", bound=HubError)


class ConfigError(HubError):
    """A setting is missing or wrong; nothing was started."""


class AuthError(HubError):
    """A credential was refused; the connection stops until the user renews it."""


class TransientError(HubError):
    """A passing failure: a timeout, 429 or 5xx; worth trying again.

    ``sent`` is true when the request may have reached the other side, so that an action which must not
    happen twice is recorded as unknown instead of being repeated.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        sent: bool = False,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after = retry_after
        self.sent = sent


class RejectedError(HubError):
    """The other side will never take this request; a batch is split until the bad row stands alone."""


class SourceError(HubError):
    """A source's data cannot be used: unreadable, empty, shrunk or with too many broken rows."""


class RefusedError(HubError):
    """A guard stopped what looks like an accident."""


class PluginError(HubError):
    """A plugin broke the contract; the message names plugin and distribution."""


class BusyError(HubError):
    """Another process works on this client or holds its catalog."""


def without_addresses(text: str) -> str:
    """Return a text without e-mail addresses and phones in E.164: what a plugin says is told, and kept for long."""
    return _PHONE.sub("<phone>", _EMAIL.sub("<email>", text))


def hide_addresses(error: ErrorT) -> ErrorT:
    """Return an error that a plugin raised, with nobody's address left in its text and its next step."""
    error.args = (without_addresses(str(error)),)
    step = getattr(error, "next_step", None)
    error.next_step = None if step is None else without_addresses(str(step))
    return error


def unexpected(error: Exception) -> str:
    """Name an error of hub's own making by its kind and place: its text might hold someone's data."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name} ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"hub failed unexpectedly: {type(error).__name__}{place}"
