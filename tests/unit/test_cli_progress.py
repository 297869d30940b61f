"""How far long work is, as it stands on a terminal and in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from hub.cli.progress import Bars, Lines


class Watch:
    """A time that the tests move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_log_gets_rows_rate_and_what_is_left_now_and_then() -> None:
    written, watch = io.StringIO(), Watch()
    lines = Lines(Console(file=written, width=120), watch)

    for second, done in enumerate((0, 20_000, 60_000, 70_000, 200_000)):
        watch.seconds = second * 10.0
        lines("shop: orders", done, 240_000)

    assert written.getvalue().splitlines() == [
        "shop: orders: 60,000 of 240,000 (3,000/s, 60 s left)",
        "shop: orders: 200,000 of 240,000 (5,000/s, 8 s left)",
    ]


def test_without_a_total_nothing_is_said_of_what_is_left() -> None:
    written, watch = io.StringIO(), Watch()
    lines = Lines(Console(file=written, width=120), watch)

    lines("shop: customers", 0, None)
    watch.seconds = 50.0
    lines("shop: customers", 100_000, None)

    assert written.getvalue() == "shop: customers: 100,000 (2,000/s)\n"


@pytest.mark.parametrize(
    ("seconds", "done", "told"),
    [(100, 100, "1/s, 15 min left"), (1_000, 10, "0.6/min, 27.5 h left"), (10, 90, "9/s, 101 s left"), (0, 50, "")],
)
def test_a_terminal_shows_the_pace_beside_the_bar(seconds: float, done: int, told: str) -> None:
    written, watch = io.StringIO(), Watch()
    bars = Bars(Console(file=written, width=160, force_terminal=True), watch)

    bars("shop: orders", 0, 1_000)
    watch.seconds = seconds
    bars("shop: orders", done, 1_000)
    bars.rest()

    shown = written.getvalue()
    assert f"{done}/1000" in shown
    assert told in shown
