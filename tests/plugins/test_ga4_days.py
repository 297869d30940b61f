"""Which days of the Analytics export are read, when, and what they replace."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub.testing import Notes, make_connection
from hub_ga4 import Ga4
from hub_ga4.days import Day, Found, bounds, by_day, changed, gaps, periods, table_of
from tests.catalog_shop import Shop
from tests.ga4_export import event, visits
from tests.ga4_shop import NOW, Analytics, at

ZONES = ("Europe/Copenhagen", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo", "Etc/UTC")


@pytest.fixture
def analytics(tmp_path: Path) -> Analytics:
    return Analytics(tmp_path)


# -- names


@pytest.mark.parametrize(
    ("name", "day", "kind"),
    [
        ("events_20261101.parquet", date(2026, 11, 1), "daily"),
        ("events_20261101", date(2026, 11, 1), "daily"),
        ("events_20261101_000000000003.json.gz", date(2026, 11, 1), "daily"),
        ("events_20261101-000.avro", date(2026, 11, 1), "daily"),
        ("analytics_123/events_20261101/000000000000", date(2026, 11, 1), "daily"),
        ("events_intraday_20261101.parquet", date(2026, 11, 1), "intraday"),
        ("events_fresh_20261101_0.parquet", date(2026, 11, 1), "fresh"),
        ("2026/EVENTS_20261101.PARQUET", date(2026, 11, 1), "daily"),
    ],
)
def test_a_name_tells_day_and_table(name: str, day: date, kind: str) -> None:
    assert table_of(name) == (day, kind)


@pytest.mark.parametrize(
    "name",
    ["events.parquet", "users_20261101.parquet", "pseudonymous_users_20261101", "events_202611011.parquet",
     "events_20261301.parquet", "myevents_20261101.parquet", "events_hourly_20261101.parquet"],
)  # fmt: skip
def test_another_name_tells_nothing(name: str) -> None:
    assert table_of(name) is None


@pytest.mark.parametrize(
    ("kinds", "counts"),
    [
        (("daily", "fresh", "intraday"), "daily"),
        (("fresh", "intraday"), "fresh"),
        (("intraday", "daily"), "daily"),
        (("intraday",), "intraday"),
    ],
)
def test_daily_comes_before_fresh_and_fresh_before_intraday(
    analytics: Analytics, kinds: tuple[str, ...], counts: str
) -> None:
    for kind in kinds:
        analytics.export.put(event(at("20"), kind), kind="" if kind == "daily" else f"{kind}_")

    assert analytics.read().column("name") == [counts]


def test_the_daily_table_takes_the_place_of_the_days_intraday_table(analytics: Analytics, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "catalog", (("web", "shop"),))
    analytics.export.put(event(at("20 08:00"), "early"), event(at("20 09:00"), "gone"), kind="intraday_")
    pull(analytics, shop)
    analytics.export.put(event(at("20 08:00"), "early"), event(at("20 23:00"), "next day"), day=date(2026, 11, 20))
    analytics.export.put(event(at("20 08:00"), "early"), event(at("20 21:00"), "late"))

    pull(analytics, shop)

    assert names(shop) == ["early", "late"]


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("ga4", ["above", "below"]),
        ("ga4/", ["above", "below"]),
        ("ga4/events_20261119.parquet", ["above"]),
        ("ga4/*.parquet", ["above", "below"]),
        ("ga4/**/events_*.parquet", ["above", "below"]),
        ("ga4/2026/*", ["below"]),
        ("ga4/events_2026112?*", []),
    ],
)
def test_a_path_is_a_folder_a_file_or_a_pattern(analytics: Analytics, path: str, read: list[str]) -> None:
    analytics.export.put(event(at("19"), "above"))
    analytics.export.write("2026/events_20261120/000000000000", [event(at("20"), "below")], "bare")
    (analytics.export.folder / "2026" / "events_20261120" / "000000000001.part").write_bytes(b"PAR1 half")

    if not read:
        with pytest.raises(api.SourceError, match="there is no file at all"):
            analytics.read(path=path)
        return
    expected = [name for name in read if not (name == "below" and path.endswith(".parquet"))]
    assert analytics.read(path=path).column("name") == expected


# -- what a day is


@given(day=st.dates(date(2020, 1, 1), date(2030, 1, 1)), zone=st.sampled_from(ZONES))
def test_a_day_is_the_propertys_own_and_days_leave_no_gap(day: date, zone: str) -> None:
    start, end = bounds(day, day, ZoneInfo(zone))

    assert start.astimezone(ZoneInfo(zone)).date() == day
    assert (end - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date() == day
    assert bounds(day + timedelta(days=1), day + timedelta(days=1), ZoneInfo(zone))[0] == end
    assert end - start in {timedelta(hours=hours) for hours in (23, 24, 25)}


@pytest.mark.parametrize("zone", ZONES)
def test_a_window_is_the_day_in_the_propertys_time_zone(analytics: Analytics, zone: str) -> None:
    analytics.export.timezone = zone
    midnight = datetime(2026, 11, 20, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    last = datetime(2026, 11, 21, tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(microseconds=1)
    analytics.export.put(event(midnight), event(last, "last"))

    read = analytics.read(timezone=zone)

    assert read.windows == [(midnight, last + timedelta(microseconds=1))]
    assert len(read.tables["events"]) == 2


def test_without_a_setting_the_time_zone_is_the_clients(analytics: Analytics) -> None:
    analytics.export.put(event(at("20")))

    assert analytics.read().windows == [(at("19 23:00"), at("20 23:00"))]


def test_days_in_the_wrong_time_zone_are_refused_with_what_to_set(analytics: Analytics) -> None:
    analytics.export.timezone = "America/Los_Angeles"
    analytics.export.put(*(event(at("20 08:00") + timedelta(minutes=9 * number)) for number in range(150)))

    with pytest.raises(api.SourceError, match="which is no day of Europe/Copenhagen") as caught:
        analytics.read()

    assert "events_20261120 lie between 2026-11-20 08:00 and 2026-11-21" in str(caught.value)
    assert "`timezone`" in str(caught.value.next_step)


@pytest.mark.parametrize(("stray", "of", "refused"), [(1, 2, False), (2, 200, False), (2, 199, True), (3, 300, False), (4, 300, True)])  # fmt: skip
def test_a_few_events_of_another_day_are_left_out_and_told(
    analytics: Analytics, stray: int, of: int, refused: bool
) -> None:
    strays = [event(at("21 12:00"), "stray", batch_event_index=number) for number in range(stray)]
    rows = [event(at("20 12:00"), batch_event_index=number) for number in range(of - stray)]
    analytics.export.put(*rows, *strays, day=date(2026, 11, 20))

    if refused:
        with pytest.raises(api.SourceError, match="no day of"):
            analytics.read()
        return
    read = analytics.read()
    assert set(read.column("name")) == {"page_view"}
    assert read.notes == [f"{stray} events lie outside the day of their table and were left out: events_20261120"]


# -- what is read again


def pull(analytics: Analytics, shop: Shop, pages: int | None = None, **settings: object) -> list[int]:
    """Do what a pull does with the events, up to a number of pages; return the rows of each page."""
    source = make_connection(Ga4, {**analytics.settings, **settings}, analytics.workspace, remember=Notes())
    counts: list[int] = []
    with shop.catalog.writer(NOW) as writer:
        read = source.read("events", writer.cursor("web", "events"), NOW)
        given = read if pages is None else (next(read) for _ in range(pages))
        writer.load("web", "shop", "events", source.streams["events"], given,
                    progress=lambda done, total: counts.append(done - sum(counts)))  # fmt: skip
    return counts


def names(shop: Shop) -> list[str]:
    return [row[0] for row in shop.ask("select name from events order by happened_at, name", NOW)]


def test_a_day_whose_file_was_written_again_is_replaced_however_old(analytics: Analytics, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "catalog", (("web", "shop"),))
    for day in range(1, 21):
        analytics.export.put(event(at(f"{day}"), f"day {day:02}"))
    pull(analytics, shop)
    analytics.export.put(event(at("2 08:00"), "day 02, corrected"))
    analytics.export.put(event(at("19 23:30"), "day 20, corrected"))

    counts = pull(analytics, shop)

    assert counts == [1, 1]
    assert names(shop) == sorted(
        "day 02, corrected" if day == 2 else "day 20, corrected" if day == 20 else f"day {day:02}"
        for day in range(1, 21)
    )


def test_new_days_are_added_and_unchanged_ones_cost_nothing(analytics: Analytics, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "catalog", (("web", "shop"),))
    for day in range(1, 8):
        analytics.export.put(event(at(f"{day}")))
    pull(analytics, shop)
    assert pull(analytics, shop) == []
    analytics.export.put(event(at("8")), event(at("9")))

    assert pull(analytics, shop) == [2]
    assert len(names(shop)) == 9


def test_the_last_days_are_replaced_when_they_were_extracted_again(analytics: Analytics, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "catalog", (("web", "shop"),))
    rows = {day: event(at(f"{day}"), f"day {day}") for day in range(10, 20)}
    analytics.export.put(*rows.values())
    pull(analytics, shop)
    for day in range(16, 21):  # Google adds late events for three days, and a new day has come
        analytics.export.put(event(at(f"{day}"), f"day {day}"), event(at(f"{day} 13:00"), f"late {day}"))

    counts = pull(analytics, shop)

    assert counts == [10]
    assert [name for name in names(shop) if name.startswith("late")] == [f"late {day}" for day in range(16, 21)]
    assert len(names(shop)) == 6 + 10


def test_a_file_of_the_same_size_is_read_again_when_it_is_newer(analytics: Analytics) -> None:
    (path,) = analytics.export.put(event(at("20"), "first"), form="lines")
    first = analytics.read()
    size = path.stat().st_size
    analytics.export.put(event(at("20"), "other"), form="lines")
    assert path.stat().st_size == size

    assert analytics.read(since=first.cursor).column("name") == ["other"]


def test_a_further_part_of_a_day_reads_the_whole_day_again(analytics: Analytics) -> None:
    analytics.export.put(event(at("20 08:00")), part="_000000000000")
    first = analytics.read()
    analytics.export.put(event(at("20 09:00")), part="_000000000001")

    assert len(analytics.read(since=first.cursor).tables["events"]) == 2


def test_a_day_that_is_no_longer_there_stays_in_the_catalog(analytics: Analytics, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "catalog", (("web", "shop"),))
    old = analytics.export.put(event(at("1"), "old"), event(at("20"), "new"))[0]
    pull(analytics, shop)
    old.unlink()
    analytics.export.put(event(at("21"), "newer"))

    pull(analytics, shop)

    assert names(shop) == ["old", "new", "newer"]


def test_another_time_zone_reads_every_day_again(analytics: Analytics) -> None:
    analytics.export.put(event(at("19")), event(at("20")))
    first = analytics.read()

    assert len(analytics.read(since=first.cursor, timezone="Europe/London").tables["events"]) == 2


def test_duplicates_in_a_day_and_across_files_are_stored_once(analytics: Analytics, tmp_path: Path) -> None:
    shop = Shop(tmp_path / "catalog", (("web", "shop"),))
    same = event(at("20"), "same")
    analytics.export.put(same, same, event(at("20"), "other"), part="_0")
    analytics.export.put(same, part="_1", form="lines")

    pull(analytics, shop)

    assert names(shop) == ["other", "same"]


# -- pages


def day_of(number: int, size: int = 10) -> Day:
    return Day(date(2026, 1, 1) + timedelta(days=number), "daily", (Found(f"{number}", size, 1),))


@given(
    st.sets(st.integers(0, 60)).map(sorted), st.integers(1, 50), st.integers(1, 9), st.randoms(use_true_random=False)
)
def test_periods_hold_every_day_once_in_order_without_a_gap_and_within_limits(
    numbers: list[int], most_bytes: int, most_days: int, random: object
) -> None:
    days = [day_of(number, 1 + number % 17) for number in numbers]

    found = list(periods(days, most_bytes, most_days))

    assert [day for period in found for day in period] == days
    for period in found:
        assert period[-1].day - period[0].day == timedelta(days=len(period) - 1)
        assert len(period) == 1 or (sum(day.size for day in period) <= most_bytes and len(period) <= most_days)
    for one, other in pairwise(found):
        follows = other[0].day - one[-1].day == timedelta(days=1)
        more = len(one) == most_days or sum(day.size for day in (*one, other[0])) > most_bytes
        assert more or not follows


def test_changed_days_are_those_whose_files_differ_in_name_size_or_time() -> None:
    files = [Found("events_20261101", 5, 7), Found("events_20261102", 5, 7)]
    days = by_day(files)
    seen = {day.isoformat(): each.mark for day, each in days.items()}

    for other in (Found("events_20261102", 6, 7), Found("events_20261102", 5, 8), Found("events_20261102_1", 5, 7)):
        assert [each.day.day for each in changed(by_day([files[0], other]), seen)] == [2]
    assert changed(days, seen) == []


def test_missing_days_are_found() -> None:
    days = [date(2026, 11, day) for day in (1, 2, 4, 8, 9)]

    assert list(gaps(days)) == [(date(2026, 11, 3), date(2026, 11, 3)), (date(2026, 11, 5), date(2026, 11, 7))]


def test_a_pull_that_ended_early_goes_on_with_the_days_that_are_left(analytics: Analytics, tmp_path: Path) -> None:
    rows = visits(7, date(2026, 11, 1), days=9, visitors=20)
    analytics.export.put(*(row for row in rows if analytics.export.day_of(row).day % 2))
    whole, parts = (Shop(tmp_path / name, (("web", "shop"),)) for name in ("whole", "parts"))

    days = pull(analytics, whole)
    for number in range(len(days)):
        assert pull(analytics, parts, pages=1) == [days[number]]

    assert pull(analytics, parts) == []
    everything = "select * exclude (loaded_at) from events order by event_id"
    assert (len(days), sum(days)) == (5, len(whole.ask(everything, NOW)))
    assert parts.ask(everything, NOW) == whole.ask(everything, NOW)


def test_the_number_of_rows_is_told_where_files_tell_it_for_nothing(analytics: Analytics) -> None:
    analytics.export.put(event(at("18")), event(at("20")), event(at("20 13:00")))
    assert analytics.read().totals == [3, 3]
    analytics.export.put(event(at("20")), part="_1", form="lines")

    assert analytics.read().totals == [None, None]


def test_nothing_is_left_in_the_cache_but_what_is_wanted(analytics: Analytics) -> None:
    analytics.export.put(event(at("20")), form="lines")
    cache = analytics.workspace / ".hub" / "cache"
    (cache / "reading-killed").mkdir(parents=True)
    (cache / "days" / "20250101-0123456789abcdef").mkdir(parents=True)

    analytics.read()

    assert [path.name for path in cache.iterdir()] == ["days"]
    assert [path.name[:9] for path in (cache / "days").iterdir()] == ["20261120-"]


# -- how far it reaches


def test_events_reach_from_the_first_day_until_the_last_event(analytics: Analytics) -> None:
    analytics.export.put(event(at("1")), event(at("20 09:00")), event(at("20 17:30")))
    source = analytics.source()

    for page in source.read("events", None, NOW):
        page.tables["events"].read_all()

    assert source.reach("events") == api.Reach(datetime(2026, 10, 31, 23, tzinfo=UTC), at("20 17:30"))


def test_carts_reach_no_farther_back_than_they_are_rebuilt(analytics: Analytics) -> None:
    analytics.export.put(event(at("1")), event(at("15")), event(at("20 17:30")))
    source = analytics.source(carts="5d")

    list(source.read("carts", None, NOW))

    assert source.reach("carts") == api.Reach(at("19 23:00"), at("20 17:30"))


def test_an_older_day_read_again_leaves_freshness_where_it_was(analytics: Analytics) -> None:
    analytics.export.put(event(at("1")), event(at("20 17:30")))
    first = analytics.read()
    analytics.export.put(event(at("1 13:00")))
    source = analytics.source()

    for page in source.read("events", first.cursor, NOW):
        page.tables["events"].read_all()

    assert source.reach("events").fresh_until == at("20 17:30")


# -- check


def test_check_tells_the_days_and_what_the_newest_holds(analytics: Analytics) -> None:
    analytics.export.put(
        event(at("16")),
        event(at("20"), user_id="c1", visitor="1.1"),
        event(at("20"), "purchase", visitor="2.2", ecommerce={"transaction_id": "1001"}),
        event(at("20"), "purchase", visitor="3.3", consent=(None, None)),
    )

    found = analytics.findings(system="shop")

    told = " / ".join(finding.text for finding in found)
    assert "2 days from 2026-11-16 to 2026-11-20" in told
    assert "events_20261120 has 3 events of Europe/Copenhagen's day" in told
    assert "1 of 3 events have no consent to analytics" in told
    assert "1 customers signed in (user_id)" in told
    assert "1 of 2 purchases name their order" in told
    assert [(each.code, each.count) for each in found if each.level is api.Level.WARNING] == [("missing-days", 3)]


def test_check_names_the_currencies_that_need_a_rate(analytics: Analytics) -> None:
    for number, currency in enumerate(("EUR", "eur", "DKK", "GBP", "EUR")):
        row = event(at("20"), "purchase", params={"value": 5, "currency": currency}, batch_event_index=number)
        analytics.export.put(row, part=f"_{number}")

    (found,) = [finding for finding in analytics.findings() if finding.code == "foreign-currencies"]

    assert "EUR (2 events), GBP (1 events), eur (1 events)" in found.text
    assert found.count == 4


def test_check_warns_where_nobody_can_be_known(analytics: Analytics) -> None:
    analytics.export.put(event(at("20"), "purchase"))

    warned = {each.code for each in analytics.findings() if each.level is api.Level.WARNING}

    assert warned == {"no-system", "no-transaction-ids", "nobody-known"}


def test_check_says_what_a_pull_would_refuse(analytics: Analytics) -> None:
    os.mkfifo(analytics.export.folder / "pipe")
    (analytics.export.folder / "events_20261120.csv").write_text("event_date,event_name\n20261120,x\n")

    with pytest.raises(api.SourceError, match="CSV"):
        analytics.findings()
