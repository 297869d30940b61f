"""Shopify's search syntax: ``updated_at:>='2026-10-01T00:00:00Z' AND -status:open``.

Source: shopify.dev, "Shopify API search syntax". What is not documented follows what people report: the time of an
unquoted timestamp is ignored, and a filter that a list does not know is left out with a warning instead of an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

Predicate = Callable[[Any], bool]

# From this version on a time "after T" skips the rest of T's second (Shopify's changelog for 2026-10).
WHOLE_SECONDS_SINCE = "2026-10"

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<open>\() | (?P<close>\)) |
        (?P<connective>(?:AND|OR)(?=[\s(]|$)) | (?P<negation>NOT(?=[\s(])|-(?=[^\s])) |
        (?:(?P<name>[A-Za-z_][\w.]*):\s*(?P<comparator><=|>=|<|>)?\s*)?
        (?:'(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<word>[^\s()'"][^\s()]*))
    )""",
    re.VERBOSE,
)
_PERIOD = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$")


class Kind(Enum):
    """How a filter compares."""

    TIME = "time"
    NUMBER = "number"
    WORD = "word"
    TEXT = "text"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of a list: how it compares, and what of a record (one value, or several of which one must fit)."""

    kind: Kind
    value: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One term as written; ``name`` is None for words to be looked for anywhere."""

    name: str | None
    comparator: str
    value: str
    quoted: bool


@dataclass(slots=True)
class Reading:
    """What depends on the request: the version asked, the clock, the shop's time zone; and the warnings it earns."""

    version: str
    now: datetime
    zone: ZoneInfo
    warnings: list[dict[str, str]] = field(default_factory=list)


def compile_search(query: str, filters: Mapping[str, Filter], anywhere: Filter, reading: Reading) -> Predicate:
    """Return what tells whether a record is asked for."""
    tokens = list(_tokens(query))
    predicate, rest = _alternatives(tokens, 0, _Compiler(filters, anywhere, reading))
    if rest < len(tokens):  # a stray closing bracket: what follows is not looked at
        reading.warnings.append({"field": "query", "message": "Input could not be parsed.", "code": "invalid_syntax"})
    return predicate or _everything


def _tokens(query: str) -> Iterable[re.Match[str]]:
    at, end = 0, len(query.rstrip())
    while at < end:
        found = _TOKEN.match(query, at)
        if found is None:  # an odd quotation mark
            at += 1
            continue
        yield found
        at = found.end()


@dataclass(frozen=True, slots=True)
class _Compiler:
    filters: Mapping[str, Filter]
    anywhere: Filter
    reading: Reading

    def term(self, asked: Asked) -> Predicate | None:
        """Return the term's test; None for one that is left out."""
        if asked.name and asked.name not in self.filters and asked.name.endswith("_not"):
            return _negated(self.term(replace(asked, name=asked.name.removesuffix("_not"))))
        known = self.anywhere if asked.name is None else self.filters.get(asked.name)
        if known is None:
            self._warn(asked, "Invalid search field for this query.", "invalid_field")
            return None
        try:
            test = _TESTS[known.kind](asked, self.reading)
        except (ValueError, InvalidOperation):
            self._warn(asked, f"Input `{asked.value}` is not an accepted value.", "invalid_value")
            return None
        return lambda record: any(test(value) for value in _several(known.value(record)))

    def _warn(self, asked: Asked, message: str, code: str) -> None:
        self.reading.warnings.append({"field": asked.name or "default", "message": message, "code": code})


def _alternatives(tokens: list[re.Match[str]], at: int, compiler: _Compiler) -> tuple[Predicate | None, int]:
    """Read terms joined by OR, each a run of terms joined by AND or nothing."""
    choices: list[Predicate] = []
    while True:
        run, at = _run(tokens, at, compiler)
        if run is not None:
            choices.append(run)
        if at >= len(tokens) or tokens[at]["connective"] != "OR":
            break
        at += 1
    if not choices:
        return None, at
    return (choices[0] if len(choices) == 1 else lambda record: any(choice(record) for choice in choices)), at


def _run(tokens: list[re.Match[str]], at: int, compiler: _Compiler) -> tuple[Predicate | None, int]:
    tests: list[Predicate] = []
    while at < len(tokens) and not tokens[at]["close"] and tokens[at]["connective"] != "OR":
        if tokens[at]["connective"]:
            at += 1
            continue
        test, at = _term(tokens, at, compiler)
        if test is not None:
            tests.append(test)
    if not tests:
        return None, at
    return (tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)), at


