"""The client itself: the only importer of httpx."""

from __future__ import annotations

import json as json_module
import logging
import os
import random as random_module
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, cast
from urllib.parse import urlsplit

import httpx
import tenacity

from hub.api import AuthError, Connect, Connection, HubError, RejectedError, TransientError
from hub.http.limiter import CONNECTIONS, Limiter
from hub.http.redaction import redactor
from hub.http.retry import Backoff, Enough

TIMEOUT = 60.0
CONNECT_TIMEOUT = 10.0
EXCERPT = 300
ATTEMPTS = 4
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Reply:
    """What the other side answered: an ``api.Reply``."""

    __slots__ = ("_content", "_redact", "_to_write", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        content: bytes,
        redact: Callable[[str], str],
        *,
        to_write: bool = False,
    ) -> None:
        self.status = status
        self.headers = headers
        self._content = content
        self._redact = redact
        self._to_write = to_write

    def json(self) -> Any:
        """Return the decoded body. Raises TransientError where the body is not JSON; a write may have been done."""
        try:
            return json_module.loads(self._content)
        except ValueError:
            text = self._redact(self.text())
            what = f"answered {self.status} with something that is not JSON: {text}"
            raise TransientError(what, sent=self._to_write) from None

    def text(self) -> str:
        """Return the body as text."""
        return self._content.decode("utf-8", "replace")

    def lines(self) -> Iterator[bytes]:
        """Yield the body line by line, without line ends."""
        return iter(self._content.splitlines())


@dataclass(frozen=True, slots=True)
class Host:
    """What hub lends a client: the connection's hooks and limiter, redaction, retries, the time."""

    connection: Connection
    limiter: Limiter
    redact: Callable[[str], str]
    retrying: tenacity.Retrying
    clock: Callable[[], datetime]


