"""What the stand-in's people did: metrics with the integration that tells them, and events."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub_klaviyo.stand_in.people import Json, Profile, iso

API = "API"
KLAVIYO = "Klaviyo"
SHOPIFY = "Shopify"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: made with its first event."""

    id: str
    name: str
    integration: str
    created: float


@dataclass(frozen=True, slots=True)
class Event:
    """An event; whoever asks sees it from ``visible`` on, since Klaviyo shows events late now and then."""

    id: str
    metric: Metric
    profile: str
    email: str | None
    at: float
    properties: Json
    visible: float
    unique: str = ""
    value: Any = None
    backfill: bool = False
    time: str | None = None

    def told(self) -> Json:
        """Return the event's properties as the API tells them."""
        more = {"$event_id": self.unique or None, "$value": self.value}
        return {**self.properties, **{name: value for name, value in more.items() if value is not None}}

    def shown(self) -> Json:
        """Return the event as the state of the sandbox shows it."""
        return {
            "metric": self.metric.name,
            "email": self.email,
            "time": self.time or iso(self.at),
            "value": self.value,
            "backfill": self.backfill,
            "unique_id": self.unique,
            "properties": dict(self.properties),
        }


@dataclass(slots=True)
class Activity:
    """All metrics and events of an account."""

    metrics: dict[tuple[str, str], Metric] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    _seen: set[tuple[str, str, str]] = field(default_factory=set)

    def metric(self, name: str, integration: str, now: float) -> Metric:
        """Return a metric, made where it is new."""
        known = self.metrics.get((name, integration))
        if known is None:
            known = Metric(f"M{uuid.uuid4().hex.upper()[:5]}", name, integration, now)
            self.metrics[name, integration] = known
        return known

    def record(self, metric: Metric, profile: Profile, told: Mapping[str, Any], now: float, **more: Any) -> None:
        """Record an event as the API is told it, unless this profile has one of this metric with its ``unique_id``."""
        at = moment(told.get("time"), now)
        unique = str(told.get("unique_id") or int(at))
        if (profile.id, metric.id, unique) in self._seen:
            return
        self._seen.add((profile.id, metric.id, unique))
        properties = dict(told.get("properties") or {})
        said = {"unique": unique, "value": told.get("value"), "time": told.get("time")}
        self.add(metric, profile, properties, at, now, **said, **more)

    def add(self, metric: Metric, profile: Profile, properties: Json, at: float, visible: float, **more: Any) -> Event:
        """Add an event."""
        made = Event(uuid.uuid4().hex[:11], metric, profile.id, profile.email, at, properties, visible, **more)
        self.events.append(made)
        return made

    def seen_at(self, now: float) -> Iterator[Event]:
        """Yield the events that show by now."""
        return (each for each in self.events if each.visible <= now)

    def forget(self, profile_id: str) -> None:
        """Erase what a profile did."""
        self.events = [each for each in self.events if each.profile != profile_id]


def moment(text: Any, now: float) -> float:
    """Read a time as the API is told it: ISO 8601, UTC where it says nothing else; now where there is none."""
    if not text:
        return now
    told = datetime.fromisoformat(str(text))
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
