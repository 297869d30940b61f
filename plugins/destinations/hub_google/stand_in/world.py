"""What the stand-in knows: lists with who is in them and until when, and requests that are worked on."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import api

Json = dict[str, Any]
_GRANTED = "CONSENT_GRANTED"


@dataclass(slots=True)
class UserList:
    """One list. ``people`` are identifiers with the time they leave, by number; ``by_value`` finds them."""

    id: str
    account: str
    fields: Json
    created: float
    seconds: float
    people: dict[int, tuple[frozenset[str], float]] = field(default_factory=dict)
    by_value: dict[str, set[int]] = field(default_factory=dict)
    _next: int = 0

    def add(self, identifiers: frozenset[str], now: float) -> None:
        """Take a person in, or renew who shares an identifier."""
        known = self._found(identifiers)
        everything = identifiers.union(*(self.people[number][0] for number in known))
        self._drop(known)
        self._next += 1
        self.people[self._next] = (everything, now + self.seconds)
        for value in everything:
            self.by_value.setdefault(value, set()).add(self._next)

    def remove(self, identifiers: frozenset[str]) -> None:
        """Take out whoever shares an identifier."""
        self._drop(self._found(identifiers))

    def expire(self, now: float) -> None:
        """Let go of those whose time is over."""
        self._drop({number for number, (_, until) in self.people.items() if until <= now})

    def _found(self, identifiers: frozenset[str]) -> set[int]:
        return set().union(*(self.by_value.get(value, ()) for value in identifiers))

    def _drop(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            for value in self.people.pop(number)[0]:
                self.by_value[value].discard(number)


@dataclass(frozen=True, slots=True)
class Row:
    """One member of a request: what it is known by, where it is to go, and whether consent came along."""

    identifiers: frozenset[str]
    lists: tuple[str, ...]
    region: str | None
    consent: bool


@dataclass(slots=True)
class Request:
    """One request; its rows are worked off when it is ``due``. ``errors`` are positions by reason."""

    id: str
    adds: bool
    rows: list[Row]
    destinations: list[Json]
    due: float
    total: int
    done: bool = False
    errors: dict[str, list[int]] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """Return how it ended, or that it has not."""
        if not self.done:
            return "PROCESSING"
        failed = sum(map(len, self.errors.values()))
        return "SUCCESS" if not failed else "FAILED" if failed >= self.total else "PARTIAL_SUCCESS"


class World:
    """All accounts. It knows no HTTP; whoever calls holds the lock."""

    def __init__(self) -> None:
        self.lists: dict[str, UserList] = {}
        self.requests: dict[str, Request] = {}
        self._waiting: list[Request] = []
        self._next = 900_000_000

    def make_list(self, account: str, fields: Json, now: float) -> UserList:
        """Create a list."""
        self._next += 1
        made = UserList(str(self._next), account, fields, now, seconds_of(fields["membershipDuration"]))
        self.lists[made.id] = made
        return made

    def of(self, account: str) -> list[UserList]:
        """Return the lists of an account."""
        return [each for each in self.lists.values() if each.account == account]

    def take(self, rows: list[Row], destinations: list[Json], now: float, seconds: float, *, adds: bool) -> Request:
        """Take a request; it is worked on as time passes."""
        made = Request(str(uuid.uuid4()), adds, rows, destinations, now + seconds, len(rows))
        self.requests[made.id] = made
        self._waiting.append(made)
        return made

    def work(self, now: float, failing: Mapping[str, str]) -> None:
        """Finish the requests that are due; ``failing`` are reasons by identifier."""
        due = sorted((each for each in self._waiting if each.due <= now), key=lambda each: each.due)
        self._waiting = [each for each in self._waiting if each.due > now]
        for request in due:
            self._finish(request, failing)
        for each in self.lists.values():
            each.expire(now)

    def _finish(self, request: Request, failing: Mapping[str, str]) -> None:
        for place, row in enumerate(request.rows):
            reason = next((failing[value] for value in row.identifiers if value in failing), None)
            if reason is None and request.adds and not row.consent and _is_asked(row.region):
                reason = "PROCESSING_ERROR_REASON_NO_CONSENT"
            if reason is not None:
                request.errors.setdefault(reason, []).append(place)
                continue
            for list_id in row.lists:
                held = self.lists.get(list_id)
                if held is not None:
                    held.add(row.identifiers, request.due) if request.adds else held.remove(row.identifiers)
        request.rows = []
        request.done = True


def is_granted(consent: Any) -> bool:
    """Tell whether both consents were given."""
    told = consent if isinstance(consent, dict) else {}
    return told.get("adUserData") == _GRANTED and told.get("adPersonalization") == _GRANTED


def seconds_of(duration: str) -> float:
    """Read a length of time as Google writes it."""
    return float(str(duration).removesuffix("s"))


def _is_asked(region: str | None) -> bool:
    """Tell whether Google wants consent: in the EEA, the United Kingdom and Switzerland, and where nobody knows."""
    return region is None or region not in api.silence_permits()