class Client:
    """Send requests relative to one base address: an ``api.Http`` that counts ``writes`` and ``reads``."""

    def __init__(self, client: httpx.Client, bare: httpx.Client, host: Host) -> None:
        self.writes = 0
        self.reads = 0
        self._client = client
        self._bare = bare
        self._base = str(client.base_url).rstrip("/")
        self._connection = host.connection
        self._limiter = host.limiter
        self._redact = host.redact
        self._retrying = host.retrying
        self._clock = host.clock
        self._turn = threading.Lock()

    def get(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (),
    ) -> Reply:
        """Read; counted as a read."""
        return self._read("GET", path, ok, params=params, headers=headers)

    def post(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (),
        reads: bool = False,
    ) -> Reply:
        """Write; counted as a write call unless ``reads``."""
        send = self._read if reads else self._write
        return send("POST", path, ok, params=params, json=json, data=form, content=content, headers=headers)

    def put(
        self, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None, ok: tuple[int, ...] = ()
    ) -> Reply:
        """Write."""
        return self._write("PUT", path, ok, params=params, json=json)

    def patch(
        self,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        ok: tuple[int, ...] = (),
    ) -> Reply:
        """Write."""
        return self._write("PATCH", path, ok, params=params, json=json, headers=headers)

    def delete(
        self, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None, ok: tuple[int, ...] = ()
    ) -> Reply:
        """Write."""
        return self._write("DELETE", path, ok, params=params, json=json)

    def download(self, url: str) -> AbstractContextManager[Iterator[bytes]]:
        """Stream an absolute address line by line, without the connection's credentials."""
        return self._download(url)

    def save(self, url: str, path: Path) -> None:
        """Fetch an absolute address into a file, without the connection's credentials; continue one that is there."""
        where = url.partition("?")[0]

        def attempt() -> None:
            with self._turn:
                self.reads += 1
            with self._limiter.slot():
                try:
                    self._fetch(url, where, path)
                except httpx.HTTPError as error:
                    self._fail("GET", where, error, writes=False)

        self._retrying.copy(retry=tenacity.retry_if_exception_type(TransientError))(attempt)

    def close(self) -> None:
        """Close the sockets."""
        self._client.close()
        self._bare.close()

    def _read(self, method: str, path: str, ok: tuple[int, ...], **how: Any) -> Reply:
        def attempt() -> Reply:
            with self._turn:
                self.reads += 1
            return self._send(method, path, ok, writes=False, **how)

        return self._retrying.copy(retry=tenacity.retry_if_exception_type(TransientError))(attempt)

    def _write(self, method: str, path: str, ok: tuple[int, ...], **how: Any) -> Reply:
        with self._turn:
            self.writes += 1
        try:
            return self._send(method, path, ok, writes=True, **how)
        except _NotSentError:
            pass
        # The connection was never made, so that trying again repeats nothing.
        retrying = self._retrying.copy(retry=tenacity.retry_if_exception_type(_NotSentError))
        return retrying(self._send, method, path, ok, writes=True, **how)

    def _send(self, method: str, path: str, ok: tuple[int, ...], *, writes: bool, **how: Any) -> Reply:
        with self._limiter.slot():
            try:
                answer = self._client.request(method, path, **self._encoded(how))
            except httpx.HTTPError as error:
                self._fail(method, path, error, writes=writes)
        reply = Reply(answer.status_code, answer.headers, answer.content, self._excerpt, to_write=writes)
        # httpx ties an answer and its stream into a ring, which would keep every body sent until a late collection.
        answer.stream = httpx.ByteStream(b"")
        pause = self._connection.pace(reply)
        if pause:
            self._limiter.hold(pause)
        if reply.status < 300:
            known = self._connection.classify(reply)
        elif reply.status in ok:
            return reply
        else:
            known = self._connection.classify(reply) or self._judge(method, path, reply, writes=writes)
        if known is None:
            return reply
        if isinstance(known, TransientError) and known.retry_after:
            self._limiter.hold(known.retry_after)
        raise known

    def _encoded(self, how: dict[str, Any]) -> dict[str, Any]:
        """Return a request's parts with its JSON written: times in ISO 8601, money as numbers."""
        body = how.get("json")
        if body is None:
            return how
        headers = dict(how.get("headers") or {})
        if "content-type" not in self._client.headers and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        content = json_module.dumps(body, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return {**how, "json": None, "content": content.encode(), "headers": headers}

    def _fail(self, method: str, path: str, error: httpx.HTTPError, *, writes: bool) -> NoReturn:
        what = f"{method} {self._where(path)}: {type(error).__name__}: {self._redact(str(error))}"
        if isinstance(error, _NOT_SENT):
            raise _NotSentError(what) from None
        raise TransientError(what, sent=writes) from None

    def _judge(self, method: str, path: str, reply: Reply, *, writes: bool) -> HubError:
        what = f"{method} {self._where(path)} answered {reply.status}: {self._excerpt(reply.text())}"
        if reply.status in {401, 403}:
            return AuthError(what, next_step=f"Renew the credentials of {self._connection.connection}.")
        if reply.status in {408, 429} or reply.status >= 500:
            # A limit is refused before any work; the rest may have happened although the answer says no.
            sent = writes and reply.status != 429
            return TransientError(what, retry_after=self._retry_after(reply), sent=sent)
        return RejectedError(what)

    def _retry_after(self, reply: Reply) -> float | None:
        told = reply.headers.get("retry-after")
        if told is None:
            return None
        try:
            return max(0.0, float(told))
        except ValueError:
            pass
        try:
            moment = parsedate_to_datetime(told)
        except ValueError:
            return None
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - self._clock()).total_seconds())

    def _where(self, path: str) -> str:
        return self._redact(f"{self._base}/{path.partition('?')[0].lstrip('/')}")

    def _excerpt(self, text: str) -> str:
        # Redacted before it is cut, so that no half of a secret is left at the edge.
        return self._redact(" ".join(text[: 20 * EXCERPT].split()))[:EXCERPT]

    def _fetch(self, url: str, where: str, path: Path) -> None:
        held = path.stat().st_size if path.exists() else 0
        # What is encoded on the way could not be continued.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})
        with self._bare.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 416 and held:
                whole = answer.headers.get("content-range", "").rpartition("/")[2]
                if whole in {"", "*", str(held)}:
                    return
                path.unlink()
                raise TransientError(f"GET {where}: what was fetched before is not its beginning")
            if answer.status_code >= 300:
                reply = Reply(answer.status_code, answer.headers, answer.read(), self._excerpt)
                raise self._judge("GET", where, reply, writes=False)
            with path.open("ab" if answer.status_code == 206 else "wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)

    @contextmanager
    def _download(self, url: str) -> Iterator[Iterator[bytes]]:
        where = url.partition("?")[0]
        with self._turn:
            self.reads += 1
        with self._limiter.slot():
            try:
                with self._bare.stream("GET", url) as answer:
                    if answer.status_code >= 300:
                        content = answer.read()
                        reply = Reply(answer.status_code, answer.headers, content, self._excerpt)
                        raise self._judge("GET", where, reply, writes=False)
                    yield _lines(answer.iter_bytes())
            except httpx.HTTPError as error:
                self._fail("GET", where, error, writes=False)


class _NotSentError(TransientError):
    """The request surely never left this machine."""


def connect_factory(
    connection: Connection,
    limiter: Limiter,
    *,
    secrets: Collection[str] = (),
    transport: httpx.BaseTransport | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], object] = time.sleep,
    random: Callable[[], float] = random_module.random,
    total: float = 120.0,
) -> Connect:
    """Return what a connection's ``client()`` is handed.

    ``secrets`` are masked in every message, as are the values of the headers, e-mail addresses and phones. A read is
    tried up to four times, within ``total`` seconds of waiting.
    """
    # Both write addresses with their query, and httpcore headers too, to whoever listens.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)

    def connect(
        *,
        base_url: object,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float = TIMEOUT,
    ) -> Client:
        hidden = [*secrets, *(headers or {}).values(), *(params or {}).values(), *(auth or ())]
        common = _settings(str(base_url), timeout, transport)
        client = httpx.Client(base_url=str(base_url), headers=headers, params=params, auth=auth, **common)
        bare = httpx.Client(follow_redirects=True, **common)
        retrying = tenacity.Retrying(
            stop=Enough(ATTEMPTS, total),
            wait=Backoff(random),
            sleep=cast("Callable[[int | float], None]", sleep),
            reraise=True,
        )
        return Client(client, bare, Host(connection, limiter, redactor(hidden), retrying, clock))

    return connect


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _settings(base_url: str, timeout: float, transport: httpx.BaseTransport | None) -> dict[str, Any]:
    """Return what both clients share; proxies of the environment are not for this machine."""
    return {
        "timeout": httpx.Timeout(timeout, connect=CONNECT_TIMEOUT),
        "limits": httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        "transport": transport,
        "trust_env": not _is_loopback(base_url),
        "verify": _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
    }


@cache
def _trusted(*_named: str | None) -> ssl.SSLContext:
    """Return whom to trust, read once for all clients: httpx would read every certificate for each of them.

    ``_named`` are the environment's own certificates, which httpx looks up itself.
    """
    return httpx.create_ssl_context()


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r")
    if rest:
        yield rest.removesuffix(b"\r")


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.")
