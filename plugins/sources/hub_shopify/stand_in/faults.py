"""What can be made to go wrong, and until when."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub import api

_ONCE = {"times": "once if empty"}
_EVERY = {"every": "each request if empty, else each so-manieth"}
_UNTIL_HEALED = {"times": "until healed if empty"}

FAULTS = (
    api.Fault("expired-token", "Let every token given out so far expire (401); a new one works.", {}),
    api.Fault("refused-token", "Refuse every token (401).", _UNTIL_HEALED),
    api.Fault(
        "other-organisation",
        "Refuse client id and secret: the app belongs to another organisation than the shop.",
        _UNTIL_HEALED,
    ),
    api.Fault(
        "throttled",
        "Empty the bucket and answer THROTTLED.",
        {"status": "200 if empty, 429 for the other way to say it", "retry_after": "none if empty", **_EVERY, **_ONCE},
    ),
    api.Fault("server-error", "Fail with an HTTP status.", {"status": "502 if empty", **_EVERY, **_ONCE}),
    api.Fault("internal-error", "Fail with status 200 and INTERNAL_SERVER_ERROR.", {**_EVERY, **_ONCE}),
    api.Fault("dropped", "Hang up.", {"when": "before the work if empty, after: when it was done", **_EVERY, **_ONCE}),
    api.Fault(
        "bulk-failed",
        "Let a running bulk operation fail on the way.",
        {"code": "INTERNAL_SERVER_ERROR if empty", "partial": "yes if empty, no: no partial file", **_ONCE},
    ),
    api.Fault("bulk-cancelled", "Let a running bulk operation be cancelled.", _ONCE),
    api.Fault("bulk-expired", "Let a running bulk operation expire.", _ONCE),
    api.Fault(
        "download-broken", "Hang up within a bulk operation's file.", {"after": "bytes; half of them if empty", **_ONCE}
    ),
    api.Fault(
        "redacted",
        "Hide personal data, as from an app that is not approved for it.",
        {"how": "null if empty, refused: with an error", **_UNTIL_HEALED},
    ),
    api.Fault("fallen-forward", "Say that another version answered.", {"version": "2027-01 if empty", **_UNTIL_HEALED}),
    api.Fault(
        "late-search",
        "Leave what changed lately out of filtered lists, as an index that lags behind.",
        {"seconds": "30 if empty", **_UNTIL_HEALED},
    ),
    api.Fault("slow", "Wait before every answer.", {"seconds": "1 if empty", **_UNTIL_HEALED}),
)
_ONCE_BY_DEFAULT = frozenset(fault.name for fault in FAULTS if fault.parameters.get("times") == _ONCE["times"])
_NUMBERS = ("times", "every", "seconds", "status", "after", "retry_after")
_CHOICES = {
    "how": ("null", "refused"),
    "when": ("before", "after"),
    "partial": ("yes", "no"),
    "code": ("ACCESS_DENIED", "INTERNAL_SERVER_ERROR", "TIMEOUT"),
}


@dataclass(slots=True)
class _Active:
    """A fault that was asked for; ``left`` None means until healed."""

    values: dict[str, str]
    left: int | None
    asked: int = 0


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[str, _Active] = {}

    def ask(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Switch a fault on. Raises ValueError for a name or value that makes no sense."""
        known = {fault.name: fault for fault in FAULTS}
        if name not in known:
            raise ValueError(f"there is no fault {name!r}; known: {', '.join(known)}")
        given = {key: str(value) for key, value in parameters.items() if value not in (None, "")}
        strange = sorted(given.keys() - known[name].parameters.keys())
        if strange:
            raise ValueError(f"{name} has no parameter {strange[0]!r}")
        _check(given)
        once = 1 if name in _ONCE_BY_DEFAULT else None
        left = int(given["times"]) if "times" in given else once
        with self._lock:
            self._active[name] = _Active(given, left)

    def heal(self) -> None:
        """Switch all off."""
        with self._lock:
            self._active.clear()

    def take(self, name: str) -> Mapping[str, str] | None:
        """Use up one turn of a fault; None: behave."""
        with self._lock:
            active = self._active.get(name)
            if active is None or active.left == 0:
                return None
            active.asked += 1
            if active.asked % max(1, int(active.values.get("every", "1"))):
                return None
            if active.left is not None:
                active.left -= 1
            return active.values

    def active(self) -> dict[str, dict[str, Any]]:
        """Return the faults that are not used up, with the turns left."""
        with self._lock:
            return {
                name: {**active.values, "left": active.left}
                for name, active in self._active.items()
                if active.left != 0
            }


def _check(given: Mapping[str, str]) -> None:
    for name in _NUMBERS:
        if name in given and float(given[name]) < 0:
            raise ValueError(f"{name} is not negative")
    if "status" in given and not 200 <= int(given["status"]) < 600:
        raise ValueError("a status is 200 to 599")
    for name, choices in _CHOICES.items():
        if name in given and given[name] not in choices:
            raise ValueError(f"{name} is one of {', '.join(choices)}")
