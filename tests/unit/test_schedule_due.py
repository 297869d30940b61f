"""When a sync is due, also on the days the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.schedule import due, next_run

COPENHAGEN = ZoneInfo("Europe/Copenhagen")  # summer time 2026: from 29 March 01:00 to 25 October 01:00, UTC


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("0 9 * * *", "2026-01-10 07:59", "2026-01-10 08:00"),
        ("0 9 * * *", "2026-01-10 08:00", "2026-01-11 08:00"),
        ("0 9 * * *", "2026-07-10 00:00", "2026-07-10 07:00"),
        ("0 9 * * *", "2026-03-28 09:00", "2026-03-29 07:00"),
        ("30 2 * * *", "2026-03-28 12:00", "2026-03-29 01:00"),  # 02:30 does not exist: right after the gap
        ("30 2 * * *", "2026-10-24 12:00", "2026-10-25 00:30"),  # 02:30 comes twice: the first
        ("30 2 * * *", "2026-10-25 00:30", "2026-10-26 01:30"),  # and not the second
        ("30 2 * * *", "2026-10-25 01:10", "2026-10-26 01:30"),  # asked between the two
        ("*/30 * * * *", "2026-10-25 00:30", "2026-10-25 01:00"),  # follows real time
        ("0 0 1 * *", "2026-01-31 23:30", "2026-02-28 23:00"),
    ],
)
def test_the_next_run_is_in_the_clients_time_zone(schedule: str, after: str, expected: str) -> None:
    assert next_run(schedule, at(after), COPENHAGEN) == at(expected)


def test_a_sync_without_schedule_is_due_at_every_tick() -> None:
    assert due(None, at("2026-01-10 08:00"), at("2026-01-10 08:01"), COPENHAGEN)


def test_a_sync_that_never_ran_is_due() -> None:
    assert due("0 9 * * *", None, at("2026-01-10 03:00"), COPENHAGEN)


def test_a_sync_is_due_once_per_tick() -> None:
    ran = at("2026-01-10 08:00") + timedelta(seconds=3)

    assert not due("0 9 * * *", ran, at("2026-01-10 08:15"), COPENHAGEN)
    assert due("0 9 * * *", ran, at("2026-01-11 08:00"), COPENHAGEN)


def test_ticks_missed_while_the_machine_slept_are_made_up_by_one_run() -> None:
    woke = at("2026-01-20 15:00")

    assert due("0 9 * * *", at("2026-01-10 08:00"), woke, COPENHAGEN)
    assert not due("0 9 * * *", woke, woke + timedelta(minutes=15), COPENHAGEN)


SCHEDULES = st.sampled_from(["*/15 * * * *", "0 9 * * *", "30 2 * * *", "15 2,3 * * 0", "0 */6 * * *"])
MOMENTS = st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 10)).map(lambda moment: moment.replace(tzinfo=UTC))
ZONES = st.sampled_from(
    [COPENHAGEN, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]
)


@given(SCHEDULES, MOMENTS, ZONES)
def test_the_next_run_is_always_later_and_it_is_then_due(schedule: str, after: datetime, tz: ZoneInfo) -> None:
    following = next_run(schedule, after, tz)

    assert following > after
    assert due(schedule, after, following, tz)
    assert not due(schedule, after, following - timedelta(seconds=1), tz)


@given(SCHEDULES, MOMENTS, ZONES, st.timedeltas(timedelta(0), timedelta(days=3)))
def test_a_clock_that_goes_back_fires_nothing_twice(
    schedule: str, ran: datetime, tz: ZoneInfo, back: timedelta
) -> None:
    assert not due(schedule, ran, ran - back, tz)
