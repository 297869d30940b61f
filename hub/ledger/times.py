"""How the ledger writes time: microseconds since 1970 in UTC, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@overload
def to_micros(moment: datetime) -> int: ...
@overload
def to_micros(moment: None) -> None: ...
def to_micros(moment: datetime | None) -> int | None:
    """Return the stored form of a moment; one without a zone is taken as UTC."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


@overload
def from_micros(stored: int) -> datetime: ...
@overload
def from_micros(stored: None) -> None: ...
def from_micros(stored: int | None) -> datetime | None:
    """Return the moment, in UTC, that was stored."""
    return None if stored is None else _EPOCH + stored * _MICROSECOND
