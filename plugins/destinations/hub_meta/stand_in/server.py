"""The stand-in's door: the token, the quota and the faults."""

from __future__ import annotations

import hmac
import json
import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

from hub import api
from hub_meta.stand_in.routes import Call, answer
from hub_meta.stand_in.shapes import Refusal
from hub_meta.stand_in.world import Audience, Json, World

ACCESS_TOKEN = "sandbox-token"  # noqa: S105 - the sandbox's own, and no secret
APP_SECRET = "sandbox-app-secret"  # noqa: S105 - the same
VERSION = "v26.0"
QUOTA, QUOTA_PER_AUDIENCE = 5_000, 40
_HOUR = 3_600
_SHOWN = 1_000


class MetaStandIn(api.HttpStandIn):
    """Serve every ad account. An upload takes ``work_seconds``; until then counts are old.

    ``quota`` is how many calls an hour has, before what each audience adds.
    """

    plugin = "meta"
    faults = (
        *api.HttpStandIn.faults,
        api.Fault("poison-rows", "Call identifiers invalid.", {"emails": "addresses, with commas"}),
        api.Fault("flagged", "Flag audiences whose name contains a text.", {"text": "any if empty"}),
        api.Fault("no-terms", "Say that the terms were never accepted.", {}),
        api.Fault("new-audience", "Not know an audience for a while after it is made.", {"seconds": "5 if empty"}),
        api.Fault("broken-page", "Answer 200 with HTML.", {"times": "once if empty", "path": "any if empty"}),
        api.Fault("busy", "Say that the audience is being replaced.", {"times": "once if empty"}),
    )
    secrets = MappingProxyType({"access_token": ACCESS_TOKEN, "app_secret": APP_SECRET})

    def __init__(
        self,
        *,
        limits: bool = True,
        work_seconds: float = 1.0,
        quota: int = QUOTA,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(limits=limits, clock=clock)
        self.world = World()
        self._work_seconds = work_seconds
        self._quota = quota
        self._asked: deque[float] = deque()

    def answer(self, asked: api.Asked) -> api.Answer:
        """Answer a call that no fault has met."""
        for audience in self.world.audiences.values():
            text = self.wanted("flagged", "text", "")
            audience.flagged = text is not None and text in audience.name
        answered = self._refused(asked) or self._answered(asked)
        answered.headers |= {"facebook-api-version": VERSION} | self._usage()
        return answered

    def refuse(self, fault: str, retry_after: str | None) -> api.Answer:
        """Return Meta's own answer for a fault."""
        if fault == "rate-limit":
            minutes = None if retry_after is None else math.ceil(float(retry_after) / 60)
            refused = Refusal(80_003, "(#80003) There have been too many calls to this ad-account.").answer
            refused.headers |= {} if minutes is None else _told(100, minutes)
            return refused
        if fault == "server-error":
            return Refusal(
                2, "An unexpected error has occurred. Please retry later.", status=500, transient=True
            ).answer
        if fault == "expired-token":
            return Refusal(190, "Error validating access token: it has expired.", sub=463, status=401).answer
        return Refusal(200, "(#200) Requires ads_management permission", status=403).answer

    def shown(self) -> Mapping[str, Any]:
        """Return audiences with the hashes of who is in them; a thousand of each at most."""
        return {"audiences": [_shown(each) for each in list(self.world.audiences.values())[:_SHOWN]]}

    def held(self, name: str) -> set[str]:
        """Return the hashes of the e-mails in the audiences of a name."""
        found = (each for each in self.world.audiences.values() if each.name == name)
        return {person["EMAIL"] for each in found for person in each.people.values() if "EMAIL" in person}

    def _refused(self, asked: api.Asked) -> api.Answer | None:
        """Return the answer of a fault of Meta's own."""
        if asked.path.endswith("/users") and self.take("busy", asked):
            return Refusal(2_650, "The audience is being updated", sub=1_870_145).answer
        if self.take("broken-page", asked):
            return api.Answer(200, "<html><body>Sorry, something went wrong.</body></html>")
        return None

    def _answered(self, asked: api.Asked) -> api.Answer:
        try:
            params = _params(asked)
            path = self._path(asked, params)
            self._count()
        except Refusal as refused:
            return refused.answer
        return answer(asked, lambda ids: self._call(asked, ids, params), path)

    def _path(self, asked: api.Asked, params: Json) -> str:
        """Return the path behind the version, for somebody who may ask."""
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        token = str(params.get("access_token") or bearer)
        if token != ACCESS_TOKEN:
            raise Refusal(190, f"Malformed access token {token}", status=401)
        proof = params.get("appsecret_proof")
        if proof is not None and proof != hmac.new(APP_SECRET.encode(), token.encode(), sha256).hexdigest():
            raise Refusal(100, "Invalid appsecret_proof provided in the API argument")
        version, _, rest = asked.path.lstrip("/").partition("/")
        if not version.startswith("v"):
            raise Refusal(2_500, "An unknown version of the API was asked")
        return f"/{rest.rstrip('/')}"

    def _call(self, asked: api.Asked, ids: tuple[str, ...], params: Json) -> Call:
        emails = (self.wanted("poison-rows", "emails", "") or "").split(",")
        return Call(
            world=self.world,
            now=self.clock(),
            base=f"http://{asked.headers.get('host', '127.0.0.1')}/{VERSION}",
            ids=ids,
            params=params,
            work_seconds=self._work_seconds,
            accepted=self.wanted("no-terms", "", "") is None,
            poison=frozenset(sha256(each.strip().lower().encode()).hexdigest() for each in emails if each.strip()),
            unknown_for=float(self.wanted("new-audience", "seconds", "5") or 0),
        )

    def _count(self) -> None:
        """Count a call in the hour that ends now. Raises Refusal where there were too many."""
        if not self.limits:
            return
        now = self.clock()
        while self._asked and self._asked[0] <= now - _HOUR:
            self._asked.popleft()
        if len(self._asked) >= self._allowed:
            raise Refusal(80_003, "(#80003) There have been too many calls to this ad-account.")
        self._asked.append(now)

    @property
    def _allowed(self) -> int:
        return self._quota + QUOTA_PER_AUDIENCE * len(self.world.audiences)

    def _usage(self) -> dict[str, str]:
        if not self.limits:
            return {}
        used = 100 * len(self._asked) / self._allowed
        minutes = math.ceil((self._asked[0] + _HOUR - self.clock()) / 60) if used >= 100 else 0
        return _told(used, minutes)


def _told(percent: float, minutes: int) -> dict[str, str]:
    entry = {
        "type": "custom_audience",
        "call_count": math.floor(percent),
        "total_cputime": 0,
        "total_time": 0,
        "estimated_time_to_regain_access": minutes,
        "ads_api_access_tier": "standard_access",
    }
    return {"X-Business-Use-Case-Usage": json.dumps({"1": [entry]})}


def _params(asked: api.Asked) -> Json:
    """Read the parameters of a call: query, form or JSON; structures inside a query or form are JSON."""
    kind = asked.headers.get("content-type", "").partition(";")[0]
    try:
        body = json.loads(asked.body) if asked.body and kind == "application/json" else {}
        form = dict(parse_qsl(asked.body.decode())) if kind == "application/x-www-form-urlencoded" else {}
        loose = {name: _value(name, text) for name, text in {**asked.query, **form}.items()}
    except ValueError:
        raise Refusal(100, "(#100) The body cannot be read") from None
    return {**loose, **body}


def _value(name: str, text: str) -> Any:
    return json.loads(text) if name in {"payload", "session"} else text


def _shown(audience: Audience) -> Json:
    people = [person.get("EMAIL") or person.get("PHONE") or "?" for person in audience.people.values()]
    return {
        "id": audience.id,
        "account": audience.account,
        "name": audience.name,
        "count": len(people),
        "members": sorted(people)[:_SHOWN],
        "flagged": audience.flagged,
        "uploads": len(audience.uploads),
    }
