"""The stand-in's door: the key, ten connections and the faults."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from hub import api
from hub_mailchimp.stand_in.contacts import Audience, Json, World, iso
from hub_mailchimp.stand_in.routes import AUDIENCE_ROUTES, Asked, Route
from hub_mailchimp.stand_in.shapes import Answer, Refusal, chosen, not_found
from hub_mailchimp.stand_in.tags import TAG_ROUTES

API_KEY = "sandbox0000000000000000000000000-us1"
LIST_ID = "5a4d0b0c1d"
CONNECTIONS = 10
_ROOT = "/3.0"
_SHOWN = 1_000
_ROUTES = (*AUDIENCE_ROUTES, *TAG_ROUTES)


_ONCE, _HEALED = api.HttpStandIn.ONCE, api.HttpStandIn.UNTIL_HEALED
_OWN_WORDS = {
    "rate-limit-bare": api.Fault("rate-limit-bare", "Answer 429 and say nothing of when, as Mailchimp does.", _ONCE),
    "expired-token": api.Fault("expired-key", "Refuse the key.", _HEALED),
    "forbidden": api.Fault("forbidden", "Say that the key's user is disabled.", _HEALED),
}


class MailchimpStandIn(api.HttpStandIn):
    """Serve one account, with whatever audience is asked for. ``clock`` gives seconds since 1970.

    ``limits`` False lets any number of connections in. A batch operation takes ``job_seconds``; its work is done when
    a request after that time sees it.
    """

    plugin = "mailchimp"
    faults = (
        *(_OWN_WORDS.get(each.name, each) for each in api.HttpStandIn.faults),
        api.Fault("busy-edge", "Answer 403 without JSON, as the edge does when it is busy.", _ONCE),
        api.Fault("viewer", "Let the key's user be one who may only look.", {}),
        api.Fault("no-audience", "Know no audience.", _HEALED),
        api.Fault("poison-rows", "Refuse contacts whose address contains a text.", {"text": "poison if empty"}),
        api.Fault(
            "breaking-rows", "Answer 500 to calls with an address that contains a text.", {"text": "broken if empty"}
        ),
        api.Fault("terse-tags", "Say nothing of who had a tag already.", {}),
        api.Fault("slow-jobs", "Let batch operations take longer.", {"seconds": "60 if empty"}),
    )
    refusals = (*api.HttpStandIn.refusals, "busy-edge")
    secrets = MappingProxyType({"api_key": API_KEY})

    def __init__(
        self, *, limits: bool = True, job_seconds: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(limits=limits, clock=clock)
        self.world = World()
        self.world.audience(LIST_ID)
        self._job_seconds = job_seconds
        self._open = 0

    @property
    def base(self) -> str:
        """Return the address; only while it serves."""
        return super().base + _ROOT

    def shown(self) -> Mapping[str, Any]:
        """Return tags with who has them, contacts, batch operations and campaigns; a thousand of each at most."""
        self._work()
        audiences = list(self.world.audiences.values())
        return {
            "contacts_known": sum(len(each.contacts) for each in audiences),
            "tags": [tag for each in audiences for tag in _tags(each)],
            "contacts": [contact for each in audiences for contact in _contacts(each)],
            "merge_fields": sorted({tag for each in audiences for tag in each.fields}),
            "batches": [
                {"id": each.id, "operations": each.total, "done": each.completed is not None}
                for each in list(self.world.operations.values())[-_SHOWN:]
            ],
            "campaigns": [
                {"id": each.id, "title": each.title, "sent_to": len(each.to), "at": iso(each.sent)}
                for each in list(self.world.campaigns.values())[-_SHOWN:]
            ],
        }

    def sign_up(self, email: str, list_id: str = LIST_ID) -> None:
        """Let a person sign up with one of Mailchimp's forms."""
        with self._lock:
            now = self.clock()
            row = {"email_address": email, "status": "subscribed", "timestamp_signup": iso(now)}
            made = self.world.add_contact(self.world.audience(list_id), row, now)
            made.ip, made.source = "192.0.2.7", "Hosted Signup Form"

    def confirm(self, email: str, list_id: str = LIST_ID) -> None:
        """Let a person confirm a sign-up, as an audience that asks twice wants it."""
        with self._lock:
            contact, now = self.world.audience(list_id).of(email), self.clock()
            if contact is not None:
                contact.status, contact.opt, contact.changed = "subscribed", iso(now), now

    def send(self, title: str, to: Sequence[str], list_id: str = LIST_ID) -> str:
        """Send a campaign now, and return its id."""
        with self._lock:
            return self.world.send(list_id, title, to, self.clock()).id

    def act(self, campaign: str, email: str, action: str) -> None:
        """Let somebody ``open``, ``click``, ``bounce``, or leave with a reason: ``left:too many``."""
        with self._lock:
            found = self.world.campaigns[campaign]
            if action.startswith("left:"):
                found.left.append((email, action.removeprefix("left:"), self.clock()))
            else:
                found.activity.append((email, action, self.clock()))

    def unsubscribe(self, email: str, list_id: str = LIST_ID, *, reason: str | None = None) -> None:
        """Let a contact unsubscribe, as it happens with the link in a mail."""
        self._become(email, list_id, "unsubscribed", reason)

    def clean(self, email: str, list_id: str = LIST_ID) -> None:
        """Let mails to a contact bounce until Mailchimp cleans it."""
        self._become(email, list_id, "cleaned", None)

    def attend(self, asked: api.Asked) -> Answer | None:
        """Answer one request of at most ten at once; the others are refused."""
        with self._lock:
            self._open += 1
            crowded = self.limits and self._open > CONNECTIONS
            if crowded:
                self._counts["refused"] += 1
                self.requests.append((asked.method, _path(asked), 429))
        try:
            return _too_many({}) if crowded else super().attend(asked)
        finally:
            with self._lock:
                self._open -= 1

    def serve(self, asked: api.Asked) -> tuple[Answer | None, float]:
        """Answer one request, with its path behind the version."""
        return super().serve(replace(asked, path=_path(asked)))

    def answer(self, asked: api.Asked) -> Answer:
        """Answer a request that no fault has met."""
        try:
            if not asked.path.endswith("/results"):  # an address of its own at the vendor, with a signature instead
                _refuse_strangers(asked.headers)
            self._work()
            return chosen(self._routed(asked), asked.query.get("fields"))
        except Refusal as refused:
            return refused.answer

    def refuse(self, fault: str, retry_after: str | None) -> Answer:
        """Return Mailchimp's own answer for a fault."""
        if fault == "rate-limit":
            return _too_many({} if retry_after is None else {"Retry-After": retry_after})
        return _REFUSALS[fault]()

    def _become(self, email: str, list_id: str, status: str, reason: str | None) -> None:
        with self._lock:
            audience, now = self.world.audience(list_id), self.clock()
            contact = audience.of(email)
            if contact is None:
                contact = self.world.add_contact(audience, {"email_address": email, "status": "subscribed"}, now)
            contact.status, contact.reason, contact.changed = status, reason, now
            if status == "unsubscribed":
                contact.left = now

    def _routed(self, asked: api.Asked) -> Answer:
        route, ids = _find(asked.method, asked.path)
        if asked.path.startswith("/lists/") and self.take("no-audience", asked):
            raise not_found()
        told = Asked(
            self.world,
            self.clock(),
            self.base,
            ids,
            asked.query,
            _json(asked.body),
            float(self.wanted("slow-jobs", "seconds", "60") or self._job_seconds),
            "viewer" if self.is_on("viewer") else "manager",
            self.wanted("poison-rows", "text", "poison"),
            self.wanted("breaking-rows", "text", "broken"),
            terse=self.is_on("terse-tags"),
        )
        try:
            return route.answer(told)
        except (KeyError, TypeError, AttributeError):
            raise Refusal(400, "Invalid Resource", "The body has not the shape of this endpoint.") from None

    def _work(self) -> None:
        """Do the batch operations that are due, as single requests."""
        now = self.clock()
        for each in self.world.operations.values():
            if each.completed is None and each.due <= now:
                each.results = [self._operate(operation) for operation in each.waiting]
                each.waiting, each.completed = [], each.due

    def _operate(self, operation: Mapping[str, Any]) -> Json:
        try:
            query, body = dict(operation.get("params") or {}), str(operation.get("body") or "").encode()
            answer = self._routed(api.Asked(str(operation["method"]), str(operation["path"]), query, {}, body))
        except Refusal as refused:
            answer = refused.answer
        told = {"status_code": answer.status, "operation_id": operation.get("operation_id")}
        return told | {"response": json.dumps(answer.body or {})}


