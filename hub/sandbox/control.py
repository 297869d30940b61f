"""The control server: a page to look at, the state as JSON, faults to switch on and off."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hub.api import StandIn
from hub.sandbox.page import render

_LARGEST_BODY = 64_000
_POLL_SECONDS = 0.05  # how soon stop() is noticed
_HTML, _JSON = "text/html; charset=utf-8", "application/json"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RequestError(ValueError):
    """A request that is answered with a status and one line."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class Control:
    """Answer on 127.0.0.1; only pages of its own may change anything.

    A browser sends any web page's requests to this machine too, so the Host must be a loopback name (no other
    name was made to point here) and an Origin, where there is one, this server itself.
    """

    def __init__(self, stand_ins: Mapping[str, StandIn], addresses: Mapping[str, str], port: int = 0) -> None:
        self._stand_ins = stand_ins
        self._addresses = addresses
        self._port = port
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> str:
        """Start serving and return the page's address."""
        control = self

        class Handler(_Handler):
            owner = control

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="sandbox control", daemon=True
        ).start()
        self._port = int(self._server.server_address[1])
        return f"http://127.0.0.1:{self._port}/"

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hosts(self) -> set[str]:
        """Return the values of Host this server answers to."""
        return {f"{name}:{self._port}" for name in ("127.0.0.1", "localhost", "[::1]")}

    def state(self) -> dict[str, Any]:
        """Return what every stand-in is, holds and can be asked for."""
        return {
            name: {
                "address": self._addresses[name],
                "can_fail": [
                    {"name": fault.name, "description": fault.description, "parameters": dict(fault.parameters)}
                    for fault in stand_in.faults
                ],
                "state": stand_in.state(),
            }
            for name, stand_in in self._stand_ins.items()
        }

    def fault(self, asked: Mapping[str, Any]) -> None:
        """Switch a fault on: ``plugin``, ``fault`` and its parameters."""
        parameters = {key: value for key, value in asked.items() if key not in {"plugin", "fault"} and value != ""}
        stand_in = self._stand_in(asked.get("plugin"))
        try:
            stand_in.fault(str(asked.get("fault", "")), **parameters)
        except (ValueError, TypeError) as error:
            raise RequestError(HTTPStatus.BAD_REQUEST, str(error)) from None

    def heal(self, plugin: str | None) -> None:
        """End the faults of one stand-in, or of all."""
        for stand_in in [self._stand_in(plugin)] if plugin else self._stand_ins.values():
            stand_in.heal()

    def _stand_in(self, plugin: object) -> StandIn:
        found = self._stand_ins.get(str(plugin))
        if found is None:
            known = ", ".join(self._stand_ins) or "none"
            raise RequestError(HTTPStatus.NOT_FOUND, f"there is no stand-in of {plugin}; there are: {known}")
        return found


class _Handler(BaseHTTPRequestHandler):
    """One request; the names are http.server's."""

    owner: Control
    server_version = "hub-sandbox"
    timeout = 30

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_DELETE(self) -> None:
        self._answer(self._delete)

    def _answer(self, work: Any) -> None:
        try:
            self._refuse_strangers()
            work(urlsplit(self.path))
        except RequestError as error:
            self._send(error.status, json.dumps({"error": str(error)}), _JSON)

    def _get(self, url: Any) -> None:
        if url.path == "/":
            self._send(HTTPStatus.OK, render(self.owner.state()), _HTML)
        elif url.path == "/state":
            self._send(HTTPStatus.OK, json.dumps(self.owner.state(), default=str), _JSON)
        else:
            raise RequestError(HTTPStatus.NOT_FOUND, "there are /, /state and /faults")

    def _post(self, url: Any) -> None:
        asked, from_page = self._body()
        if url.path == "/faults":
            self.owner.fault(asked)
        elif url.path == "/faults/heal":  # what a form on the page can say; others use DELETE /faults
            self.owner.heal(asked.get("plugin"))
        else:
            raise RequestError(HTTPStatus.NOT_FOUND, "POST goes to /faults")
        if from_page:
            self._send(HTTPStatus.SEE_OTHER, "", _HTML, Location="/")
        else:
            self._send(HTTPStatus.OK, json.dumps(self.owner.state(), default=str), _JSON)

    def _delete(self, url: Any) -> None:
        if url.path != "/faults":
            raise RequestError(HTTPStatus.NOT_FOUND, "DELETE goes to /faults")
        self.owner.heal(dict(parse_qsl(url.query)).get("plugin"))
        self._send(HTTPStatus.OK, json.dumps(self.owner.state(), default=str), _JSON)

    def _refuse_strangers(self) -> None:
        hosts = self.owner.hosts()
        if self.headers.get("Host") not in hosts:
            raise RequestError(HTTPStatus.FORBIDDEN, "this server answers to 127.0.0.1 and localhost only")
        origin = self.headers.get("Origin")
        if origin is not None and origin not in {f"http://{host}" for host in hosts}:
            raise RequestError(HTTPStatus.FORBIDDEN, "another site's pages have no say here")

    def _body(self) -> tuple[dict[str, Any], bool]:
        """Return what was sent, and whether it came from a form."""
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > _LARGEST_BODY:
            raise RequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "that is more than a fault needs")
        raw = self.rfile.read(int(length))
        if self.headers.get_content_type() != "application/json":
            return dict(parse_qsl(raw.decode("utf-8", "replace"))), True
        try:
            asked = json.loads(raw)
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            raise RequestError(HTTPStatus.BAD_REQUEST, 'send an object such as {"plugin": "smtp", "fault": "slow"}')
        return asked, False

    def _send(self, status: HTTPStatus, body: str, kind: str, **headers: str) -> None:
        raw = body.encode("utf-8", "replace")
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(raw)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Keep quiet: addresses of pages are nobody's business."""
