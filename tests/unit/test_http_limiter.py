from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub import api
from hub.http import Limiter, redactor


class Time:
    """Seconds that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def limiter(time: Time, rate: api.Rate | None, **more: Any) -> Limiter:
    return Limiter(rate, monotonic=time, sleep=time.sleep, **more)


@given(
    per_second=st.none() | st.sampled_from([0.2, 0.5, 1, 1.5, 3, 10]),
    per_minute=st.none() | st.sampled_from([1, 30, 100]),
    pauses=st.lists(st.floats(0, 2), max_size=40),
)
def test_no_window_ever_holds_more_than_the_rate(
    per_second: float | None, per_minute: float | None, pauses: list[float]
) -> None:
    time = Time()
    limit = limiter(time, api.Rate(per_second=per_second, per_minute=per_minute))
    taken: list[float] = []
    for pause in pauses:
        with limit.slot():
            taken.append(time.now)
        time.now += pause

    for rate, seconds in ((per_second, 1.0), (per_minute, 60.0)):
        if rate is None:
            continue
        count = max(1, int(rate))
        window = seconds * count / rate
        for early, late in zip(taken, taken[count:], strict=False):
            assert late - early >= window - 1e-6


def test_requests_below_the_rate_do_not_wait() -> None:
    time = Time()
    limit = limiter(time, api.Rate(per_second=3))

    for _ in range(3):
        with limit.slot():
            pass

    assert time.slept == []


def test_day_that_is_used_up_is_left_to_a_later_run() -> None:
    limit = limiter(Time(), api.Rate(per_day=5), used=4)
    with limit.slot():
        pass

    with pytest.raises(api.TransientError) as caught, limit.slot():
        pass

    assert caught.value.sent is False
    assert limit.used == 5


def test_pause_beyond_patience_is_refused_instead_of_waited() -> None:
    time = Time()
    limit = limiter(time, None, patience=10)
    limit.hold(60)

    with pytest.raises(api.TransientError) as caught, limit.slot():
        pass

    assert caught.value.retry_after == 60
    assert time.slept == []


def test_shorter_hold_does_not_cut_a_longer_one() -> None:
    time = Time()
    limit = limiter(time, None)
    limit.hold(9)
    limit.hold(3)

    with limit.slot():
        pass

    assert time.slept == [9]


def test_no_more_requests_are_under_way_than_are_allowed() -> None:
    limit = Limiter(api.Rate(concurrent=2))
    barrier = threading.Barrier(2)
    under_way, most = 0, 0
    turn = threading.Lock()

    def ask() -> None:
        nonlocal under_way, most
        with limit.slot():
            with turn:
                under_way += 1
                most = max(most, under_way)
            # Two must meet inside, a third could never.
            barrier.wait()
            with turn:
                under_way -= 1

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("key k3y-of-ours was refused", "key *** was refused"),
        ("Anna <anna.k+x@ex-ample.co.uk> is unknown", "Anna <<email>> is unknown"),
        ("?email=anna%40example.com&n=1", "?email=<email>&n=1"),
        ("call +45 12 34 56 78 now", "call <phone> now"),
        ("row 17 of 500", "row 17 of 500"),
        ("list a1b2c3d4-5678", "list a1b2c3d4-5678"),
    ],
)
def test_messages_show_no_secret_and_no_address(text: str, shown: str) -> None:
    assert redactor(["k3y-of-ours", "x"])(text) == shown


def test_the_address_of_a_machine_is_no_phone() -> None:
    text = "GET http://127.0.0.1:41921/lists of 32.12.34.56"
    assert redactor([])(text) == "GET http://127.0.0.1:41921/lists of <phone>"


def test_bearer_token_is_masked_without_its_scheme_too() -> None:
    assert redactor(["Bearer t0ken-of-ours"])("token t0ken-of-ours") == "token ***"


@pytest.mark.parametrize("per_second", [0.3, 0.7, 1.5, 3, 7.3, 10])
def test_no_request_comes_too_early_however_the_seconds_are_rounded(per_second: float) -> None:
    time, rate = Time(), api.Rate(per_second=per_second)
    limit, taken = limiter(time, rate, patience=1e9), []
    [(seconds, count)] = rate.windows()

    for _ in range(2_000):
        with limit.slot():
            taken.append(time.now)

    early = [now for before, now in zip(taken, taken[count:], strict=False) if now - before < seconds - 1e-9]
    assert early == []


@given(
    per_second=st.none() | st.sampled_from([0.2, 0.5, 1, 1.5, 3, 10]),
    per_minute=st.none() | st.sampled_from([1, 7.5, 30, 100, 150]),
    requests=st.integers(0, 700),
)
@example(per_second=1.5, per_minute=None, requests=632)
def test_a_rate_knows_how_long_requests_take(per_second: float | None, per_minute: float | None, requests: int) -> None:
    rate = api.Rate(per_second=per_second, per_minute=per_minute)
    time = Time()
    limit = limiter(time, rate, patience=1e9)
    for _ in range(requests):
        with limit.slot():
            pass

    reckoned = rate.seconds(requests)

    if per_second is None and per_minute is None:
        assert reckoned is None
    else:
        # Windows that do not fit into each other cost up to one of the shorter ones.
        assert reckoned == pytest.approx(time.now - 100.0, rel=0.02, abs=5.0)


@pytest.mark.parametrize(
    ("rate", "requests", "seconds"),
    [
        (api.Rate(concurrent=8), 1_000, None),
        (api.Rate(per_second=10, per_minute=150), 0, 0),
        (api.Rate(per_second=10, per_minute=150), 10, 0),
        (api.Rate(per_second=10, per_minute=150), 11, 1),
        (api.Rate(per_second=10, per_minute=150), 150, 14),
        (api.Rate(per_second=10, per_minute=150), 151, 60),
        (api.Rate(per_second=10, per_minute=150), 461, 3 * 60 + 1),
        (api.Rate(per_second=1, per_minute=600), 121, 120),
        (api.Rate(per_day=100), 100, 0),
        (api.Rate(per_day=100), 101, 86_400),
        (api.Rate(per_day=100, per_second=1), 250, 2 * 86_400 + 49),
    ],
)
def test_full_windows_are_waited_for_and_a_day_ends_a_run(rate: api.Rate, requests: int, seconds: float | None) -> None:
    assert rate.seconds(requests) == seconds
