"""The stand-in's door: HTTP on 127.0.0.1, the key, the limits and the faults."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hub import api
from hub_klaviyo.stand_in.limits import Windows
from hub_klaviyo.stand_in.people import World, iso
from hub_klaviyo.stand_in.routes import ROUTES, Asked, Route
from hub_klaviyo.stand_in.shapes import Answer, Refusal

API_KEY = "pk_sandbox"
_POLL_SECONDS = 0.05  # how soon stop() is noticed
_JSON_API = "application/vnd.api+json"
_REVISION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
_SHOWN = 1_000
_ONCE = {"times": "once if empty", "every": "every n-th request; each if empty", "path": "any if empty"}
_HEALED = {**_ONCE, "times": "until healed if empty"}
_FAULTS = (
    api.Fault("rate-limit", "Answer 429 with Retry-After.", {**_ONCE, "retry_after": "1 if empty"}),
    api.Fault("rate-limit-bare", "Answer 429 and say nothing of when.", _ONCE),
    api.Fault("server-error", "Answer 500 and do nothing.", _ONCE),
    api.Fault("drop-before", "Hang up before the work.", _ONCE),
    api.Fault("drop-after", "Do the work, then hang up.", _ONCE),
    api.Fault("slow", "Answer late.", {**_HEALED, "seconds": "1 if empty"}),
    api.Fault("expired-key", "Refuse the key.", _HEALED),
    api.Fault("forbidden", "Say that the key lacks a permission.", _HEALED),
    api.Fault("poison-rows", "Refuse requests with a row whose address contains a text.", {"text": "poison if empty"}),
    api.Fault("failing-rows", "Let rows of imports fail whose address contains a text.", {"text": "broken if empty"}),
    api.Fault("slow-jobs", "Let imports take longer.", {"seconds": "60 if empty"}),
)
_ONCE_BY_DEFAULT = frozenset(fault.name for fault in _FAULTS if fault.parameters.get("times") == _ONCE["times"])
_WHOLE_NUMBERS = ("times", "every")


class _Active:
    """A fault that was asked for; ``left`` None means until healed."""

    def __init__(self, values: dict[str, str], left: int | None) -> None:
        self.values, self.left, self.asked = values, left, 0

    def take(self, path: str) -> bool:
        """Use up one turn, where this request has one."""
        if self.left == 0 or not path.startswith(self.values.get("path", "")):
            return False
        self.asked += 1
        if self.asked % int(self.values.get("every", "1")):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class KlaviyoStandIn(api.StandIn):
    """Serve one account. ``limits`` False is a fast mode without rate limits; ``clock`` gives seconds since 1970.

    An import takes ``job_seconds``; the work is done when a request after that time sees it.
    """

    plugin = "klaviyo"
    faults = _FAULTS
    secrets = MappingProxyType({"api_key": API_KEY})

    def __init__(
        self, *, limits: bool = True, job_seconds: float = 1.0, clock: Callable[[], float] = time.time
    ) -> None:
        self.world = World()
        self.clock = clock
        self.requests: list[tuple[str, str, int]] = []
        self._limits = limits
        self._job_seconds = job_seconds
        self._lock = threading.Lock()
        self._windows: dict[str, Windows] = {}
        self._active: dict[str, _Active] = {}
        self._counts = {"served": 0, "refused": 0, "writes": 0}
        self._server: ThreadingHTTPServer | None = None

    def start(self, port: int = 0) -> str:
        """Start serving and return the address."""
        stand_in = self

        class Handler(_Handler):
            owner = stand_in

        self._server = _Server(("127.0.0.1", port), Handler)
        threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="klaviyo stand-in", daemon=True
        ).start()
        return self.base

    @property
    def base(self) -> str:
        """Return the address; only while it serves."""
        if self._server is None:
            raise RuntimeError("the stand-in is not serving")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop serving; the state stays readable."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def fault(self, name: str, **parameters: Any) -> None:
        """Ask for a fault from now on."""
        known = {fault.name: fault for fault in self.faults}
        if name not in known:
            raise ValueError(f"there is no fault {name!r}; known: {', '.join(known)}")
        given = {key: str(value) for key, value in parameters.items() if value not in (None, "")}
        strange = given.keys() - known[name].parameters.keys()
        if strange:
            raise ValueError(f"{name} has no parameter {sorted(strange)[0]!r}")
        numbers = {key: float(given[key]) for key in (*_WHOLE_NUMBERS, "seconds", "retry_after") if key in given}
        if min(numbers.values(), default=0) < 0 or numbers.get("every", 1) < 1:
            raise ValueError("numbers are not negative, every is 1 or more")
        given |= {key: str(int(numbers[key])) for key in _WHOLE_NUMBERS if key in numbers}
        once = 1 if name in _ONCE_BY_DEFAULT else None
        with self._lock:
            self._active[name] = _Active(given, int(given["times"]) if "times" in given else once)

    def heal(self) -> None:
        """End all faults."""
        with self._lock:
            self._active.clear()

    def state(self) -> Mapping[str, Any]:
        """Return lists with who is on them, profiles, imports and events; a thousand of each at most."""
        with self._lock:
            world, now = self.world, self.clock()
            world.work(now, self._failing())
            return {
                **self._counts,
                "profiles_known": len(world.profiles),
                "events_recorded": len(world.events),
                "faults": {name: {**each.values, "left": each.left} for name, each in self._active.items()},
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

    def serve(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> tuple[Answer | None, float]:
        """Answer one request; None means hanging up. The number is seconds to wait before the answer."""
        url = urlsplit(target)
        with self._lock:
            answer = self._fail_first(url.path)
            if answer is None and not self._take("drop-before", url.path):
                answer = self._answer(method, url.path, url.query, headers, raw)
            dropped = answer is None or (answer.status < 300 and self._take("drop-after", url.path))
            late = self._value("slow", "seconds", "1") if self._take("slow", url.path) else "0"
            status = 0 if dropped or answer is None else answer.status
            self._counts["served" if 0 < status < 300 else "refused"] += 1
            self._counts["writes"] += method != "GET"
            self.requests.append((method, url.path, status))
        return (None if dropped else answer), float(late)

    def _answer(self, method: str, path: str, query: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        try:
            _refuse_strangers(headers, raw)
            route, ids = _find(method, path)
            limited = self._limit(route)
            if limited is not None and limited.status == 429:
                return limited
            now = self.clock()
            self.world.work(now, self._failing())
            answer = route.answer(self._asked(path, ids, query, raw, now))
            if limited is not None:
                answer.headers.update(limited.headers)
            return answer
        except Refusal as refused:
            return refused.answer
        except (KeyError, TypeError, AttributeError):
            return Refusal(400, "invalid", "The body has not the shape of this endpoint.", pointer="/data").answer

    def _asked(self, path: str, ids: tuple[str, ...], query: str, raw: bytes, now: float) -> Asked:
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            raise Refusal(400, "invalid_json", "The body is not JSON.") from None
        seconds = self._value("slow-jobs", "seconds", "60") if "slow-jobs" in self._active else self._job_seconds
        poison = self._value("poison-rows", "text", "poison") if "poison-rows" in self._active else None
        return Asked(
            self.world, now, self.base, path, ids, dict(parse_qsl(query)), body, len(raw), float(seconds), poison
        )

    def _limit(self, route: Route) -> Answer | None:
        if not self._limits:
            return None
        windows = self._windows.setdefault(f"{route.method} {route.path.pattern}", Windows(route.tier, route.a_day))
        wait, headers = windows.take(self.clock())
        return _throttled(headers) if wait is not None else Answer(200, None, headers)

    def _fail_first(self, path: str) -> Answer | None:
        """Return the answer of a fault that comes before all work."""
        if self._take("rate-limit", path):
            return _throttled({"Retry-After": self._value("rate-limit", "retry_after", "1")})
        if self._take("rate-limit-bare", path):
            return _throttled({})
        if self._take("server-error", path):
            return Refusal(500, "error", "A server error occurred.").answer
        if self._take("expired-key", path):
            return Refusal(401, "not_authenticated", "The API key is revoked.").answer
        if self._take("forbidden", path):
            return Refusal(403, "permission_denied", "The key lacks a scope.", title="Missing scope.").answer
        return None

    def _failing(self) -> tuple[str, ...]:
        return (self._value("failing-rows", "text", "broken"),) if "failing-rows" in self._active else ()

    def _take(self, name: str, path: str) -> bool:
        active = self._active.get(name)
        return active is not None and active.take(path)

    def _value(self, name: str, key: str, default: str) -> str:
        return self._active[name].values.get(key, default)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    """One connection; the names are http.server's."""

    owner: KlaviyoStandIn
    protocol_version = "HTTP/1.1"
    server_version = "hub-klaviyo"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        raw = self.rfile.read(int(length)) if length.isdigit() else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer, late = self.owner.serve(self.command, self.path, headers, raw)
        if late:
            time.sleep(late)
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": _JSON_API, "Content-Length": str(len(body)), **answer.headers}.items():
            if answer.status != 204 or name not in {"Content-Type", "Content-Length"}:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Keep quiet: addresses are nobody's business."""


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
    path = unquote(path)
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
