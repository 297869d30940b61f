"""A stand-in over HTTP: it counts what it is asked, and has the faults that every vendor has."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from hub import api


class Counter(api.HttpStandIn):
    """Count up with every POST."""

    plugin = "counter"
    faults = (*api.HttpStandIn.faults, api.Fault("stuck", "Count no further.", {"at": "0 if empty"}))

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.last: api.Asked | None = None

    def answer(self, asked: api.Asked) -> api.Answer:
        self.last = asked
        stuck = self.wanted("stuck", "at", "0")
        if asked.path == "/page":
            return api.Answer(200, "<p>å</p>")
        if asked.method == "POST":
            self.count = self.count + 1 if stuck is None else int(stuck)
        return api.Answer(200, {"count": self.count}, {"X-Count": str(self.count)})

    def refuse(self, fault: str, retry_after: str | None) -> api.Answer:
        status = {"rate-limit": 429, "server-error": 500, "expired-token": 401, "forbidden": 403}[fault]
        return api.Answer(status, {"error": fault}, {"Retry-After": retry_after} if retry_after else {})

    def shown(self) -> Mapping[str, Any]:
        return {"count": self.count}


@pytest.fixture
def counter() -> Iterator[Counter]:
    made = Counter()
    made.start()
    yield made
    made.stop()


def ask(counter: Counter, method: str = "POST", path: str = "/count", body: bytes = b"") -> tuple[int, Any, Any]:
    """Ask over a connection of its own; status 0 where it hangs up."""
    line = http.client.HTTPConnection("127.0.0.1", urlsplit(counter.base).port or 0, timeout=10)
    try:
        line.request(method, path, body, {"X-Who": "me"})
        reply = line.getresponse()
        raw = reply.read()
        return reply.status, dict(reply.headers), raw
    except (http.client.RemoteDisconnected, ConnectionResetError):
        return 0, {}, b""
    finally:
        line.close()


def test_a_request_comes_as_it_was_sent(counter: Counter) -> None:
    status, headers, raw = ask(counter, path="/a%20b?x=1&y=", body=b"told")

    assert (status, headers["X-Count"], json.loads(raw)) == (200, "1", {"count": 1})
    assert counter.last is not None
    assert (counter.last.method, counter.last.path, counter.last.body) == ("POST", "/a b", b"told")
    assert (counter.last.query, counter.last.headers["x-who"]) == ({"x": "1", "y": ""}, "me")


def test_text_is_a_page(counter: Counter) -> None:
    _, headers, raw = ask(counter, "GET", "/page")

    assert (headers["Content-Type"], raw.decode()) == ("text/html; charset=utf-8", "<p>å</p>")


def test_the_state_counts_what_was_asked_served_refused_and_written(counter: Counter) -> None:
    counter.fault("server-error")
    for method in ("POST", "POST", "GET"):
        ask(counter, method)

    state = counter.state()
    assert {name: state[name] for name in ("served", "refused", "writes", "count")} == {
        "served": 2, "refused": 1, "writes": 2, "count": 1,
    }  # fmt: skip
    assert counter.requests == [("POST", "/count", 500), ("POST", "/count", 200), ("GET", "/count", 200)]


@pytest.mark.parametrize(
    ("fault", "status", "done"),
    [
        ("rate-limit", 429, 0),
        ("rate-limit-bare", 429, 0),
        ("server-error", 500, 0),
        ("drop-before", 0, 0),
        ("drop-after", 0, 1),
    ],
)
def test_a_fault_comes_once_and_the_work_is_done_or_not(counter: Counter, fault: str, status: int, done: int) -> None:
    counter.fault(fault)

    first = ask(counter)[0]

    assert (first, counter.count) == (status, done)
    assert ask(counter)[0] == 200


@pytest.mark.parametrize(("fault", "status"), [("expired-token", 401), ("forbidden", 403)])
def test_what_a_human_must_mend_lasts_until_healed(counter: Counter, fault: str, status: int) -> None:
    counter.fault(fault)
    assert [ask(counter)[0] for _ in range(2)] == [status, status]

    counter.heal()
    assert ask(counter)[0] == 200


def test_only_one_of_the_two_limits_says_when(counter: Counter) -> None:
    counter.fault("rate-limit", retry_after=17)
    assert ask(counter)[1]["Retry-After"] == "17"

    counter.fault("rate-limit-bare")
    assert "Retry-After" not in ask(counter)[1]


def test_a_fault_meets_every_nth_request_of_a_method_and_path(counter: Counter) -> None:
    counter.fault("server-error", every=2, times=2, path="/count", method="post")

    got = [ask(counter, method, path)[0] for path in ("/count", "/other") for method in ("POST", "GET") for _ in "1234"]

    assert got == [200, 500, 200, 500, *[200] * 12]


def test_an_answer_may_come_late(counter: Counter) -> None:
    counter.fault("slow", seconds=0.01)

    assert (ask(counter)[0], counter.state()["faults"]["slow"]) == (200, {"seconds": "0.01", "left": None})


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("nonsense", {}),
        ("slow", {"colour": "red"}),
        ("slow", {"seconds": "-1"}),
        ("slow", {"seconds": "long"}),
        ("rate-limit", {"every": "0"}),
        ("rate-limit", {"times": "-1"}),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(name: str, parameters: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Counter().fault(name, **parameters)


def test_a_fault_of_its_own_is_asked_for_like_the_others(counter: Counter) -> None:
    counter.fault("stuck", at=7)
    ask(counter)

    assert (counter.count, counter.wanted("stuck", "at", "0"), counter.wanted("slow", "seconds", "1")) == (7, "7", None)


def test_a_stand_in_that_does_not_serve_has_no_address_and_stopping_twice_is_harmless() -> None:
    made = Counter()
    address = made.start()
    made.stop()
    made.stop()

    assert address.startswith("http://127.0.0.1:")
    with pytest.raises(RuntimeError):
        _ = made.base
