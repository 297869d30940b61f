"""The stand-in's door: the key, the limits and the faults."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hub import api
from hub_klaviyo.stand_in.activity import KLAVIYO
from hub_klaviyo.stand_in.asking import Asked
from hub_klaviyo.stand_in.limits import Windows
from hub_klaviyo.stand_in.people import iso
from hub_klaviyo.stand_in.routes import ROUTES, Route
from hub_klaviyo.stand_in.shapes import Answer, Refusal
from hub_klaviyo.stand_in.world import World

API_KEY = "pk_sandbox"
_JSON_API = "application/vnd.api+json"
_REVISION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
_SHOWN = 1_000
_KEY_EXPIRED = api.Fault("expired-key", "Refuse the key.", api.HttpStandIn.UNTIL_HEALED)


class KlaviyoStandIn(api.HttpStandIn):
    """Serve one account. ``limits`` False is a fast mode without rate limits; ``clock`` gives seconds since 1970.

    An import takes ``job_seconds``; the work is done when a request after that time sees it.
    """

    plugin = "klaviyo"
    faults = (
        *(_KEY_EXPIRED if each.name == "expired-token" else each for each in api.HttpStandIn.faults),
        api.Fault(
            "poison-rows", "Refuse requests with a row whose address contains a text.", {"text": "poison if empty"}
        ),
        api.Fault(
            "failing-rows", "Let rows of imports fail whose address contains a text.", {"text": "broken if empty"}
        ),
        api.Fault("slow-jobs", "Let imports take longer.", {"seconds": "60 if empty"}),
    )
    secrets = MappingProxyType({"api_key": API_KEY})
    content_type = _JSON_API

    def __init__(
        self, *, limits: bool = True, job_seconds: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(limits=limits, clock=clock)
        self.world = World()
        self._job_seconds = job_seconds
        self._windows: dict[str, Windows] = {}

    def shown(self) -> Mapping[str, Any]:
        """Return lists with who is on them, profiles, imports and events; a thousand of each at most."""
        world, now = self.world, self.clock()
        world.work(now, self._failing())
        return {
            "profiles_known": len(world.profiles),
            "events_recorded": len(world.events),
            "lists": [
                {
                    "id": each.id,
                    "name": each.name,
                    "count": len(each.members),
                    "members": sorted(str(world.profiles[one].email) for one in list(each.members)[:_SHOWN]),
                }
                for each in world.lists.values()
            ],
            "jobs": [
                {"id": job.id, "rows": job.total, "failed": len(job.errors), "done": job.completed is not None}
                for job in list(world.jobs.values())[-_SHOWN:]
            ],
            "events": world.events[-_SHOWN:],
            "profiles": [
                {"id": each.id, "email": each.email, **each.fields, "properties": dict(each.properties)}
                for each in list(world.profiles.values())[-_SHOWN:]
            ],
            "suppressed": [
                {"email": each.email, "reason": why, "at": iso(when)}
                for each in world.profiles.values()
                for why, when in each.suppressed
            ],
        }

    def suppress(self, email: str, reason: str = "UNSUBSCRIBE", list_id: str | None = None) -> None:
        """Let a person unsubscribe, or a mail bounce, as it would happen at Klaviyo; with a list only from it."""
        with self._lock:
            self.world.suppress(email, reason, self.clock(), list_id)

    def subscribe(self, email: str, channel: str = "email", **said: Any) -> None:
        """Let a person say yes, with a form unless ``said`` (consent, method, double_optin) tells otherwise."""
        with self._lock:
            self.world.agree(email, channel, self.clock(), **{"method": "FORM", **said})

    def happen(
        self,
        metric: str,
        email: str,
        properties: Mapping[str, Any] | None = None,
        *,
        integration: str = KLAVIYO,
        ago: float = 0.0,
        late: float = 0.0,
    ) -> None:
        """Let something happen to a person, some seconds ago; it shows ``late`` seconds after it happened."""
        with self._lock:
            now = self.clock()
            profile = self.world.of(email) or self.world.upsert({"attributes": {"email": email}}, now)
            found = self.world.activity.metric(metric, integration, now)
            self.world.activity.add(found, profile, dict(properties or {}), now - ago, now - ago + late)

    def answer(self, asked: api.Asked) -> Answer:
        """Answer a request that no fault has met."""
        try:
            _refuse_strangers(asked.headers, asked.body)
            route, ids = _find(asked.method, asked.path)
            limited = self._limit(route)
            if limited is not None and limited.status == 429:
                return limited
            now = self.clock()
            self.world.work(now, self._failing())
            answer = route.answer(self._read(asked, ids, now))
            if limited is not None:
                answer.headers.update(limited.headers)
            return answer
        except Refusal as refused:
            return refused.answer
        except (KeyError, TypeError, AttributeError):
            return Refusal(400, "invalid", "The body has not the shape of this endpoint.", pointer="/data").answer

    def refuse(self, fault: str, retry_after: str | None) -> Answer:
        """Return Klaviyo's own answer for a fault."""
        if fault == "rate-limit":
            return _throttled({} if retry_after is None else {"Retry-After": retry_after})
        if fault == "server-error":
            return Refusal(500, "error", "A server error occurred.").answer
        if fault == "expired-key":
            return Refusal(401, "not_authenticated", "The API key is revoked.").answer
        return Refusal(403, "permission_denied", "The key lacks a scope.", title="Missing scope.").answer

    def _read(self, asked: api.Asked, ids: tuple[str, ...], now: float) -> Asked:
        try:
            body = json.loads(asked.body) if asked.body else {}
        except ValueError:
            raise Refusal(400, "invalid_json", "The body is not JSON.") from None
        seconds = float(self.wanted("slow-jobs", "seconds", "60") or self._job_seconds)
        poison = self.wanted("poison-rows", "text", "poison")
        size = len(asked.body)
        return Asked(self.world, now, self.base, asked.path, ids, asked.query, body, size, seconds, poison)

    def _limit(self, route: Route) -> Answer | None:
        if not self.limits:
            return None
        windows = self._windows.setdefault(f"{route.method} {route.path.pattern}", Windows(route.tier, route.a_day))
        wait, headers = windows.take(self.clock())
        return _throttled(headers) if wait is not None else Answer(200, None, headers)

    def _failing(self) -> tuple[str, ...]:
        text = self.wanted("failing-rows", "text", "broken")
        return () if text is None else (text,)


def _refuse_strangers(headers: Mapping[str, str], raw: bytes) -> None:
    """Refuse what Klaviyo refuses of every request: a wrong key, no revision, another kind of body."""
    if headers.get("authorization") != f"Klaviyo-API-Key {API_KEY}":
        raise Refusal(401, "not_authenticated", "Authentication credentials were not provided or are wrong.")
    if not _REVISION.fullmatch(headers.get("revision", "")):
        raise Refusal(400, "invalid", "The revision header is missing or not a date.")
    kind = headers.get("content-type", "").partition(";")[0]
    if raw and kind not in {_JSON_API, "application/json"}:
        raise Refusal(415, "unsupported_media_type", f"Unsupported media type {kind!r}.")


def _find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    there = [(route, found) for route in ROUTES if (found := route.path.fullmatch(path))]
    for route, found in there:
        if route.method == method:
            return route, found.groups()
    if there:
        raise Refusal(405, "method_not_allowed", f"Method {method} is not allowed here.")
    raise Refusal(404, "not_found", "There is nothing here.", title="Not found.")


def _throttled(headers: dict[str, str]) -> Answer:
    answer = Refusal(429, "throttled", "Request was throttled.", title="Request was throttled.").answer
    answer.headers.update(headers)
    return answer
