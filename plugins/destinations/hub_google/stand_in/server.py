"""The stand-in's door: tokens, quotas and faults."""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

from hub import api
from hub_google.stand_in.routes import Call, Route, find
from hub_google.stand_in.shapes import Refusal, named
from hub_google.stand_in.world import Json, World

CREDENTIALS = json.dumps(
    {"type": "authorized_user", "client_id": "sandbox", "client_secret": "sandbox", "refresh_token": "sandbox"}
)
TOKEN_SECONDS = 3_600
A_MINUTE, A_DAY = 300, 100_000
_SCOPE = "https://www.googleapis.com/auth/datamanager"
_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SHOWN = 1_000
_EMAILS = {"emails": "addresses, with commas"}


class GoogleStandIn(api.HttpStandIn):
    """Serve every account. A request takes ``work_seconds``; the work is done when a call after that time sees it."""

    plugin = "google"
    faults = (
        *api.HttpStandIn.faults,
        api.Fault("poison-rows", "Refuse requests with these addresses, and name the fields.", _EMAILS),
        api.Fault(
            "failing-rows", "Let rows fail while a request is worked on.", {**_EMAILS, "reason": "any of Google's"}
        ),
        api.Fault("counts-only", "Count rows that failed, and do not say which.", {}),
        api.Fault("slow-jobs", "Let requests take longer.", {"seconds": "3600 if empty"}),
        api.Fault("no-terms", "Say that the terms were never signed.", {}),
        api.Fault("used-up", "Say that the day's quota is used up.", {"times": "once if empty"}),
        api.Fault("hidden-lists", "Show no lists where they are listed.", {"times": "once if empty"}),
        api.Fault("stale-token", "Refuse the tokens that were given until now.", {"times": "once if empty"}),
    )
    secrets = MappingProxyType({"credentials": CREDENTIALS})

    def __init__(
        self, *, limits: bool = True, work_seconds: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(limits=limits, clock=clock)
        self.world = World()
        self.tokens: dict[str, float] = {}
        self._work_seconds = work_seconds
        self._asked: dict[str, deque[float]] = {}

    def is_write(self, asked: api.Asked) -> bool:
        """Tell whether a request changes something: tokens and validations do not."""
        return asked.method != "GET" and asked.path != "/token" and b'"validateOnly":true' not in asked.body

    def answer(self, asked: api.Asked) -> api.Answer:
        """Answer a call that no fault has met."""
        try:
            if asked.path == "/token":
                return api.Answer(200, self._token(asked))
            self._authenticate(asked)
            route, ids = find(asked.method, asked.path)
            self._count(route, asked)
            self.world.work(self.clock(), self._failing())
            if route.lists and self.take("hidden-lists", asked):
                return api.Answer(200, {})
            return api.Answer(200, route.answer(self._call(asked, ids)))
        except Refusal as refused:
            return refused.answer

    def refuse(self, fault: str, retry_after: str | None) -> api.Answer:
        """Return Google's own answer for a fault; it never says when."""
        if fault == "rate-limit":
            refused = _exhausted("ingestion_writes_per_minute")
            if retry_after is not None:
                refused.headers["Retry-After"] = retry_after
            return refused
        if fault == "server-error":
            return Refusal(500, "INTERNAL", "Internal error encountered.", reason="INTERNAL_ERROR").answer
        if fault == "expired-token":
            return _unauthenticated().answer
        return Refusal(403, "PERMISSION_DENIED", "The caller does not have permission.").answer

    def shown(self) -> Mapping[str, Any]:
        """Return lists with the hashes of who is in them, and requests; a thousand of each at most."""
        self.world.work(self.clock(), self._failing())
        lists = [
            {
                "id": each.id,
                "account": each.account,
                "name": each.fields["displayName"],
                "count": len(each.people),
                "members": sorted(min(values) for values, _ in each.people.values())[:_SHOWN],
            }
            for each in list(self.world.lists.values())[:_SHOWN]
        ]
        requests = [
            {"id": each.id, "adds": each.adds, "members": each.total, "status": each.status}
            for each in list(self.world.requests.values())[-_SHOWN:]
        ]
        return {"lists": lists, "requests_taken": requests}

    def held(self, name: str) -> set[str]:
        """Return the hashes that somebody in the lists of a name is known by."""
        with self._lock:
            self.world.work(self.clock(), self._failing())
            found = (each for each in self.world.lists.values() if each.fields["displayName"] == name)
            return set().union(*(values for each in found for values, _ in each.people.values()))

    def _call(self, asked: api.Asked, ids: tuple[str, ...]) -> Call:
        try:
            body = named(json.loads(asked.body)) if asked.body else {}
        except ValueError:
            raise Refusal(400, "INVALID_ARGUMENT", "Invalid JSON payload received.") from None
        seconds = self.wanted("slow-jobs", "seconds", "3600")
        return Call(
            world=self.world,
            now=self.clock(),
            ids=ids,
            query=asked.query,
            body=body if isinstance(body, dict) else {},
            work_seconds=self._work_seconds if seconds is None else float(seconds),
            accepted=self.wanted("no-terms", "", "") is None,
            poison=_hashes(self.wanted("poison-rows", "emails", "")),
            told_places=self.wanted("counts-only", "", "") is None,
        )

    def _token(self, asked: api.Asked) -> Json:
        """Give an access token for a refresh token or a service account's assertion."""
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        refused = Refusal(400, "", "")
        refused.answer.body = {"error": "invalid_grant", "error_description": "Bad Request"}
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") != "sandbox":
                raise refused
        elif form.get("grant_type") != _JWT or _SCOPE not in _claims(form.get("assertion", "")).get("scope", ""):
            raise refused
        token = f"sandbox-{len(self.tokens) + 1}"
        self.tokens[token] = self.clock() + TOKEN_SECONDS
        return {"access_token": token, "expires_in": TOKEN_SECONDS, "token_type": "Bearer", "scope": _SCOPE}

    def _authenticate(self, asked: api.Asked) -> None:
        if self.take("stale-token", asked):
            self.tokens = dict.fromkeys(self.tokens, 0.0)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if self.tokens.get(token, 0.0) <= self.clock():
            raise _unauthenticated()

    def _count(self, route: Route, asked: api.Asked) -> None:
        """Count a call in the minute and the day that end now. Raises Refusal where there were too many."""
        if self.take("used-up", asked):
            raise _Exhausted("ingestion_writes_per_day")
        if not self.limits:
            return
        now, past = self.clock(), self._asked.setdefault(route.service, deque())
        while past and past[0] <= now - 86_400:
            past.popleft()
        if len(past) >= A_DAY:
            raise _Exhausted(f"{route.service} per day")
        if sum(1 for moment in past if moment > now - 60) >= A_MINUTE:
            raise _Exhausted(f"{route.service} per minute")
        past.append(now)

    def _failing(self) -> dict[str, str]:
        reason = self.wanted("failing-rows", "reason", "INVALID_FORMAT") or "INVALID_FORMAT"
        emails = _hashes(self.wanted("failing-rows", "emails", ""))
        return dict.fromkeys(emails, f"PROCESSING_ERROR_REASON_{reason}")


class _Exhausted(Refusal):
    """A quota is used up; ``quota`` names it."""

    def __init__(self, quota: str) -> None:
        message = f"Quota exceeded for quota metric '{quota}'."
        metadata = {"quota_limit": quota, "service": "datamanager.googleapis.com"}
        super().__init__(429, "RESOURCE_EXHAUSTED", message, reason="RATE_LIMIT_EXCEEDED", metadata=metadata)


def _exhausted(quota: str) -> api.Answer:
    return _Exhausted(quota).answer


def _unauthenticated() -> Refusal:
    return Refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")


def _claims(assertion: str) -> dict[str, str]:
    """Read what a service account says about itself; whose signature it bears is not looked at."""
    try:
        middle = assertion.split(".")[1]
        told = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _hashes(emails: str | None) -> frozenset[str]:
    wanted = [each.strip().lower() for each in (emails or "").split(",")]
    return frozenset(sha256(each.encode()).hexdigest() for each in wanted if each)
