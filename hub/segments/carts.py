"""Why carts are left: how they end by product, step, hour, device and segment, and the way from a view to an order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hub.segments.result import SegmentResult
from hub.segments.session import SessionLike
from hub.segments.statements import quoted
from hub.sql import load_queries

_SQL = load_queries("hub.segments", "carts.sql")
STEPS = ("view", "cart", "checkout", "payment", "order")
_UNKNOWN = "not known"
_VALUES = {
    "step": (f"coalesce(c.step, '{_UNKNOWN}')", ""),
    "hour": (
        "extract(hour from timezone($timezone, timezone('UTC', c.changed_at)))::integer",
        "",
    ),
    "product": ("l.product", "lines"),
    "device": (
        f"case when e.happened_at > c.changed_at - interval 1 day then e.device else '{_UNKNOWN}' end",
        "device",
    ),
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How some carts ended: ``carts`` in all, of them ``abandoned`` and ``recovered``; the others were bought at once.

    ``lost`` is the worth of the abandoned ones in the client's currency, where it is known.
    """

    value: str
    carts: int
    abandoned: int
    recovered: int
    lost: Decimal

    @property
    def left(self) -> int:
        """Return how many were left alone for an hour."""
        return self.abandoned + self.recovered

    @property
    def left_share(self) -> float:
        """Return the share of the carts that were left, from 0 to 1."""
        return self.left / self.carts if self.carts else 0.0

    @property
    def recovered_share(self) -> float | None:
        """Return the share of those left that were recovered, from 0 to 1; None where none was left."""
        return self.recovered / self.left if self.left else None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        names = ("value", "carts", "abandoned", "recovered", "lost", "left_share", "recovered_share")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class CartReport:
    """The carts of a window of time.

    Attributes:
        by: per dimension of which something is known (step, hour, product, device, segment) the endings, those that
            lost most first; hours in their order. A cart counts once per product in it and once per segment that
            its person is in at ``as_of``.
        funnel: visitors who came at least as far as each step; None where no source gives events.
        notes: what the data could not say.
    """

    as_of: datetime
    window: timedelta
    total: Ending
    by: dict[str, tuple[Ending, ...]]
    funnel: dict[str, int] | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "as_of": self.as_of,
            "window_seconds": self.window.total_seconds(),
            "total": self.total.as_json(),
            "by": {name: [ending.as_json() for ending in endings] for name, endings in self.by.items()},
            "funnel": self.funnel,
            "notes": self.notes,
        }


def report_carts(session: SessionLike, window: timedelta, segments: Iterable[SegmentResult]) -> CartReport:
    """Count how the carts of the last ``window`` ended."""
    values = {"as_of": session.as_of, "window": window}
    session.con.execute(_SQL["carts"], values)
    found = _endings(session, "'all'", "")
    total = found[0] if found else Ending("all", 0, 0, 0, Decimal(0))
    by = {name: tuple(_ordered(name, _endings(session, *value))) for name, value in _VALUES.items()}
    by = {name: endings for name, endings in by.items() if any(each.value != _UNKNOWN for each in endings)}
    by["segment"] = tuple(_ordered("segment", _by_segment(session, segments)))
    funnel = None
    if "events" in session.tables:
        steps = session.con.execute(_SQL["funnel"], values).fetchall()
        funnel = {STEPS[int(step) - 1]: int(visitors) for step, visitors in steps}
    return CartReport(session.as_of, window, total, by, funnel, tuple(_notes(session, total)))


def _endings(session: SessionLike, value: str, joins: str) -> list[Ending]:
    sql = _SQL["by"].format(value=value, joins=_SQL[joins] if joins else "")
    values = {"timezone": session.timezone} if "$timezone" in sql else {}
    rows = session.con.execute(sql, values).fetchall()
    return [_ending(str(value), *counts) for value, *counts in rows]


def _by_segment(session: SessionLike, segments: Iterable[SegmentResult]) -> Iterator[Ending]:
    for result in segments:
        if result.table is not None and result.error is None:
            sql = _SQL["by"].format(value="''", joins=f"semi join {quoted(result.table)} as s using (person_id)")
            yield from (_ending(result.name, *counts) for _, *counts in session.con.execute(sql).fetchall())


def _ending(value: str, carts: int, abandoned: int, recovered: int, lost: Decimal | None) -> Ending:
    return Ending(value, int(carts), int(abandoned), int(recovered), lost or Decimal(0))


def _ordered(name: str, endings: Iterable[Ending]) -> list[Ending]:
    if name == "hour":
        return sorted(endings, key=lambda each: int(each.value))
    return sorted(endings, key=lambda each: (-each.lost, -each.abandoned, each.value))


def _notes(session: SessionLike, total: Ending) -> Iterator[str]:
    if "carts" not in session.tables:
        yield "no source gives carts"
    elif not total.carts:
        yield "no cart was changed in this time"
    if "orders" not in session.tables:
        yield "no source gives orders, so a cart counts as bought only where it says so itself"
    if "events" not in session.tables:
        yield "no source gives events: neither devices nor the way from a view to an order are known"
