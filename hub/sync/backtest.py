"""A segment tried on the past: computed at earlier instants on what the catalog knew then."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.segments import Moment, Past, compare, run_segments
from hub.sync.explain import open_session
from hub.sync.look import pull_first
from hub.sync.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Backtest:
    """A segment in the past.

    Attributes:
        past: its steps, and how many people flapped.
        within: the time after an instant in which an order counts as bought.
        unanswered: the instants at which the segment had no answer, with the reason.
        no_past: in words, what it reads that is only known as it is today.
        notes: what the data could not say, at the last instant.
    """

    segment: str
    version: str
    past: Past
    within: timedelta
    unanswered: dict[datetime, str]
    no_past: tuple[str, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        steps = []
        for step in self.past.steps:
            bought = {"members": step.members_bought, "others": step.others_bought}
            told = {name: each and each.share for name, each in bought.items()}
            steps.append(
                {name: getattr(step, name) for name in ("at", "members", "entered", "left", "returned")}
                | {"bought": told}
            )
        return {
            "segment": self.segment,
            "version": self.version,
            "within_seconds": self.within.total_seconds(),
            "steps": steps,
            "people": self.past.people,
            "flapping": self.past.flapping,
            "unanswered": [{"at": at, "reason": reason} for at, reason in self.unanswered.items()],
            "no_past": self.no_past,
            "notes": self.notes,
        }


def backtest(
    wiring: Wiring,
    name: str,
    *,
    months: int,
    every: timedelta | None,
    within: timedelta,
    as_of: datetime | None,
    pull: bool,
) -> Backtest:
    """Compute one segment at instants of the last ``months``, a calendar month or ``every`` apart, the last one now.

    Raises:
        HubError: it has no answer now; nothing was read yet.
    """
    if pull:
        pull_first(wiring)
    until = as_of or wiring.around.now()
    moments: list[Moment] = []
    unanswered: dict[datetime, str] = {}
    instants = sorted(_instants(until, months, every))
    for number, instant in enumerate(instants):
        wiring.around.progress("instants", number, len(instants))
        with open_session(wiring, instant) as session:
            result = run_segments(session, wiring.definitions, [name], max_lag=wiring.client.guards.max_lag)[name]
            if result.unanswered is None:
                people = session.con.sql(f"select person_id from {result.table}").to_arrow_table().column(0)
                moments.append(Moment(instant, people.combine_chunks()))
            elif instant == until:
                raise result.unanswered
            else:
                unanswered[instant] = str(result.unanswered)
            if instant == until:
                past = compare(session, moments, within)
    return Backtest(name, result.version, past, within, unanswered, result.no_past, result.notes)


def _instants(until: datetime, months: int, every: timedelta | None) -> Iterator[datetime]:
    """Yield the instant and those before it, a month or a length of time apart, newest first."""
    first = _months_before(until, months)
    if every is None:
        yield from (_months_before(until, number) for number in range(months + 1))
        return
    instant = until
    while instant >= first:
        yield instant
        instant -= every


def _months_before(moment: datetime, months: int) -> datetime:
    """Return the same time of the same day some months earlier; the month's last day where it has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
