"""The Admin API over HTTP on 127.0.0.1."""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hub_shopify.stand_in.faults import Faults
from hub_shopify.stand_in.service import Answer, Service

_GRAPHQL = re.compile(r"/admin/api/([^/]+)/graphql\.json")
_TOKEN = "/admin/oauth/access_token"  # noqa: S105 - a path
_LARGEST_BODY = 10_000_000
_CHUNK = 1 << 16
_POLL_SECONDS = 0.05  # how soon stop() is noticed


class Server:
    """Serve until stopped."""

    def __init__(self, service: Service, faults: Faults) -> None:
        self.service = service
        self.faults = faults
        self.stopping = threading.Event()
        self._server: _Listener | None = None

    def start(self, port: int) -> str:
        """Start serving and return the address."""
        server = self

        class Handler(_Handler):
            owner = server

        self.stopping.clear()
        self._server = _Listener(("127.0.0.1", port), Handler)
        threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="shopify stand-in", daemon=True
        ).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        """Stop serving, also those who keep their connection open; harmless twice."""
        if self._server is not None:
            self.stopping.set()
            self._server.shutdown()
            self._server.hang_up()
            self._server.server_close()
            self._server = None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, *arguments: Any) -> None:
        self._open: set[Any] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections."""
        for request in list(self._open):
            _hang_up(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about those who hang up; everything else is a mistake here."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection; the names are http.server's."""

    owner: Server
    protocol_version = "HTTP/1.1"
    server_version = "hub-sandbox"
    disable_nagle_algorithm = True  # head and body are two writes: without it each answer waits for the client's word
    timeout = 60

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        body = self._body()
        if body is None:
            return
        self._wait()
        graphql = _GRAPHQL.fullmatch(url.path)
        if graphql:
            self._graphql(graphql[1], body)
        elif url.path == _TOKEN:
            wants_json = "json" in self.headers.get("Accept", "")
            self._send(self.owner.service.token(self._form(body), wants_json=wants_json))
        else:
            self._send(Answer(HTTPStatus.NOT_FOUND, {"errors": "Not Found"}))

    def do_GET(self) -> None:
        self._wait()
        service = self.owner.service
        file = service.bulk.file(urlsplit(self.path).path)
        if file is None:
            self._send(Answer(HTTPStatus.NOT_FOUND, {"errors": "Not Found"}))
        else:
            self._send_file(file)

    def _graphql(self, version: str, body: bytes) -> None:
        faults, service = self.owner.faults, self.owner.service
        broken = faults.take("server-error")
        if broken is not None:
            service.count("refused")
            status = int(broken.get("status", "502"))
            self._send(Answer(status, f"<html><body><h1>{status}</h1></body></html>"))
            return
        dropped = faults.take("dropped")
        if dropped is not None and dropped.get("when") != "after":
            service.count("refused")
            self._hang_up()
            return
        answer = service.graphql(version, self.headers.get("X-Shopify-Access-Token", ""), body)
        if dropped is not None:
            self._hang_up()
        else:
            self._send(answer)

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LARGEST_BODY:
            self.close_connection = True
            self._send(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"errors": "Request Entity Too Large"}))
            return None
        return self.rfile.read(int(length))

    def _form(self, body: bytes) -> dict[str, str]:
        """Return the fields of a form, or of an object in JSON."""
        if self.headers.get_content_type() != "application/json":
            return dict(parse_qsl(body.decode("utf-8", "replace")))
        try:
            said = json.loads(body)
        except ValueError:
            return {}
        return {str(key): str(value) for key, value in said.items()} if isinstance(said, dict) else {}

    def _wait(self) -> None:
        slow = self.owner.faults.take("slow")
        if slow is not None:
            self.owner.stopping.wait(float(slow.get("seconds", "1")))

    def _send(self, answer: Answer) -> None:
        text = isinstance(answer.body, str)
        raw = (answer.body if text else json.dumps(answer.body, separators=(",", ":"))).encode()
        kind = "text/html; charset=utf-8" if text else "application/json; charset=utf-8"
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(raw)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _send_file(self, file: Path) -> None:
        """Stream a file, from a place on if asked to."""
        size = file.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if start >= size > 0:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.owner.service.count("downloads")
        self.send_response(HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK)
        self.send_header("Content-Type", "application/jsonl")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(size - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.end_headers()
        broken = self.owner.faults.take("download-broken")
        most = size - start
        if broken is not None:
            most = min(most - 1, int(broken.get("after", str(most // 2))))
        self._stream(file, start, most)
        if broken is not None:
            self._hang_up()

    def _stream(self, file: Path, start: int, length: int) -> None:
        with file.open("rb") as content:
            content.seek(start)
            while length > 0 and (chunk := content.read(min(_CHUNK, length))):
                self.wfile.write(chunk)
                length -= len(chunk)

    def _hang_up(self) -> None:
        self.close_connection = True
        _hang_up(self.connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Keep quiet: what is asked for is nobody's business."""


def _hang_up(connection: Any) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was quicker
        return
