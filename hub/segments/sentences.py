"""One condition of a rule, for one person, and the sentence that says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from hub.api import Test
from hub.segments.words import duration, label, ordinal, written

_NEEDS = {
    Test.AT_LEAST: "at least {}",
    Test.AT_MOST: "at most {}",
    Test.MORE_THAN: "more than {}",
    Test.LESS_THAN: "less than {}",
    Test.EQUALS: "exactly {}",
    Test.IS: "{}",
    Test.WITHIN: "less than {} ago",
    Test.NOT_WITHIN: "at least {} ago",
    Test.ONE_OF: "one of {}",
    Test.HAS_ANY: "any of {}",
    Test.HAS_ALL: "all of {}",
    Test.HAS_NONE: "none of {}",
    Test.BEGINS_WITH: "one that begins with {}",
}


class Verdict(StrEnum):
    """What became of a condition; a missing value is out, and said to be missing."""

    PASSED = "passed"
    FAILED = "failed"
    INSUFFICIENT_DATA = "insufficient data"


@dataclass(frozen=True, slots=True)
class Observed:
    """A condition, what it saw and what it demanded.

    Attributes:
        threshold: the bound's value, percentiles already resolved.
        unit: what the value is (``money``, ``orders``, ``time``, ``share``), where the base says so.
        percent: the percentile that the threshold is, and ``people`` the number of values behind it.
        window: the time that the base looks back over.
    """

    column: str
    value: Any
    test: Test
    threshold: Any
    verdict: Verdict
    as_of: datetime
    unit: str | None = None
    percent: float | Decimal | None = None
    people: int | None = None
    window: timedelta | None = None


def sentence(observed: Observed) -> str:
    """Say it: ``spend 212.50 in 365 days, needs at least 340.00: out by 127.50``."""
    need = f"needs {_need(observed)}"
    if observed.verdict is Verdict.INSUFFICIENT_DATA and observed.value is None:
        return f"{label(observed.column)} is not known, {need}: out (insufficient data)"
    seen = f"{label(observed.column)} {written(observed.value, observed.unit)}{_context(observed)}"
    if observed.verdict is Verdict.INSUFFICIENT_DATA:
        return f"{seen}, and what it is held against is not known: out (insufficient data)"
    return f"{seen}, {need}: {'in' if observed.verdict is Verdict.PASSED else _distance(observed)}"


def _need(observed: Observed) -> str:
    said = _NEEDS[observed.test].format(written(observed.threshold, observed.unit))
    if observed.percent is None:
        return said
    return f"{said}, the {ordinal(observed.percent)} percentile of {observed.people} people"


def _context(observed: Observed) -> str:
    if isinstance(observed.value, datetime):
        age = observed.as_of - observed.value
        return f" ({duration(age)} ago)" if age >= timedelta(0) else " (in the future)"
    if observed.window is None or isinstance(observed.value, date | str | bool | list):
        return ""
    return f" in {duration(observed.window)}"


def _distance(observed: Observed) -> str:
    """Say by how much a condition failed, where that is a number or a time."""
    value, threshold = observed.value, observed.threshold
    if isinstance(value, datetime) and isinstance(threshold, timedelta):
        value = observed.as_of - value
        if value < timedelta(0):
            return "out"
        return f"out by {duration(abs(value - threshold))}" if value != threshold else _AT_BOUND
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return "out"
    if not isinstance(threshold, int | float | Decimal):
        return "out"
    gap = abs(Decimal(str(value)) - Decimal(str(threshold)))
    return f"out by {_plain(gap, observed)}" if gap else _AT_BOUND


_AT_BOUND = "out, the bound itself is not enough"


def _plain(gap: Decimal, observed: Observed) -> str:
    whole = isinstance(observed.value, int) and gap == gap.to_integral_value()
    return str(int(gap)) if whole else written(gap if observed.unit else _like(observed.value, gap), observed.unit)


def _like(value: Any, gap: Decimal) -> Any:
    return float(gap) if isinstance(value, float) else gap
