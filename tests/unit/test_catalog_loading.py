"""Loading pages: what is read, refused, replaced and kept."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from hub.api import Gone, Merged, Page, Reject, Stream
from hub.catalog import Catalog, CatalogFailedError, CatalogSettings, Shrink
from hub.config.models import Guards
from hub.errors import BusyError, PluginError, SourceError
from tests.catalog_shop import KEY, NOW, Shop, a_shop, days, erasure, order


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10)),
        ("2026-01-01 10:00:00 +0100", datetime(2026, 1, 1, 9)),
        ("2026-01-01 10:00:00 -0500", datetime(2026, 1, 1, 15)),
        ("2026-01-01T10:00:00.25+05:30", datetime(2026, 1, 1, 4, 30, 0, 250_000)),
        ("2026-01-01 10:00:00 UTC", datetime(2026, 1, 1, 10)),
        ("2026-01-01 10:00", datetime(2026, 1, 1, 10)),
        ("2026-01-01", datetime(2026, 1, 1)),
        (datetime(2026, 1, 1, 10, tzinfo=UTC), datetime(2026, 1, 1, 10)),
        (datetime(2026, 1, 1, 10), datetime(2026, 1, 1, 10)),
    ],
)
def test_a_time_is_read_as_utc(shop: Shop, text: Any, instant: datetime) -> None:
    shop.load({"orders": [order("1", 1) | {"placed_at": text}]})

    assert shop.ask("select placed_at from orders") == [(instant,)]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("placed_at", "soon", "placed_at: 'soon' is no time"),
        ("placed_at", "infinity", "placed_at: 'infinity' is no time"),
        ("placed_at", "", "placed_at is missing"),
        ("total", "12,50", "total: '12,50' is no amount"),
        ("total", "  ", "total is missing"),
        ("status", "shipped", "status: 'shipped' is none of pending, paid, refunded, cancelled, failed"),
        ("status", None, "status is missing"),
        ("country", "Germany", "country: 'Germany' is no country (two letters, ISO 3166-1)"),
        ("test", "perhaps", "test: 'perhaps' is no yes or no"),
        ("order_id", "", "order_id is missing"),
        ("currency", "XXX", "currency XXX is not listed in [currencies]"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_reason(
    shop: Shop, column: str, value: Any, reason: str
) -> None:
    bad = order("2", 1) | {column: value, "_origin": "orders.csv", "_record": 7}

    report = shop.load({"orders": [order("1", 1), bad]})

    assert report.read == {"orders": 2}
    assert report.rejected == {"orders": 1}
    with shop.session() as session:
        (row,) = session.rejected()
    assert (row.source, row.table, row.origin, row.record, row.reason) == ("shop", "orders", "orders.csv", 7, reason)
    assert row.raw is not None
    assert '"total"' in row.raw
    assert shop.ask("select order_id from orders") == [("1",)]


def test_several_problems_of_a_row_are_all_named_whatever_is_in_its_values(shop: Shop) -> None:
    strange = "soon\x1e2\x1fnever"
    bad = order("", 1) | {"placed_at": strange, "total": "\x1f", "status": "sh\x1fipped"}

    shop.load({"orders": [order("1", 1), bad]})

    with shop.session() as session:
        (row,) = session.rejected()
    assert row.reason == (
        "order_id is missing; placed_at: 'soon 2\x1fnever' is no time; total: '\x1f' is no amount; "
        "status: 'sh\x1fipped' is none of pending, paid, refunded, cancelled, failed"
    )


def test_the_raw_row_that_a_source_gives_is_kept_as_it_was(shop: Shop) -> None:
    shop.load({"orders": [order("1", 1) | {"total": "x", "_raw": "1;x;\n"}]})

    with shop.session() as session:
        assert [row.raw for row in session.rejected(source="shop")] == ["1;x;\n"]
        assert session.rejected(source="other") == []


@pytest.mark.parametrize("kind", ["changes", "snapshot"])
def test_columns_that_later_pages_bring_are_kept_beside_those_before(shop: Shop, kind: str) -> None:
    tagged = {"customer_id": "2", "tags": "vip", "lifetime_spend": "12.50"}
    pages = [
        {"customers": [{"customer_id": "1", "first_name": "Ann"}], "orders": [order("1", 3, test="no")]},
        {"customers": [tagged], "orders": [order("2", 2, refunded="4", channel="web")]},
        {"customers": [{"customer_id": "3", "first_name": "Cy", "city": "Ribe"}], "orders": [order("3", 1)]},
    ]

    shop.load(*pages, kind=kind)

    assert shop.ask("select customer_id, first_name, tags, city, locale from customers order by 1") == [
        ("1", "Ann", None, None, None),
        ("2", None, ["vip"], None, None),
        ("3", "Cy", None, "Ribe", None),
    ]
    assert shop.ask("select order_id, test, refunded, net, channel, region from orders order by 1") == [
        ("1", False, None, Decimal(10), None, None),
        ("2", None, Decimal(4), Decimal(6), "web", None),
        ("3", None, None, Decimal(10), None, None),
    ]
    assert [shop.catalog.given("customers", name) for name in ("tags", "locale", "email")] == [
        [("shop", 3, 1)],
        [("shop", 3, 0)],
        [("shop", 3, 0)],
    ]


def test_columns_that_a_later_pull_brings_are_merged_with_those_of_another_source(tmp_path: Path) -> None:
    shop = Shop(tmp_path, (("till", "shop"), ("web", "shop")))
    shop.load({"orders": [order("1", 3)]}, source="till")
    shop.load({"orders": [order("1", 3, channel="web"), order("2", 2)]}, source="web")

    shop.load({"orders": [order("2", 2, region="CA", total=8)]}, source="till")

    assert shop.ask("select order_id, total, channel, region from orders order by 1") == [
        ("1", Decimal(10), "web", None),
        ("2", Decimal(8), None, "CA"),
    ]


def test_a_page_that_fails_leaves_no_column_behind_that_a_later_one_stumbles_over(shop: Shop) -> None:
    shop.load({"orders": [order("1", 1)]})
    bad = [order(str(number), 1, "x", channel="web") for number in range(2000)]
    with pytest.raises(SourceError):
        shop.load({"orders": bad})

    shop.load({"orders": [order("2", 1, channel="web")]})

    assert shop.ask("select order_id, channel from orders order by 1") == [("1", None), ("2", "web")]


def test_a_row_whose_address_cannot_be_read_is_rejected_with_file_and_record(shop: Shop) -> None:
    rows = [{"email": "a@b.dk"}, {"email": "no mail", "_origin": "people.csv", "_record": 2, "_raw": "no mail"}]

    report = shop.load({"customers": rows})

    assert report.rejected == {"customers": 1}
    with shop.session() as session:
        (row,) = session.rejected()
    assert (row.origin, row.record, row.raw) == ("people.csv", 2, "no mail")
    assert row.reason == "customer_id is missing: its address cannot be read"


def test_rows_the_source_itself_could_not_read_are_listed_with_the_others(shop: Shop) -> None:
    page = Page({"orders": [order("1", 1)]}, rejected=[Reject("orders", "a.csv", "too many columns", "1,2,3", 4)])

    report = shop.load(page)

    assert report.read == {"orders": 2}
    with shop.session() as session:
        assert [(row.reason, row.record) for row in session.rejected()] == [("too many columns", 4)]


def test_ids_money_booleans_dates_and_lists_are_read_in_every_spelling(shop: Shop) -> None:
    shop.load(
        {
            "customers": [
                {
                    "customer_id": "gid://shopify/Customer/7",
                    "tags": "a, b ,",
                    "birth_date": "1990-02-28",
                    "lifetime_orders": "3",
                },
                {"customer_id": "'8", "tags": ["x", ""], "first_name": "  O'Neil ", "lifetime_spend": 12.5},
                {"customer_id": 9, "first_name": " "},
            ],
            "products": pa.table(
                {"product_id": [1, 2], "in_stock": ["yes", "FALSE"], "price": [1, 2], "rating": ["4.5", None]}
            ),
        }
    )

    rows = shop.ask("select customer_id, tags, first_name, lifetime_orders, lifetime_spend from customers order by 1")
    assert rows == [
        ("7", ["a", "b"], None, 3, None),
        ("8", ["x"], "O'Neil", None, Decimal("12.50")),
        ("9", None, None, None, None),
    ]
    assert shop.ask("select product_id, in_stock, price, rating from products order by 1") == [
        ("1", True, Decimal("1.00"), 4.5),
        ("2", False, Decimal("2.00"), None),
    ]


def test_addresses_are_normalised_and_a_bad_one_costs_only_itself(shop: Shop) -> None:
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "  Ann@Example.COM ", "phone": "20 12 34 56"},
                {"customer_id": "2", "email": "bo@BÜCHER.example", "phone": "0049 30 901820", "country": "DE"},
                {"customer_id": "3", "email": "no address", "phone": "12"},
            ]
        }
    )

    assert shop.ask("select customer_id, email, phone from customers order by 1") == [
        ("1", "ann@example.com", "+4520123456"),
        ("2", "bo@xn--bcher-kva.example", "+4930901820"),
        ("3", None, None),
    ]


def test_a_record_without_its_id_is_keyed_by_email_else_phone_else_refused(shop: Shop) -> None:
    customers = [
        {"email": " Ä@x.example"},
        {"email": "bad", "phone": "+45 20 12 34 56"},
        {"email": "bad"},
        {"email": "B@x.example"},
    ]

    report = shop.load({"customers": customers})

    assert report.rejected == {"customers": 1}
    keys = shop.ask("select customer_id from customers order by 1")
    assert keys == [("+4520123456",), ("b@x.example",), ("ä@x.example",)]


def test_money_is_converted_and_an_order_keeps_its_own_total(tmp_path: Path) -> None:
    shop = Shop(tmp_path, currencies={"EUR": Decimal("7.46")})

    shop.load(
        {
            "orders": [
                order("1", 1, 10, currency="eur", refunded="1"),
                order("2", 1, 10, currency="DKK"),
                order("3", 1, 10),
            ],
            "order_lines": [{"order_id": n, "line": "1", "unit_price": "2"} for n in "123"],
        }
    )

    assert shop.ask("select order_id, total, net, original_total from orders order by 1") == [
        ("1", Decimal("74.60"), Decimal("67.14"), Decimal("10.00")),
        ("2", Decimal("10.00"), Decimal("10.00"), Decimal("10.00")),
        ("3", Decimal("10.00"), Decimal("10.00"), Decimal("10.00")),
    ]
    assert shop.ask("select order_id, unit_price from order_lines order by 1") == [
        ("1", Decimal("14.92")),
        ("2", Decimal("2.00")),
        ("3", Decimal("2.00")),
    ]


def test_the_value_of_an_event_is_converted(tmp_path: Path) -> None:
    shop = Shop(tmp_path, currencies={"EUR": Decimal("7.46")})
    event = {"name": "purchase", "happened_at": days(1), "value": "10"}

    shop.load(
        {"events": [event | {"event_id": "1", "currency": "EUR"}, event | {"event_id": "2"}]},
        {"events": [event | {"event_id": "3", "currency": "GBP"}]},
    )

    assert shop.ask("select event_id, value from events order by 1") == [
        ("1", Decimal("74.60")),
        ("2", Decimal("10.00")),
    ]
    with shop.session() as session:
        assert [row.reason for row in session.rejected()] == ["currency GBP is not listed in [currencies]"]


def test_a_changed_rate_reads_everything_again(tmp_path: Path) -> None:
    Shop(tmp_path, currencies={"EUR": Decimal(7)}).load(Page({"orders": [order("1", 1, currency="EUR")]}, cursor=1))

    shop = Shop(tmp_path, currencies={"EUR": Decimal(8)})

    assert shop.ask("select count(*) from orders") == [(0,)]
    with shop.catalog.writer(NOW) as writer:
        assert writer.cursor("shop", "all") is None


def test_a_change_replaces_the_row_and_its_children_and_the_last_row_of_a_page_wins(shop: Shop) -> None:
    shop.load(
        Page(
            {
                "orders": [order("1", 3, 1), order("2", 3, 1)],
                "order_lines": [_line("1", "a"), _line("1", "b"), _line("2", "a")],
            },
            cursor={"n": 1},
        )
    )

    shop.load(Page({"orders": [order("1", 2, 2), order("1", 1, 3)], "order_lines": [_line("1", "c")]}, cursor={"n": 2}))

    assert shop.ask("select order_id, total from orders order by 1") == [("1", Decimal(3)), ("2", Decimal(1))]
    assert shop.ask("select order_id, line from order_lines order by all") == [("1", "c"), ("2", "a")]
    with shop.catalog.writer(NOW) as writer:
        assert writer.cursor("shop", "all") == {"n": 2}


def test_a_page_and_its_cursor_are_stored_together_or_not_at_all(shop: Shop) -> None:
    good = Page({"orders": [order("1", 1)]}, cursor=1)
    bad = Page({"orders": [order(str(n), 1, **({"total": "x"} if n % 10 == 0 else {})) for n in range(1000)]}, cursor=2)

    with pytest.raises(SourceError, match="100 of 1000 rows of orders cannot be used") as caught:
        shop.load(good, bad)

    assert caught.value.next_step is not None
    with shop.catalog.writer(NOW) as writer:
        assert writer.cursor("shop", "all") == 1
        assert len(writer.rejected(limit=2000)) == 100
    assert shop.ask("select order_id from orders") == [("1",)]


def test_a_small_page_with_many_bad_rows_is_stored(shop: Shop) -> None:
    report = shop.load({"orders": [order("1", 1), order("2", 1, status="?")]})

    assert report.rejected == {"orders": 1}


def test_what_vanished_from_a_snapshot_goes(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": n} for n in "1234"]}, kind="snapshot")

    shop.load(
        {"customers": [{"customer_id": "1"}, {"customer_id": "2"}]},
        {"customers": [{"customer_id": "5"}]},
        kind="snapshot",
    )

    assert shop.ask("select customer_id from customers order by 1") == [("1",), ("2",), ("5",)]


def test_a_stream_without_a_page_changes_nothing(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1"}]}, kind="snapshot")

    report = shop.load(kind="snapshot")

    assert not report.changed
    assert shop.ask("select customer_id from customers") == [("1",)]


@pytest.mark.parametrize(("left", "held"), [(5, False), (4, True), (0, True)])
def test_a_snapshot_that_lost_more_than_max_shrink_waits(shop: Shop, left: int, held: bool) -> None:
    shop.load({"customers": [{"customer_id": str(n)} for n in range(10)]}, kind="snapshot")

    report = shop.load(Page({"customers": [{"customer_id": str(n)} for n in range(left)]}, cursor=2), kind="snapshot")

    assert report.shrunk == ([Shrink("customers", 10, left)] if held else [])
    assert shop.ask("select count(*) from customers") == [(10 if held else left,)]


def test_a_held_snapshot_is_reported_until_its_size_is_accepted(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": str(n)} for n in range(10)]}, kind="snapshot")
    shop.load({"customers": [{"customer_id": "1"}]}, kind="snapshot")

    again = shop.load(kind="snapshot")
    other = shop.load(kind="snapshot", accept_shrink={"customers": 4})
    accepted = shop.load(kind="snapshot", accept_shrink={"customers": 1})

    assert again.shrunk == other.shrunk == [Shrink("customers", 10, 1)]
    assert accepted.shrunk == []
    assert accepted.changed
    assert shop.ask("select customer_id from customers") == [("1",)]


def test_a_snapshot_that_fails_half_way_leaves_the_old_content(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1"}]}, kind="snapshot")

    def pages() -> Any:
        yield Page({"customers": [{"customer_id": "2"}]})
        raise SourceError("the export ends in the middle")

    with shop.catalog.writer(NOW) as writer, pytest.raises(SourceError, match="in the middle"):
        writer.load("shop", "shop", "all", Stream(("customers",), "snapshot"), pages())

    assert shop.ask("select customer_id from customers") == [("1",)]


def test_a_snapshot_with_too_many_bad_rows_is_not_stored_but_shows_them(shop: Shop) -> None:
    shop.load({"orders": [order("1", 1)]}, kind="snapshot")

    with pytest.raises(SourceError, match="1 of 2 rows of orders"):
        shop.load({"orders": [order("2", 1), order("3", 1, total="x")]}, kind="snapshot")

    assert shop.ask("select order_id from orders") == [("1",)]
    with shop.session() as session:
        assert [row.reason for row in session.rejected()] == ["total: 'x' is no amount"]


def test_max_rejected_may_be_raised(shop: Shop) -> None:
    shop.load({"orders": [order("2", 1), order("3", 1, total="x")]}, kind="snapshot", guards=Guards(max_rejected=0.5))

    assert shop.ask("select order_id from orders") == [("2",)]


def test_a_window_without_a_table_empties_its_period(shop: Shop) -> None:
    shop.load(_day(days(2), "a", "b"), kind="window")
    shop.load(_day(days(1), "c"), kind="window")

    shop.load(Page({}, window=_day(days(2)).window), kind="window")

    assert shop.ask("select event_id from events") == [("c",)]


def test_a_window_that_ends_before_it_begins_is_the_plugins_fault(shop: Shop) -> None:
    day = _day(days(2), "a")
    assert day.window is not None

    with pytest.raises(PluginError, match="ends before it begins"):
        shop.load(Page(day.tables, window=day.window[::-1]), kind="window")


def test_a_window_replaces_the_rows_of_its_period(shop: Shop) -> None:
    shop.load(_day(days(2), "a", "b"), kind="window")
    shop.load(_day(days(1), "c"), kind="window")

    shop.load(_day(days(2), "d"), kind="window")

    assert shop.ask("select event_id from events order by 1") == [("c",), ("d",)]


def test_gone_takes_the_row_and_its_children(shop: Shop) -> None:
    shop.load({"orders": [order("1", 1), order("2", 1)], "order_lines": [_line("1", "a"), _line("2", "a")]})

    shop.load(Page({}, gone=[Gone("orders", "gid://shopify/Order/1")]))

    assert shop.ask("select order_id from orders") == [("2",)]
    assert shop.ask("select order_id from order_lines") == [("2",)]


def test_a_customer_erased_by_the_shop_is_blocked_before_the_page_is_stored(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example", "phone": "+4520123456"}]})

    report = shop.load(Page({}, gone=[Gone("customers", "1", erased=True)]))

    assert report.erased == ["customer:shop:1", "email:a@x.example", "phone:+4520123456"]
    assert [(block.address, block.channel, block.reason) for block in shop.blocks] == [
        (address, "*", "erasure") for address in report.erased
    ]
    assert shop.ask("select count(*) from customers") == [(0,)]


def test_merged_customers_are_one_person(shop: Shop) -> None:
    shop.load(
        {"customers": [{"customer_id": "1", "email": "a@x.example"}, {"customer_id": "2", "email": "b@x.example"}]}
    )

    shop.load(Page({}, merged=[Merged("1", "2")]))
    shop.load({"orders": [order("9", 1, customer_id="1"), order("8", 1, email="b@x.example")]})

    assert shop.ask("select count(distinct person_id), count(person_id) from orders") == [(1, 2)]


def test_rows_of_an_undeclared_table_are_the_plugins_fault(shop: Shop) -> None:
    with shop.catalog.writer(NOW) as writer, pytest.raises(PluginError, match="gave rows of 'orders'"):
        writer.load("shop", "shop", "s", Stream(("customers",)), [Page({"orders": []})])


def test_arrow_readers_and_empty_tables_are_pages_too(shop: Shop) -> None:
    rows = pa.table({"customer_id": pa.array(["1", "2"]), "tags": pa.array([["a"], None])})

    shop.load({"customers": rows.to_reader(1)}, {"customers": rows.schema.empty_table()}, {"orders": []})

    assert shop.ask("select customer_id, tags from customers order by 1") == [("1", ["a"]), ("2", None)]
    with shop.session() as session:
        assert session.tables == {"customers", "orders"}


def test_a_source_that_left_the_file_leaves_the_catalog(tmp_path: Path) -> None:
    both = Shop(tmp_path, [("a", "a"), ("b", "b")])
    both.load({"customers": [{"customer_id": "1"}]}, source="a")
    both.load({"customers": [{"customer_id": "2"}]}, source="b")

    one = Shop(tmp_path, [("b", "b")])

    with one.catalog.writer(NOW):
        pass
    assert one.ask("select customer_id from customers") == [("2",)]


def test_a_page_that_repeats_what_is_known_is_no_rebuild_of_persons(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1"}]})

    with shop.catalog.writer(NOW) as writer:
        assert not writer.rebuild().rebuilt


def test_the_same_rows_in_one_page_or_in_many_are_the_same_catalog() -> None:
    rows = [order(str(n % 7), n, n, email=f"{n % 3}@x.example") for n in range(20)]
    answers = []
    for size in (1, 3, 20):
        with a_shop() as shop:
            shop.load(*({"orders": rows[start : start + size]} for start in range(0, 20, size)))
            answers.append(shop.ask("select order_id, total, person_id from orders order by 1"))

    assert answers[0] == answers[1] == answers[2]


def test_erased_people_come_back_only_with_a_later_time_of_their_own(shop: Shop) -> None:
    erased = erasure(["email:a@x.example", "customer:shop:7", "phone:+4520123456"], days(10))
    rows = {
        "customers": [{"customer_id": "7", "created_at": days(20)}, {"customer_id": "8", "email": "b@x.example"}],
        "orders": [
            order("1", 11, email="A@x.example"),
            order("2", 9, email="a@x.example"),
            order("3", 11, email="b@x.example"),
        ],
        "consents": [
            {
                "subject": "a@x.example",
                "channel": "email",
                "status": "subscribed",
                "recorded_at": days(1),
                "dated_by": "file",
            },
            {
                "subject": "a@x.example",
                "channel": "ads",
                "status": "subscribed",
                "recorded_at": days(1),
                "dated_by": "record",
            },
            {"subject": "7", "channel": "email", "status": "subscribed", "recorded_at": days(11), "dated_by": "record"},
        ],
        "carts": [{"cart_id": "1", "phone": "+4520123456", "created_at": days(12)}],
    }

    for kind in ("changes", "snapshot"):
        report = shop.load(rows, kind=kind, erasures=erased)
        assert report.dropped == 5

    assert shop.ask("select customer_id from customers") == [("8",)]
    assert shop.ask("select order_id from orders order by 1") == [("2",), ("3",)]
    assert shop.ask("select channel from consents") == [("ads",)]
    assert shop.ask("select cart_id from carts") == []


def test_whoever_holds_the_catalog_is_named(shop: Shop) -> None:
    with shop.catalog.writer(NOW), pytest.raises(BusyError, match="is held by this process"), shop.session():
        pass


def test_another_process_is_named_after_the_waiting(tmp_path: Path) -> None:
    path = tmp_path / "catalog.duckdb"
    script = f"import duckdb, sys; con = duckdb.connect({str(path)!r}); print('ready', flush=True); sys.stdin.read()"
    pauses: list[float] = []
    catalog = Catalog(tmp_path, CatalogSettings(), KEY, pause=pauses.append, clock=lambda: float(len(pauses)))
    with subprocess.Popen([sys.executable, "-c", script], stdin=PIPE, stdout=PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ready\n"

        with pytest.raises(BusyError, match=rf"is held by .*PID {holder.pid}"), catalog.session(NOW, NOW, wait=10):
            pass

        holder.communicate("")
    assert len(pauses) == 10


def test_a_file_that_is_no_catalog_is_not_taken_for_a_busy_one(shop: Shop) -> None:
    shop.catalog.path.write_bytes(b"not a database" * 1000)

    with pytest.raises(CatalogFailedError, match="is damaged"), shop.catalog.writer(NOW):
        pass


def test_a_session_can_reach_nothing_outside(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1"}]})

    with shop.session() as session:
        with pytest.raises(duckdb.Error):
            session.con.execute("select * from read_csv('/etc/passwd')")
        with pytest.raises(duckdb.Error):
            session.con.execute("create table merged.x as select 1")


def test_reach_is_remembered_per_source(shop: Shop) -> None:
    from hub.api import Reach

    with shop.catalog.writer(NOW) as writer:
        writer.set_reach("shop", {"orders": Reach(days(30), days(1))})

    with shop.session() as session:
        (reach,) = session.reach("orders")
    assert (reach.source, reach.start) == ("shop", days(30).replace(tzinfo=None))


def _line(order_id: str, line: str) -> dict[str, Any]:
    return {"order_id": order_id, "line": line, "product_type": "shoe"}


def _day(start: datetime, *ids: str) -> Page:
    rows = [{"event_id": n, "name": "view_item", "happened_at": start} for n in ids]
    return Page({"events": rows}, window=(start, start + timedelta(days=1)))