def _term(tokens: list[re.Match[str]], at: int, compiler: _Compiler) -> tuple[Predicate | None, int]:
    token = tokens[at]
    if token["negation"]:
        if at + 1 >= len(tokens):
            return None, at + 1
        test, after = _term(tokens, at + 1, compiler)
        return _negated(test), after
    if token["open"]:
        test, after = _alternatives(tokens, at + 1, compiler)
        return test, after + 1
    quoted = token["single"] if token["single"] is not None else token["double"]
    value = token["word"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    asked = Asked(token["name"], token["comparator"] or "=", value, quoted is not None)
    return compiler.term(asked), at + 1


def _negated(test: Predicate | None) -> Predicate | None:
    return None if test is None else lambda record: not test(record)


def _time(asked: Asked, reading: Reading) -> Predicate:
    start, end = _span(asked, reading)
    if end is not None:
        return _within(asked.comparator, start, end)
    whole_seconds = reading.version >= WHOLE_SECONDS_SINCE
    second = start.replace(microsecond=0)
    tests: dict[str, Predicate] = {
        "=": lambda at: at is not None and second <= at < second + timedelta(seconds=1),
        ">=": lambda at: at is not None and at >= start,
        ">": lambda at: at is not None and (at >= second + timedelta(seconds=1) if whole_seconds else at > start),
        "<": lambda at: at is not None and at < start,
        "<=": lambda at: at is not None and at <= start,
    }
    return tests[asked.comparator]


def _within(comparator: str, start: datetime, end: datetime) -> Predicate:
    """Compare with a day, month or year as a whole."""
    tests: dict[str, Predicate] = {
        "=": lambda at: at is not None and start <= at < end,
        ">=": lambda at: at is not None and at >= start,
        ">": lambda at: at is not None and at >= end,
        "<": lambda at: at is not None and at < start,
        "<=": lambda at: at is not None and at < end,
    }
    return tests[comparator]


def _span(asked: Asked, reading: Reading) -> tuple[datetime, datetime | None]:
    """Return the instant asked for, or start and end of the day, month or year, in the shop's time zone."""
    text = asked.value if asked.quoted else asked.value.partition("T")[0]
    if text.lower() == "now":
        return reading.now, None
    period = _PERIOD.match(text)
    if period is None:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=reading.zone)).astimezone(UTC), None
    year, month, day = (int(part) if part else None for part in period.groups())
    start = datetime(year or 1, month or 1, day or 1, tzinfo=reading.zone)
    if day:
        end = start + timedelta(days=1)
    elif month:
        end = (start + timedelta(days=32)).replace(day=1)
    else:
        end = start.replace(year=start.year + 1)
    return start.astimezone(UTC), end.astimezone(UTC)


def _number(asked: Asked, _reading: Reading) -> Predicate:
    wanted = Decimal(asked.value.rpartition("/")[2])  # an id may be written as gid://shopify/Customer/1
    tests: dict[str, Predicate] = {
        "=": lambda value: value is not None and value == wanted,
        ">=": lambda value: value is not None and value >= wanted,
        ">": lambda value: value is not None and value > wanted,
        "<": lambda value: value is not None and value < wanted,
        "<=": lambda value: value is not None and value <= wanted,
    }
    return tests[asked.comparator]


def _word(asked: Asked, _reading: Reading) -> Predicate:
    """Match one of several words whole, whatever their case: states, tags, types."""
    if asked.value == "*":
        return bool
    wanted = {word.strip().lower() for word in asked.value.split(",")}
    return lambda value: value is not None and value.lower() in wanted


def _text(asked: Asked, _reading: Reading) -> Predicate:
    """Match a text whole if quoted, else a part of it between punctuation; ``*`` at the end stands for anything."""
    wanted = asked.value.lower()
    if wanted == "*":
        return bool
    if asked.quoted:
        return lambda value: value is not None and wanted in {value.lower(), *value.lower().split()}
    if wanted.endswith("*"):
        return lambda value: value is not None and any(part.startswith(wanted[:-1]) for part in _parts(value))
    return lambda value: value is not None and (wanted == value.lower() or set(_parts(wanted)) <= set(_parts(value)))


def _flag(asked: Asked, _reading: Reading) -> Predicate:
    if asked.value.lower() not in {"true", "false"}:
        raise ValueError(asked.value)
    wanted = asked.value.lower() == "true"
    return lambda value: bool(value) is wanted


def _parts(text: str) -> list[str]:
    return [text.lower(), *(part for part in re.split(r"[\W_]+", text.lower()) if part)]


def _several(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple | set) else (value,)


def _everything(_record: Any) -> bool:
    return True


_TESTS: Mapping[Kind, Callable[[Asked, Reading], Predicate]] = {
    Kind.TIME: _time,
    Kind.NUMBER: _number,
    Kind.WORD: _word,
    Kind.TEXT: _text,
    Kind.FLAG: _flag,
}
