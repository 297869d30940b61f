"""Events of several metrics as one feed, the oldest first, that goes on where it stopped.

Events become visible late: hours after they happened, and now and then days (others saw seven). Each read looks back a
little, and once a day further. All metrics of a feed are read over the same time and told in the order of their time,
so that what is told last of an order is what happened to it last, however often it is told.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from hub_klaviyo.account import EVENTS_A_PAGE, Account, instant
from hub_klaviyo.bodies import written

OVERLAP = timedelta(hours=2)
_DEEP_EVERY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of the account, and what its events mean to hub (``opened``, ``placed``)."""

    id: str
    name: str
    means: str


@dataclass(frozen=True, slots=True)
class Happening:
    """An event with its person; ``wrong`` says why it cannot be read, and ``raw`` is what came."""

    metric: Metric
    id: str
    at: datetime
    properties: Mapping[str, Any] = field(default_factory=dict)
    profile: str | None = None
    email: str | None = None
    phone: str | None = None
    wrong: str | None = None
    raw: Any = None

    @property
    def origin(self) -> str:
        """Return how to find the event again."""
        return f"{self.metric.name}, event {self.id}"

    def text(self) -> str:
        """Return the event as it came."""
        return json.dumps(self.raw, default=str)


@dataclass(slots=True)
class Progress:
    """How far a feed was read: per metric until when, from when on, and when it last looked back further."""

    at: dict[str, datetime] = field(default_factory=dict)
    start: datetime | None = None
    looked_back: datetime | None = None
    read: datetime | None = None

    @classmethod
    def of(cls, cursor: Any) -> Progress:
        """Read a cursor."""
        told = cursor or {}
        times = {name: instant(told[name]) if told.get(name) else None for name in ("start", "looked_back", "read")}
        return cls({key: instant(text) for key, text in (told.get("at") or {}).items()}, **times)

    def cursor(self) -> Json:
        """Write a cursor."""
        told = {name: getattr(self, name) for name in ("start", "looked_back", "read")}
        times = {name: value and written(value) for name, value in told.items()}
        return {"at": {key: written(value) for key, value in self.at.items()}, **times}

    def reached(self, metrics: Iterable[Metric], at: datetime) -> None:
        """Note that all events until then were told."""
        for metric in metrics:
            self.at[metric.id] = max(self.at.get(metric.id, at), at)


@dataclass(frozen=True, slots=True)
class Window:
    """What to read: until when, how far back the first time (None: everything), and how far once a day."""

    until: datetime
    history: timedelta | None
    late: timedelta

    @property
    def first(self) -> datetime | None:
        """Return where the first read begins."""
        return None if self.history is None else self.until - self.history


class Feed:
    """Metrics read together."""

    def __init__(self, account: Account, metrics: Iterable[Metric], fields: str) -> None:
        self._account = account
        self._metrics = tuple(metrics)
        self._fields = fields

    def pages(self, progress: Progress, window: Window) -> Iterator[list[Happening]]:
        """Yield what happened, up to a thousand events at once, noting in ``progress`` how far that is.

        The first page may be followed by none; what is noted after the last page is the whole window.
        """
        if not progress.at:
            progress.start = window.first
        deep = progress.looked_back is not None and window.until - progress.looked_back >= _DEEP_EVERY
        back = max(window.late, OVERLAP) if deep else OVERLAP
        starts = {each.id: _start(progress.at.get(each.id), back, progress.start) for each in self._metrics}
        every = heapq.merge(
            *(self._events(each, starts[each.id], window.until) for each in self._metrics), key=lambda told: told.at
        )
        while some := list(islice(every, EVENTS_A_PAGE)):
            progress.reached(self._metrics, some[-1].at)
            yield some
        progress.reached(self._metrics, window.until)
        progress.read = window.until
        if deep or progress.looked_back is None:
            progress.looked_back = window.until

    def _events(self, metric: Metric, since: datetime | None, until: datetime) -> Iterator[Happening]:
        """Yield a metric's events; one without a time stands where its neighbour stood."""
        at = since or _EPOCH
        for event, profile in self._account.events(metric.id, since, until, self._fields):
            told = _read(metric, event, profile, at)
            at = max(at, told.at)
            yield told


def _start(at: datetime | None, back: timedelta, first: datetime | None) -> datetime | None:
    """Return where to read from: a while before where it was read to, and never before where it began."""
    if at is None:
        return first
    return at - back if first is None else max(at - back, first)


def _read(metric: Metric, event: Mapping[str, Any], profile: Mapping[str, Any] | None, at: datetime) -> Happening:
    number = str(event.get("id") or "without id")
    attributes = event.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    when, properties = _instant(attributes.get("datetime")), attributes.get("event_properties")
    if when is None:
        why = f"datetime: {str(attributes.get('datetime'))[:60]!r} is no time"
        return Happening(metric, number, at, wrong=why, raw=event)
    if not isinstance(properties, dict | None):
        return Happening(metric, number, when, wrong="event_properties are no object", raw=event)
    who = (profile or {}).get("attributes") or {}
    return Happening(
        metric,
        number,
        when,
        properties or {},
        str(profile["id"]) if profile else None,
        who.get("email") or None,
        who.get("phone_number") or None,
        raw=event,
    )


def _instant(text: Any) -> datetime | None:
    try:
        return instant(text)
    except (TypeError, ValueError):
        return None
