"""What a run lends its connections: its clock, and a pace in its own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from hub import api
from hub.sync.lines import close_line, open_line
from hub.sync.surroundings import Surroundings

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


class Slow(api.Connection):
    """A connection that may ask once a minute."""

    name = "slow"
    rate = api.Rate(per_minute=1)

    def __init__(self, address: str) -> None:
        super().__init__(connection="slow", config=api.Config(), shop=None, remember=None)  # type: ignore[arg-type]
        self.address = address

    def client(self, connect: api.Connect) -> api.Http:
        return connect(base_url=self.address)


def test_a_connection_lives_in_the_time_of_its_run() -> None:
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    around = Surroundings(
        clock=lambda: NOON + timedelta(seconds=passed[0]), monotonic=lambda: passed[0], sleep=sleep, environ={}
    )
    connection = Slow(f"http://127.0.0.1:{server.server_port}")
    open_line(connection, around, used=0)
    try:
        for _ in range(3):
            connection.http.get("/")
    finally:
        close_line(connection)
        server.shutdown()
        server.server_close()
        thread.join()

    assert connection.clock() == NOON + timedelta(minutes=2)


def test_a_connection_that_nobody_lent_a_clock_has_the_real_time() -> None:
    before = datetime.now(UTC)

    assert before <= Slow("http://127.0.0.1:9").clock() <= datetime.now(UTC)
