"""The client that plugins speak HTTP with, against a real server on loopback."""

from __future__ import annotations

import gc
import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.http import Client, Limiter, connect_factory

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Vendor:
    """A server that answers what a script says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.asked: list[dict[str, Any]] = []
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                vendor.asked.append(
                    {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body}
                )
                answer = vendor.answers.pop(0) if vendor.answers else (200, {}, b"{}")
                if answer == "drop":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "content-length" not in headers:
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = headers.get("content-length", str(len(content))) != str(len(content))

            def log_message(self, *_: Any) -> None:
                """Keep quiet."""

        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.handle_any)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_address[1]}/v3"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Plugin(api.Connection):
    """A connection whose hooks the tests set."""

    name = "plugin"

    def __init__(self) -> None:
        super().__init__(connection="newsletter", config=None, shop=None, remember=None)  # type: ignore[arg-type]
        self.paces: Callable[[api.Reply], float | None] = lambda reply: None
        self.classifies: Callable[[api.Reply], api.HubError | None] = lambda reply: None

    def pace(self, reply: api.Reply) -> float | None:
        return self.paces(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        return self.classifies(reply)


class Bench:
    """A vendor, a plugin and the client between them, in a time that only sleeping moves."""

    def __init__(self, rate: api.Rate | None = None) -> None:
        self.vendor = Vendor()
        self.plugin = Plugin()
        self.slept: list[float] = []
        self.moment = 0.0
        self.limiter = Limiter(rate, monotonic=lambda: self.moment, sleep=self.sleep)
        self.clients: list[Client] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.moment += seconds

    def client(self, base_url: str | None = None, **how: Any) -> Client:
        connect = connect_factory(
            self.plugin, self.limiter, secrets=["s3cret-key"], clock=lambda: NOW, sleep=self.sleep, random=lambda: 0.0
        )
        made = connect(base_url=base_url or self.vendor.base_url, **how)
        assert isinstance(made, Client)
        self.clients.append(made)
        return made

    def answer(self, status: int, content: bytes = b"{}", headers: Mapping[str, str] | None = None) -> None:
        self.vendor.answers.append((status, headers or {}, content))

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.vendor.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


def test_requests_carry_base_address_headers_and_body(bench: Bench) -> None:
    http = bench.client(headers={"api-key": "s3cret-key"})
    bench.answer(200, b'{"lists": [1]}', {"x-left": "9"})

    reply = http.post("/contacts", params={"page": 2}, json={"name": "Åse"}, headers={"x-one": "1"})

    assert (reply.status, reply.json(), reply.headers["X-Left"]) == (200, {"lists": [1]}, "9")
    asked = bench.vendor.asked[0]
    assert (asked["method"], asked["path"]) == ("POST", "/v3/contacts?page=2")
    assert asked["headers"]["api-key"] == "s3cret-key"
    assert json.loads(asked["body"]) == {"name": "Åse"}


@pytest.mark.parametrize(("method", "sent"), [("get", False), ("post", True), ("delete", True)])
def test_an_answer_that_is_not_json_leaves_open_whether_a_write_was_done(bench: Bench, method: str, sent: bool) -> None:
    bench.answer(200, b"<html>")

    with pytest.raises(api.TransientError) as caught:
        getattr(bench.client(), method)("/contacts").json()

    assert caught.value.sent is sent


@pytest.mark.parametrize("method", ["get", "post", "patch"])
def test_a_request_may_have_headers_of_its_own(bench: Bench, method: str) -> None:
    http = bench.client(headers={"api-key": "s3cret-key", "x-one": "all"})

    getattr(http, method)("/contacts", headers={"authorization": "Bearer new", "x-one": "mine"})

    headers = {name.lower(): value for name, value in bench.vendor.asked[0]["headers"].items()}
    assert (headers["authorization"], headers["x-one"], headers["api-key"]) == ("Bearer new", "mine", "s3cret-key")


def test_every_method_is_counted_as_read_or_write(bench: Bench) -> None:
    http = bench.client()

    http.get("/a")
    http.post("/query", json={}, reads=True)
    http.post("/a", form={"k": "v"})
    http.post("/a", content=b"raw")
    http.put("/a", json={})
    http.patch("/a", json={})
    http.delete("/a", json={})

    assert (http.reads, http.writes) == (2, 5)
    assert bench.vendor.asked[2]["body"] == b"k=v"
    assert [asked["method"] for asked in bench.vendor.asked[4:]] == ["PUT", "PATCH", "DELETE"]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, api.RejectedError),
        (400, api.RejectedError),
        (404, api.RejectedError),
        (422, api.RejectedError),
        (401, api.AuthError),
        (403, api.AuthError),
        (408, api.TransientError),
        (429, api.TransientError),
        (500, api.TransientError),
        (503, api.TransientError),
    ],
)
def test_status_says_what_happens_next(bench: Bench, status: int, error: type[api.HubError]) -> None:
    bench.answer(status, b'{"message": "why"}')

    with pytest.raises(error, match=f'POST .*/v3/contacts answered {status}: {{"message": "why"}}') as caught:
        bench.client().post("/contacts?token=abc", json={})

    assert "token" not in str(caught.value)


def test_status_that_the_plugin_expects_is_no_error(bench: Bench) -> None:
    bench.answer(404, b"nobody")

    reply = bench.client().get("/contacts/1", ok=(404,))

    assert (reply.status, reply.text(), list(reply.lines())) == (404, "nobody", [b"nobody"])


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(bench: Bench, told: str, seconds: float | None) -> None:
    bench.answer(429, headers={"Retry-After": told})

    with pytest.raises(api.TransientError) as caught:
        bench.client().post("/contacts", json={})

    assert caught.value.retry_after == seconds


def test_secrets_and_addresses_do_not_appear_in_errors(bench: Bench) -> None:
    http = bench.client(headers={"authorization": "Bearer t0ken-of-ours"})
    body = b'{"e": "anna.k@example.com", "p": "+45 12 34 56 78", "k": "s3cret-key", "h": "t0ken-of-ours", "n": 12345}'
    bench.answer(400, body)

    with pytest.raises(api.RejectedError) as caught:
        http.post("/contacts/anna%40example.com", json={})

    text = str(caught.value)
    for hidden in ("anna", "12 34", "s3cret", "t0ken"):
        assert hidden not in text
    assert "12345" in text


def test_long_bodies_are_cut_after_they_were_masked(bench: Bench) -> None:
    bench.answer(400, b"x" * 290 + b" someone@example.com " + b"y" * 5_000)

    with pytest.raises(api.RejectedError) as caught:
        bench.client().post("/contacts", json={})

    assert "someone" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_nothing_is_logged_below_a_warning(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    bench.client(headers={"api-key": "s3cret-key"}).get("/contacts", params={"email": "anna@example.com"})

    assert "anna" not in caplog.text
    assert "s3cret" not in caplog.text


def test_read_is_tried_again_until_it_succeeds(bench: Bench) -> None:
    http = bench.client()
    bench.answer(503)
    bench.vendor.answers.append("drop")
    bench.answer(429, headers={"Retry-After": "9"})
    bench.answer(200, b"[]")

    assert http.get("/lists").json() == []
    assert http.reads == 4
    assert sum(bench.slept) == pytest.approx(0.5 + 1.0 + 9.0)


def test_read_is_given_up_after_four_attempts_or_when_told_to_wait_too_long(bench: Bench) -> None:
    for _ in range(4):
        bench.answer(503)
    with pytest.raises(api.TransientError, match="answered 503"):
        bench.client().get("/lists")
    assert len(bench.vendor.asked) == 4

    bench.answer(429, headers={"Retry-After": "3600"})
    with pytest.raises(api.TransientError) as caught:
        bench.client().get("/lists")
    assert caught.value.retry_after == 3600
    assert len(bench.vendor.asked) == 5


@pytest.mark.parametrize(("answer", "sent"), [("drop", True), ((500, {}, b""), True), ((429, {}, b""), False)])
def test_write_is_not_repeated_and_says_whether_it_may_have_arrived(bench: Bench, answer: Any, sent: bool) -> None:
    bench.vendor.answers.append(answer)

    with pytest.raises(api.TransientError) as caught:
        bench.client().post("/contacts", json={})

    assert caught.value.sent is sent
    assert len(bench.vendor.asked) == 1
    assert bench.slept == []


def test_write_that_surely_was_not_sent_is_tried_again(bench: Bench) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    http = bench.client(f"http://127.0.0.1:{port}")

    with pytest.raises(api.TransientError, match="ConnectError") as caught:
        http.post("/contacts", json={})

    assert caught.value.sent is False
    assert http.writes == 1
    assert bench.slept == [0.5, 1.0, 2.0]


def test_timeout_of_a_write_may_have_arrived(bench: Bench) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    http = bench.client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.05)

    with pytest.raises(api.TransientError, match="ReadTimeout") as caught:
        http.post("/contacts", json={})

    assert caught.value.sent is True
    silent.close()


def test_plugin_may_judge_what_the_status_does_not_say(bench: Bench) -> None:
    bench.plugin.classifies = lambda reply: (
        api.TransientError("busy", retry_after=5) if b"code 17" in reply.text().encode() else None
    )
    bench.answer(400, b"code 17")
    bench.answer(200, b"code 17")
    bench.answer(400, b"code 18")
    http = bench.client()

    for _ in range(2):
        with pytest.raises(api.TransientError, match="busy"):
            http.post("/contacts", json={})
    with pytest.raises(api.RejectedError):
        http.post("/contacts", json={})


def test_pace_of_the_vendor_holds_the_next_request(bench: Bench) -> None:
    bench.plugin.paces = lambda reply: float(reply.headers["x-wait"]) if "x-wait" in reply.headers else None
    bench.answer(200, headers={"x-wait": "12"})
    http = bench.client()

    http.post("/contacts", json={})
    assert bench.slept == []
    http.post("/contacts", json={})

    assert bench.slept == [12.0]


def test_vendor_that_says_later_is_asked_by_nobody_until_then(bench: Bench) -> None:
    bench.answer(429, headers={"Retry-After": "20"})
    http = bench.client()
    with pytest.raises(api.TransientError):
        http.post("/contacts", json={})

    http.post("/contacts", json={})

    assert bench.slept == [20.0]


def test_body_that_is_not_json_is_a_passing_failure(bench: Bench) -> None:
    bench.answer(200, b"<html>maintenance, write to ops@example.com</html>")

    with pytest.raises(api.TransientError, match="not JSON") as caught:
        bench.client().get("/lists").json()

    assert "ops@" not in str(caught.value)


def test_download_streams_lines_without_credentials(bench: Bench) -> None:
    http = bench.client(headers={"api-key": "s3cret-key"}, auth=("user", "password"))
    bench.answer(200, b"one\r\ntwo\n\nthree")

    with http.download(f"{bench.vendor.base_url}/export.jsonl?signature=abc") as lines:
        assert list(lines) == [b"one", b"two", b"", b"three"]

    headers = {name.lower() for name in bench.vendor.asked[0]["headers"]}
    assert headers.isdisjoint({"api-key", "authorization"})
    assert http.reads == 1


def test_download_that_is_refused_names_no_signature(bench: Bench) -> None:
    bench.answer(403, b"expired")

    with (
        pytest.raises(api.AuthError, match="answered 403: expired") as caught,
        bench.client().download(f"{bench.vendor.base_url}/export?signature=abc"),
    ):
        pass

    assert "signature" not in str(caught.value)


def test_a_file_is_saved_without_credentials(bench: Bench, tmp_path: Path) -> None:
    http = bench.client(headers={"api-key": "s3cret-key"}, auth=("user", "password"))
    bench.answer(200, b"one\ntwo\n")

    http.save(f"{bench.vendor.base_url}/export.jsonl?signature=abc", tmp_path / "export")

    assert (tmp_path / "export").read_bytes() == b"one\ntwo\n"
    headers = {name.lower() for name in bench.vendor.asked[0]["headers"]}
    assert headers.isdisjoint({"api-key", "authorization", "range"})
    assert (http.reads, http.writes) == (1, 0)


def test_a_file_that_broke_off_is_continued(bench: Bench, tmp_path: Path) -> None:
    bench.answer(200, b"one\ntw", {"content-length": "8"})  # hangs up before the end
    bench.answer(206, b"o\n", {"content-range": "bytes 6-7/8"})

    bench.client().save(f"{bench.vendor.base_url}/export", tmp_path / "export")

    assert (tmp_path / "export").read_bytes() == b"one\ntwo\n"
    assert [asked["headers"].get("Range") for asked in bench.vendor.asked] == [None, "bytes=6-"]
    assert bench.slept == [0.5]


def test_a_side_that_cannot_continue_a_file_sends_it_anew(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "export").write_bytes(b"one\ntw")
    bench.answer(200, b"one\ntwo\n")

    bench.client().save(f"{bench.vendor.base_url}/export", tmp_path / "export")

    assert (tmp_path / "export").read_bytes() == b"one\ntwo\n"


@pytest.mark.parametrize(
    ("held", "whole", "asked"),
    [(b"one\ntwo\n", "bytes */8", 1), (b"one\ntwo\n", None, 1), (b"something longer", "bytes */8", 2)],
)
def test_a_whole_file_is_left_alone_and_a_strange_one_fetched_anew(
    bench: Bench, tmp_path: Path, held: bytes, whole: str | None, asked: int
) -> None:
    (tmp_path / "export").write_bytes(held)
    bench.answer(416, b"", {"content-range": whole} if whole else {})
    bench.answer(200, b"one\ntwo\n")

    bench.client().save(f"{bench.vendor.base_url}/export", tmp_path / "export")

    assert (tmp_path / "export").read_bytes() == b"one\ntwo\n"
    assert len(bench.vendor.asked) == asked


def test_a_file_that_is_refused_is_not_begun_and_names_no_signature(bench: Bench, tmp_path: Path) -> None:
    bench.answer(403, b"expired")

    with pytest.raises(api.AuthError, match="answered 403: expired") as caught:
        bench.client().save(f"{bench.vendor.base_url}/export?signature=abc", tmp_path / "export")

    assert "signature" not in str(caught.value)
    assert not (tmp_path / "export").exists()


def test_redirect_of_a_write_is_not_followed(bench: Bench) -> None:
    bench.answer(302, headers={"location": "/elsewhere"})

    with pytest.raises(api.RejectedError):
        bench.client().post("/contacts", json={})

    assert len(bench.vendor.asked) == 1


def test_a_body_that_was_answered_is_let_go_of_without_a_collection(bench: Bench) -> None:
    http, body = bench.client(), b"x" * 1000
    before = sys.getrefcount(body)
    gc.disable()
    try:
        for _ in range(3):
            http.post("/contacts", content=body)
        assert sys.getrefcount(body) == before
    finally:
        gc.enable()


def test_threads_share_one_client(bench: Bench) -> None:
    http = bench.client()
    threads = [threading.Thread(target=lambda: [http.post("/c", json={}) for _ in range(10)]) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (http.writes, len(bench.vendor.asked)) == (40, 40)
