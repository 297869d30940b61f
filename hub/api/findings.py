"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is: ``ok`` and ``info`` need nobody, ``error`` stops the connection."""

    OK = "ok"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check saw, and what to do about it.

    ``code`` names the kind of finding for machines (``duplicate-emails``); ``count`` is how often it was seen.
    ``lacks`` is a table and a column that a source cannot give (``("customers", "email")``): hub makes light of it
    where another source of the same system gives it, which the source itself cannot know.
    """

    level: Level
    text: str
    next_step: str | None = None
    code: str | None = None
    count: int | None = None
    lacks: tuple[str, str] | None = None

    @classmethod
    def ok(cls, text: str) -> Finding:
        """Say that something works."""
        return cls(Level.OK, text)

    @classmethod
    def info(cls, text: str, *, code: str | None = None, count: int | None = None) -> Finding:
        """Say something worth knowing."""
        return cls(Level.INFO, text, None, code, count)

    @classmethod
    def warning(
        cls,
        text: str,
        *,
        next_step: str | None = None,
        code: str | None = None,
        count: int | None = None,
        lacks: tuple[str, str] | None = None,
    ) -> Finding:
        """Say something that should be looked at."""
        return cls(Level.WARNING, text, next_step, code, count, lacks)

    @classmethod
    def error(
        cls,
        text: str,
        *,
        next_step: str | None = None,
        code: str | None = None,
        count: int | None = None,
        lacks: tuple[str, str] | None = None,
    ) -> Finding:
        """Say that the connection cannot work like this."""
        return cls(Level.ERROR, text, next_step, code, count, lacks)