def _path(asked: api.Asked) -> str:
    """Return the path behind the version."""
    return asked.path.removeprefix(_ROOT) or "/"


def _refuse_strangers(headers: Mapping[str, str]) -> None:
    """Refuse a wrong key: it is a password with any user's name, or a token."""
    kind, _, told = headers.get("authorization", "").partition(" ")
    if kind == "Basic":
        try:
            told = base64.b64decode(told).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            told = ""
    if told != API_KEY:
        raise _wrong_key()


def _json(raw: bytes) -> Json:
    try:
        body = json.loads(raw) if raw else {}
    except ValueError:
        raise Refusal(400, "JSON Parse Error", "We encountered an unspecified JSON parsing error.") from None
    return body if isinstance(body, dict) else {}


def _find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    there = [(route, found) for route in _ROUTES if (found := route.path.fullmatch(path))]
    for route, found in there:
        if route.method == method:
            return route, found.groups()
    if there:
        raise Refusal(405, "Method Not Allowed", "The requested method and resource are not compatible.")
    raise not_found()


def _too_many(headers: dict[str, str]) -> Answer:
    answer = Refusal(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.").answer
    answer.headers.update(headers)
    return answer


def _wrong_key() -> Refusal:
    detail = "Your API key may be invalid, or you've attempted to access the wrong datacenter."
    return Refusal(401, "API Key Invalid", detail)


_REFUSALS: Mapping[str, Callable[[], Answer]] = {
    "busy-edge": lambda: Answer(403, "<html><body>Access Denied</body></html>", {"Content-Type": "text/html"}),
    "server-error": lambda: Refusal(500, "Internal Server Error", "An unexpected internal error has occurred.").answer,
    "expired-key": lambda: _wrong_key().answer,
    "forbidden": lambda: Refusal(403, "User Disabled", "This account has been deactivated.").answer,
}


def _tags(audience: Audience) -> list[Json]:
    return [
        {
            "audience": audience.id,
            "id": tag.id,
            "name": tag.name,
            "count": len(members),
            "members": sorted(each.email for each in members[:_SHOWN]),
        }
        for tag in audience.tags.values()
        for members in [audience.tagged(tag.id)]
    ]


def _contacts(audience: Audience) -> list[Json]:
    return [
        {"email": each.email, "status": each.status, "opted_in": each.opt, **each.merge_fields}
        for each in list(audience.contacts.values())[-_SHOWN:]
    ]
