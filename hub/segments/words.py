"""Values as a person reads them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def duration(value: timedelta) -> str:
    """Write a length of time in its two largest units: ``365 days``, ``1 day 2 hours``."""
    seconds = int(value.total_seconds())
    if value and not seconds:
        return "less than a second"
    parts = []
    for name, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "no time"


def instant(value: datetime) -> str:
    """Write an instant in UTC, to the minute, and more exactly only where there is more."""
    if value.microsecond:
        return f"{value:%Y-%m-%d %H:%M:%S.%f} UTC"
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if value.second else f"{value:%Y-%m-%d %H:%M} UTC"


def written(value: Any, unit: str | None = None) -> str:
    """Write any value of a column; ``unit`` is the one that the base declares for it."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float | Decimal):
        return _number(value, unit)
    if isinstance(value, list | tuple):
        return ", ".join(written(each, unit) for each in value) or "none"
    return str(value)


def _number(value: Any, unit: str | None) -> str:
    if unit == "share":
        return f"{float(value) * 100:.4g} %"
    if unit == "money" or isinstance(value, Decimal):
        return f"{Decimal(str(value)):.2f}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def label(column: str) -> str:
    """Write a column's name as words: ``last_order_at`` is the ``last order``."""
    return column.removesuffix("_at").replace("_", " ")


def ordinal(number: float | Decimal) -> str:
    """Write a rank: ``90th``, ``2.5th``."""
    text = f"{number:g}"
    if text.isdigit() and int(text) % 100 not in (11, 12, 13):
        return text + {1: "st", 2: "nd", 3: "rd"}.get(int(text) % 10, "th")
    return f"{text}th"
