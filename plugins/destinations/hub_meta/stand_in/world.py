"""What the stand-in knows: audiences with who is in them, and uploads that take time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

Json = dict[str, Any]
HASHED_KEYS = frozenset(
    {"EMAIL", "PHONE", "FN", "LN", "FI", "CT", "ST", "ZIP", "COUNTRY", "GEN", "DOBY", "DOBM", "DOBD"}
)
KEYS = HASHED_KEYS | {"MADID", "EXTERN_ID"}
SESSION_SECONDS = 90 * 60
_FOUND_BY = ("EMAIL", "PHONE", "MADID", "EXTERN_ID")
_HASH = re.compile(r"[0-9a-f]{64}")
_OF_NOTHING = sha256(b"").hexdigest()
_SAMPLES = 100


@dataclass(slots=True)
class Upload:
    """One session: what was received, and when it is worked off."""

    number: int
    direction: str
    begun: float
    schema: list[str]
    due: float
    parts: set[int] = field(default_factory=set)
    received: int = 0
    invalid: int = 0
    complete: bool = False


@dataclass(slots=True)
class Audience:
    """One custom audience. ``people`` are rows by number, ``by_value`` the rows that a hash belongs to."""

    id: str
    account: str
    name: str
    about: Json
    created: float
    updated: float
    people: dict[int, Json] = field(default_factory=dict)
    by_value: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    uploads: dict[int, Upload] = field(default_factory=dict)
    flagged: bool = False
    _next: int = 0

    def add(self, row: Mapping[str, str]) -> None:
        """Take a person in; whoever shares an identifier with the row is the same person and gets the others."""
        known = self._found(row)
        number = min(known, default=None)
        if number is None:
            number = self._next = self._next + 1
            self.people[number] = {}
        for key, value in row.items():
            self.people[number][key] = value
            if key in _FOUND_BY:
                self.by_value.setdefault((key, value), set()).add(number)

    def remove(self, row: Mapping[str, str]) -> None:
        """Take out whoever shares an identifier with the row."""
        for number in self._found(row):
            for key, value in self.people.pop(number).items():
                self.by_value.get((key, value), set()).discard(number)

    def _found(self, row: Mapping[str, str]) -> set[int]:
        return set().union(*(self.by_value.get((key, row[key]), ()) for key in _FOUND_BY if key in row))


class World:
    """All ad accounts. It knows no HTTP; whoever calls holds the lock."""

    def __init__(self) -> None:
        self.audiences: dict[str, Audience] = {}
        self._next = 23_850_000_000_000_000

    def of(self, account: str) -> list[Audience]:
        """Return the audiences of an account, the newest first as Meta lists them."""
        return [each for each in reversed(self.audiences.values()) if each.account == account]

    def make(self, account: str, about: Json, now: float) -> Audience:
        """Create an audience; names need not be unique."""
        self._next += 7
        made = Audience(str(self._next), account, str(about["name"]), dict(about), now, now)
        self.audiences[made.id] = made
        return made

    def forget(self, account: str, rows: Iterable[Mapping[str, str]]) -> None:
        """Take people out of every audience of an account."""
        for row in rows:
            for audience in self.of(account):
                audience.remove(row)


def read_rows(
    schema: Sequence[str], data: Sequence[Any], poison: frozenset[str]
) -> tuple[list[Json], int, dict[str, list[str]]]:
    """Return usable rows, the number of invalid values, and samples of them by key.

    A value is invalid that is no SHA-256 where one is due, the hash of nothing, or among ``poison``; a row without any
    other identifier is taken by nobody.
    """
    rows, invalid, samples = [], 0, 0
    shown: dict[str, list[str]] = {}
    for given in data:
        row: Json = {}
        for key, value in zip(schema, given, strict=True):
            if value == "":
                continue
            if key in HASHED_KEYS and (not _HASH.fullmatch(str(value)) or value == _OF_NOTHING or value in poison):
                invalid += 1
                if samples < _SAMPLES:
                    samples += 1
                    shown.setdefault(key, []).append(str(value))
                continue
            row[key] = str(value)
        if any(key in _FOUND_BY for key in row):
            rows.append(row)
    return rows, invalid, shown
