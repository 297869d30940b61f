"""The faults that the stand-in can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import api

_ONCE = {"times": "once if empty", "every": "every n-th request; each if empty", "path": "any if empty"}
_HEALED = {**_ONCE, "times": "until healed if empty"}
FAULTS = (
    api.Fault("rate-limit", "Answer 429 with Retry-After.", {**_ONCE, "retry_after": "1 if empty"}),
    api.Fault("rate-limit-bare", "Answer 429 and say nothing of when, as Mailchimp does.", _ONCE),
    api.Fault("busy-edge", "Answer 403 without JSON, as the edge does when it is busy.", _ONCE),
    api.Fault("server-error", "Answer 500 and do nothing.", _ONCE),
    api.Fault("drop-before", "Hang up before the work.", _ONCE),
    api.Fault("drop-after", "Do the work, then hang up.", _ONCE),
    api.Fault("slow", "Answer late.", {**_HEALED, "seconds": "1 if empty"}),
    api.Fault("expired-key", "Refuse the key.", _HEALED),
    api.Fault("forbidden", "Say that the key's user is disabled.", _HEALED),
    api.Fault("viewer", "Let the key's user be one who may only look.", {}),
    api.Fault("no-audience", "Know no audience.", _HEALED),
    api.Fault("poison-rows", "Refuse contacts whose address contains a text.", {"text": "poison if empty"}),
    api.Fault(
        "breaking-rows", "Answer 500 to calls with an address that contains a text.", {"text": "broken if empty"}
    ),
    api.Fault("terse-tags", "Say nothing of who had a tag already.", {}),
    api.Fault("slow-jobs", "Let batch operations take longer.", {"seconds": "60 if empty"}),
)
_KNOWN = {fault.name: fault for fault in FAULTS}
_ONCE_BY_DEFAULT = frozenset(fault.name for fault in FAULTS if fault.parameters.get("times") == _ONCE["times"])
_WHOLE_NUMBERS = ("times", "every")


@dataclass(slots=True)
class Active:
    """A fault that was asked for; ``left`` None means until healed."""

    values: dict[str, str]
    left: int | None = None
    asked: int = 0

    def take(self, path: str) -> bool:
        """Use up one turn, where this request has one."""
        if self.left == 0 or not path.startswith(self.values.get("path", "")):
            return False
        self.asked += 1
        if self.asked % int(self.values.get("every", "1")):
            return False
        if self.left is not None:
            self.left -= 1
        return True


@dataclass(slots=True)
class Switches:
    """Which faults are on; whoever calls holds the lock."""

    active: dict[str, Active] = field(default_factory=dict)

    def on(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Switch a fault on. Raises ValueError for one that makes no sense."""
        if name not in _KNOWN:
            raise ValueError(f"there is no fault {name!r}; known: {', '.join(_KNOWN)}")
        given = {key: str(value) for key, value in parameters.items() if value not in (None, "")}
        strange = given.keys() - _KNOWN[name].parameters.keys()
        if strange:
            raise ValueError(f"{name} has no parameter {sorted(strange)[0]!r}")
        numbers = {key: float(given[key]) for key in (*_WHOLE_NUMBERS, "seconds", "retry_after") if key in given}
        if min(numbers.values(), default=0) < 0 or numbers.get("every", 1) < 1:
            raise ValueError("numbers are not negative, every is 1 or more")
        given |= {key: str(int(numbers[key])) for key in _WHOLE_NUMBERS if key in numbers}
        once = 1 if name in _ONCE_BY_DEFAULT else None
        self.active[name] = Active(given, int(given["times"]) if "times" in given else once)

    def off(self) -> None:
        """Switch all off."""
        self.active.clear()

    def take(self, name: str, path: str) -> bool:
        """Use up one turn of a fault that is on."""
        found = self.active.get(name)
        return found is not None and found.take(path)

    def value(self, name: str, key: str, default: str) -> str:
        """Return a parameter of a fault that is on."""
        return self.active[name].values.get(key, default)

    def text(self, name: str, default: str) -> str | None:
        """Return the text of a fault that is on, None of one that is off."""
        return self.value(name, "text", default) if name in self.active else None

    def told(self) -> dict[str, Any]:
        """Return what is on, as data."""
        return {name: {**each.values, "left": each.left} for name, each in self.active.items()}
