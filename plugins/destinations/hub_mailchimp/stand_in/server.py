"""The stand-in's door: HTTP on 127.0.0.1, the key, ten connections and the faults."""

from __future__ import annotations

import base64
import binascii
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hub import api
from hub_mailchimp.stand_in.contacts import Audience, Json, World, iso
from hub_mailchimp.stand_in.faults import FAULTS, Switches
from hub_mailchimp.stand_in.routes import AUDIENCE_ROUTES, Asked, Route
from hub_mailchimp.stand_in.shapes import Answer, Refusal, chosen, not_found
from hub_mailchimp.stand_in.tags import TAG_ROUTES

API_KEY = "sandbox0000000000000000000000000-us1"
LIST_ID = "5a4d0b0c1d"
CONNECTIONS = 10
_ROOT = "/3.0"
_POLL_SECONDS = 0.05  # how soon stop() is noticed
_SHOWN = 1_000
_ROUTES = (*AUDIENCE_ROUTES, *TAG_ROUTES)


class MailchimpStandIn(api.StandIn):
    """Serve one account, with whatever audience is asked for. ``clock`` gives seconds since 1970.

    ``limits`` False lets any number of connections in. A batch operation takes ``job_seconds``; its work is done when
    a request after that time sees it.
    """

    plugin = "mailchimp"
    faults = FAULTS
    secrets = MappingProxyType({"api_key": API_KEY})

    def __init__(
        self, *, limits: bool = True, job_seconds: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.world = World()
        self.world.audience(LIST_ID)
        self.clock = clock
        self.requests: list[tuple[str, str, int]] = []
        self._limits = limits
        self._job_seconds = job_seconds
        self._lock = threading.Lock()
        self._switches = Switches()
        self._open = 0
        self._counts = {"served": 0, "refused": 0, "writes": 0}
        self._server: ThreadingHTTPServer | None = None

    def start(self, port: int = 0) -> str:
        """Start serving and return the address."""
        stand_in = self

        class Handler(_Handler):
            owner = stand_in

        self._server = _Server(("127.0.0.1", port), Handler)
        threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="mailchimp stand-in", daemon=True
        ).start()
        return self.base

    @property
    def base(self) -> str:
        """Return the address; only while it serves."""
        if self._server is None:
            raise RuntimeError("the stand-in is not serving")
        return f"http://127.0.0.1:{self._server.server_address[1]}{_ROOT}"

    def stop(self) -> None:
        """Stop serving; the state stays readable."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fault(self, name: str, **parameters: Any) -> None:
        """Ask for a fault from now on."""
        with self._lock:
            self._switches.on(name, parameters)

    def heal(self) -> None:
        """End all faults."""
        with self._lock:
            self._switches.off()

    def state(self) -> Mapping[str, Any]:
        """Return tags with who has them, contacts, batch operations and campaigns; a thousand of each at most."""
        with self._lock:
            self._work()
            audiences = list(self.world.audiences.values())
            return {
                **self._counts,
                "contacts_known": sum(len(each.contacts) for each in audiences),
                "faults": self._switches.told(),
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

    def serve(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> tuple[Answer | None, float]:
        """Answer one request; None means hanging up. The number is seconds to wait before the answer."""
        url = urlsplit(target)
        path = unquote(url.path).removeprefix(_ROOT) or "/"
        with self._lock:
            answer = self._fail_first(path)
            if answer is None and not self._switches.take("drop-before", path):
                answer = self._answer(method, path, url.query, headers, raw)
            dropped = answer is None or (answer.status < 300 and self._switches.take("drop-after", path))
            late = self._switches.value("slow", "seconds", "1") if self._switches.take("slow", path) else "0"
            status = 0 if dropped or answer is None else answer.status
            self._counts["served" if 0 < status < 300 else "refused"] += 1
            self._counts["writes"] += method != "GET"
            self.requests.append((method, path, status))
        return (None if dropped else answer), float(late)

    def enter(self) -> bool:
        """Count a connection that has a request under way; tell whether there are too many."""
        with self._lock:
            self._open += 1
            return self._limits and self._open > CONNECTIONS

    def leave(self) -> None:
        """Count a request that is answered."""
        with self._lock:
            self._open -= 1

    def crowded(self, method: str, target: str) -> Answer:
        """Refuse a request beyond the ten at once."""
        with self._lock:
            self._counts["refused"] += 1
            self.requests.append((method, unquote(urlsplit(target).path).removeprefix(_ROOT), 429))
        return _too_many({})

    def _become(self, email: str, list_id: str, status: str, reason: str | None) -> None:
        with self._lock:
            audience, now = self.world.audience(list_id), self.clock()
            contact = audience.of(email)
            if contact is None:
                contact = self.world.add_contact(audience, {"email_address": email, "status": "subscribed"}, now)
            contact.status, contact.reason, contact.changed = status, reason, now
            if status == "unsubscribed":
                contact.left = now

    def _answer(self, method: str, path: str, query: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        try:
            asked = dict(parse_qsl(query, keep_blank_values=True))
            if not path.endswith("/results"):  # an address of its own at the vendor, with a signature instead
                _refuse_strangers(headers)
            self._work()
            return chosen(self._routed(method, path, asked, _json(raw)), asked.get("fields"))
        except Refusal as refused:
            return refused.answer

    def _routed(self, method: str, path: str, query: Mapping[str, str], body: Json) -> Answer:
        route, ids = _find(method, path)
        if path.startswith("/lists/") and self._switches.take("no-audience", path):
            raise not_found()
        switches, seconds = self._switches, self._job_seconds
        if "slow-jobs" in switches.active:
            seconds = float(switches.value("slow-jobs", "seconds", "60"))
        poison, breaking = switches.text("poison-rows", "poison"), switches.text("breaking-rows", "broken")
        role, terse = "viewer" if "viewer" in switches.active else "manager", "terse-tags" in switches.active
        try:
            return route.answer(
                Asked(
                    self.world, self.clock(), self.base, ids, query, body, seconds, role, poison, breaking, terse=terse
                )
            )
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
            body = _json(str(operation.get("body") or "").encode())
            answer = self._routed(
                str(operation["method"]), str(operation["path"]), dict(operation.get("params") or {}), body
            )
        except Refusal as refused:
            answer = refused.answer
        told = {"status_code": answer.status, "operation_id": operation.get("operation_id")}
        return told | {"response": json.dumps(answer.body or {})}

    def _fail_first(self, path: str) -> Answer | None:
        """Return the answer of a fault that comes before all work."""
        if self._switches.take("rate-limit", path):
            return _too_many({"Retry-After": self._switches.value("rate-limit", "retry_after", "1")})
        name = next((name for name in _REFUSALS if self._switches.take(name, path)), None)
        return _REFUSALS[name]() if name else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    """One connection; the names are http.server's."""

    owner: MailchimpStandIn
    protocol_version = "HTTP/1.1"
    server_version = "hub-mailchimp"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        raw = self.rfile.read(int(length)) if length.isdigit() else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        crowded = self.owner.enter()
        try:
            if crowded:
                answer: Answer | None = self.owner.crowded(self.command, self.path)
            else:
                answer, late = self.owner.serve(self.command, self.path, headers, raw)
                if late:
                    time.sleep(late)
        finally:
            self.owner.leave()
        self._send(answer)

    def _send(self, answer: Answer | None) -> None:
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = (
            answer.raw if answer.raw is not None else b"" if answer.body is None else json.dumps(answer.body).encode()
        )
        self.send_response(answer.status)
        for name, value in {"Content-Type": answer.kind, "Content-Length": str(len(body)), **answer.headers}.items():
            if answer.status != 204 or name != "Content-Length":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Keep quiet: addresses are nobody's business."""


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
    "rate-limit-bare": lambda: _too_many({}),
    "busy-edge": lambda: Answer(403, raw=b"<html><body>Access Denied</body></html>", kind="text/html"),
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
