"""Stand-ins that speak HTTP: the door, the faults that every vendor has, and the count of what was asked."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qsl, unquote, urlsplit

from hub.api.stand_ins import Fault, StandIn

_POLL_SECONDS = 0.05  # how soon stop() is noticed
_ONCE: Mapping[str, str] = MappingProxyType(
    {
        "times": "once if empty",
        "every": "every n-th request; each if empty",
        "path": "paths that contain it; any if empty",
        "method": "any if empty",
    }
)
_HEALED: Mapping[str, str] = MappingProxyType({**_ONCE, "times": "until healed if empty"})
_WHOLE_NUMBERS = ("times", "every")
_NO_CONTENT = 204


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: ``path`` is decoded and without its query, header names are in lower case.

    ``target`` is path and query as they came, still encoded.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    target: str = ""


@dataclass(slots=True)
class Answer:
    """What is answered: ``body`` is JSON data, bytes or text; None for no body."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class _Active:
    """A fault that was asked for; ``left`` None means until healed."""

    def __init__(self, values: dict[str, str], left: int | None) -> None:
        self.values, self.left, self.asked = values, left, 0

    def take(self, method: str, path: str) -> bool:
        """Use up one turn, where this request has one."""
        if self.left == 0 or self.values.get("path", "") not in path:
            return False
        if self.values.get("method", method).upper() != method:
            return False
        self.asked += 1
        if self.asked % int(self.values.get("every", "1")):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class HttpStandIn(StandIn):
    """Serve a vendor that speaks HTTP. A subclass writes ``answer``, ``refuse`` and ``shown``.

    ``limits`` False is a fast mode without rate limits; ``clock`` gives seconds since 1970. ``requests`` are method,
    path and status (0: hung up) of everything that was asked. Whatever a subclass does runs under one lock.
    ``refusals`` are the faults that come before all work and that ``refuse`` answers. ``content_type`` is that of
    JSON. ``ONCE`` and ``UNTIL_HEALED`` are parameters for faults of a subclass's own.
    """

    ONCE: ClassVar[Mapping[str, str]] = _ONCE
    UNTIL_HEALED: ClassVar[Mapping[str, str]] = _HEALED
    refusals: ClassVar[Sequence[str]] = (
        "rate-limit", "rate-limit-bare", "server-error", "expired-token", "expired-key", "forbidden",
    )  # fmt: skip
    content_type: ClassVar[str] = "application/json; charset=utf-8"
    faults: ClassVar[Sequence[Fault]] = (
        Fault("rate-limit", "Refuse as too fast, and say when.", {**_ONCE, "retry_after": "seconds; 1 if empty"}),
        Fault("rate-limit-bare", "Refuse as too fast, and say nothing of when.", _ONCE),
        Fault("server-error", "Answer 500 and do nothing.", _ONCE),
        Fault("drop-before", "Hang up before the work.", _ONCE),
        Fault("drop-after", "Do the work, then hang up.", _ONCE),
        Fault("slow", "Answer late.", {**_HEALED, "seconds": "1 if empty"}),
        Fault("expired-token", "Refuse the credentials.", _HEALED),
        Fault("forbidden", "Say that a permission is missing.", _HEALED),
    )
    secrets: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __init__(self, *, limits: bool = True, clock: Callable[[], float] = time.time) -> None:
        self.limits = limits
        self.clock = clock
        self.requests: list[tuple[str, str, int]] = []
        self._lock = threading.RLock()
        self._active: dict[str, _Active] = {}
        self._counts = {"served": 0, "refused": 0, "writes": 0}
        self._server: ThreadingHTTPServer | None = None

    def answer(self, asked: Asked) -> Answer:
        """Answer a request that no fault has met."""
        raise NotImplementedError

    def refuse(self, fault: str, retry_after: str | None) -> Answer:
        """Return the vendor's own answer for one of ``refusals``; ``rate-limit-bare`` comes as ``rate-limit``."""
        raise NotImplementedError

    def shown(self) -> Mapping[str, Any]:
        """Return what the vendor holds, for ``state``."""
        raise NotImplementedError

    def is_write(self, asked: Asked) -> bool:
        """Tell whether a request counts as a write; by its method, unless the vendor wants queries posted."""
        return asked.method != "GET"

    def start(self, port: int = 0) -> str:
        """Start serving and return the address."""
        stand_in = self

        class Handler(_Handler):
            owner = stand_in

        self._server = _Server(("127.0.0.1", port), Handler)
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(_POLL_SECONDS,), name=f"{self.plugin} stand-in", daemon=True).start()
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
        """Ask for a fault from now on. Raises ValueError for one it does not know."""
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
        once = 1 if known[name].parameters.get("times") == _ONCE["times"] else None
        with self._lock:
            self._active[name] = _Active(given, int(given["times"]) if "times" in given else once)

    def heal(self) -> None:
        """End all faults."""
        with self._lock:
            self._active.clear()

    def state(self) -> Mapping[str, Any]:
        """Return what it holds, how often it was asked, and the faults it was asked for."""
        with self._lock:
            faults = {name: {**each.values, "left": each.left} for name, each in self._active.items()}
            return {**self._counts, "faults": faults, **self.shown()}

    def wanted(self, name: str, key: str, default: str) -> str | None:
        """Return a parameter of a fault that was asked for; None where it was not."""
        active = self._active.get(name)
        return None if active is None else active.values.get(key, default)

    def is_on(self, name: str) -> bool:
        """Tell whether a fault was asked for and not healed."""
        return name in self._active

    def take(self, name: str, asked: Asked) -> bool:
        """Use up one turn of a fault, where it was asked for and meets this request."""
        active = self._active.get(name)
        return active is not None and active.take(asked.method, asked.path)

    def attend(self, asked: Asked) -> Answer | None:
        """Answer one request when its time has come; None means hanging up."""
        answer, late = self.serve(asked)
        if late:
            time.sleep(late)
        return answer

    def serve(self, asked: Asked) -> tuple[Answer | None, float]:
        """Answer one request; None means hanging up. The number is seconds to wait before the answer."""
        with self._lock:
            answer = self._fail_first(asked)
            if answer is None and not self.take("drop-before", asked):
                answer = self.answer(asked)
            dropped = answer is None or (answer.status < 300 and self.take("drop-after", asked))
            late = self.wanted("slow", "seconds", "1") if self.take("slow", asked) else None
            status = 0 if dropped or answer is None else answer.status
            self._counts["served" if 0 < status < 300 else "refused"] += 1
            self._counts["writes"] += self.is_write(asked)
            self.requests.append((asked.method, asked.path, status))
        return (None if dropped else answer), float(late or 0)

    def _fail_first(self, asked: Asked) -> Answer | None:
        """Return the answer of a fault that comes before all work."""
        for name in self.refusals:
            if self.take(name, asked):
                retry_after = self.wanted(name, "retry_after", "1") if name == "rate-limit" else None
                return self.refuse("rate-limit" if name == "rate-limit-bare" else name, retry_after)
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Handler(BaseHTTPRequestHandler):
    """One connection; the names are http.server's."""

    owner: HttpStandIn
    protocol_version = "HTTP/1.1"
    server_version = "hub-stand-in"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the same

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        raw = self.rfile.read(int(length)) if length.isdigit() else b""
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        answer = self.owner.attend(Asked(self.command, unquote(url.path), query, headers, raw, self.path))
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        body, kind = answer.body, "text/html; charset=utf-8"
        if body is None:
            body = b""
        elif isinstance(body, str):
            body = body.encode()
        elif not isinstance(body, bytes):
            body, kind = json.dumps(body).encode(), self.owner.content_type
        self.send_response(answer.status)
        # An answer without content says nothing of it (RFC 9110, 8.6).
        about = {} if answer.status == _NO_CONTENT else {"Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in {**about, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Keep quiet: addresses are nobody's business."""
