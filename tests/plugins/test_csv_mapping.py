"""Any other CSV file, through a mapping or a query."""

from __future__ import annotations

import csv
import gzip
import io
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub import api
from hub_csv.config import CsvConfig, FileMapping
from tests.csv_shop import NOW, CsvShop

TILL = {
    "path": "till/*.csv.gz",
    "table": "orders",
    "columns": {"order_id": "Invoice", "customer_id": "Customer", "email": "Mail", "placed_at": "When", "total": "Sum"},
    "constants": {"currency": "EUR", "status": "paid"},
    "date_format": "%d/%m/%Y %H:%M",
    "decimal": ",",
}


@pytest.fixture
def shop(tmp_path: Path) -> CsvShop:
    return CsvShop(tmp_path)


def test_the_mapping_of_the_design_is_read(shop: CsvShop) -> None:
    text = "Invoice;Customer;Mail;When;Sum\n1;7;a@x.dk;24/12/2025 10:00;1.234,50\n2;;;01/07/2025 10:00;5\n"
    shop.write("till/2025.csv.gz", gzip.compress(text.encode()))

    read = shop.mapped(TILL)

    assert [(row["order_id"], row["placed_at"], row["total"]) for row in read.tables["orders"]] == [
        ("1", datetime(2025, 12, 24, 9), Decimal("1234.50")),
        ("2", datetime(2025, 7, 1, 8), Decimal("5")),
    ]
    assert read.column("orders", "currency") == ["EUR", "EUR"]
    assert read.column("orders", "status") == ["paid", "paid"]
    assert read.column("orders", "email") == ["a@x.dk", None]


def mapping(**more: object) -> dict[str, object]:
    basis: dict[str, object] = {
        "path": "o.csv",
        "table": "orders",
        "columns": {"order_id": "id", "placed_at": "at", "total": "total"},
        "constants": {"status": "paid"},
    }
    return {**basis, **more}


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-01 10:00:00 +0100", datetime(2026, 1, 1, 9)),
        ("2026-01-01T10:00:00Z", datetime(2026, 1, 1, 10)),
        ("2026-01-01T10:00:00.5+02:00", datetime(2026, 1, 1, 8, 0, 0, 500_000)),
        ("2026-01-01 10:00:00 UTC", datetime(2026, 1, 1, 10)),
        ("2026-01-01 10:00", datetime(2026, 1, 1, 9)),
        ("2026-07-01", datetime(2026, 6, 30, 22)),
        ("2025-10-26 02:30:00", datetime(2025, 10, 26, 0, 30)),
        ("2025-10-26 03:00:00", datetime(2025, 10, 26, 2)),
        ("2025-03-30 02:30:00", datetime(2025, 3, 30, 1, 30)),
        ("2026-1-1 9:05:00", datetime(2026, 1, 1, 8, 5)),
        ("2026-01-01 10:00 PM", None),
        ("2026-02-30 10:00:00", None),
        ("2026-1-01  10:00:00", None),
        ("01/02/2026", None),
    ],
)
def test_times_become_utc_and_ambiguous_hours_are_the_earlier(shop: CsvShop, text: str, utc: datetime | None) -> None:
    shop.write("o.csv", f"id,at,total\n1,{text},5\n2,2026-01-01,5\n")

    read = shop.mapped(mapping())

    assert read.column("orders", "placed_at")[:-1] == ([utc] if utc else [])
    assert len(read.rejected) == (0 if utc else 1)


@settings(max_examples=15, deadline=None)
@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    times=st.lists(st.datetimes(datetime(1971, 1, 1), datetime(2059, 1, 1)), min_size=1, max_size=50),
)
def test_local_times_become_what_the_zone_database_says(zone: str, times: list[datetime]) -> None:
    times = [moment.replace(microsecond=0) for moment in times]
    with TemporaryDirectory() as folder:
        shop = CsvShop(Path(folder), timezone=zone)
        shop.write("o.csv", "id,at,total\n" + "".join(f"{n},{moment},5\n" for n, moment in enumerate(times)))

        read = shop.mapped(mapping())

    expected = [moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None) for moment in times]
    assert read.column("orders", "placed_at") == expected


@settings(max_examples=25, deadline=None)
@given(
    cells=st.lists(st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from("\n\",; "), max_size=12),
                   min_size=1, max_size=20),
    end=st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_whatever_a_csv_writer_wrote_comes_back(cells: list[str], end: str) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(["id", "title"])
    writer.writerows([number, cell] for number, cell in enumerate(cells))
    with TemporaryDirectory() as folder:
        shop = CsvShop(Path(folder))
        shop.write("p.csv", text.getvalue())

        read = shop.mapped({"path": "p.csv", "table": "products", "columns": {"product_id": "id", "title": "title"}})

    assert read.column("products", "title") == [cell.strip(" ") or None for cell in cells]
    assert read.rejected == []


def test_a_point_under_a_decimal_comma_is_rejected_not_multiplied(shop: CsvShop) -> None:
    shop.write("o.csv", "id;at;total\n1;2026-01-01;12,50\n2;2026-01-01;12.50\n3;2026-01-01;1.234,50\n")

    read = shop.mapped(mapping(decimal=","))

    assert read.column("orders", "total") == [Decimal("12.50"), Decimal("1234.50")]
    assert [reject.record for reject in read.rejected] == [2]


def test_truth_words_are_the_mappings(shop: CsvShop) -> None:
    shop.write("p.csv", "id,stock\n1,Ja\n2,nein\n3,\n4,perhaps\n")
    settings = {"path": "p.csv", "table": "products", "columns": {"product_id": "id", "in_stock": "stock"}}

    read = shop.mapped({**settings, "true": ["ja"], "false": ["nein"]})

    assert read.column("products", "in_stock") == [True, False, None]
    assert "yes or no (ja, nein)" in read.rejected[0].reason


def test_traits_and_customers_come_from_one_mapping(shop: CsvShop) -> None:
    shop.write("c.csv", "mail,size\nA@x.dk,42\nb@x.dk,\n")
    columns = {"path": "c.csv", "table": "customers", "columns": {"email": "mail"}, "traits": {"shoe_size": "size"}}

    read = shop.mapped(columns)

    assert read.column("customers", "customer_id") == ["a@x.dk", "b@x.dk"]
    assert [(r["subject"], r["name"], r["value"]) for r in read.tables["traits"]] == [("a@x.dk", "shoe_size", "42")]


def test_mapped_consents_are_dated_by_record_or_file(shop: CsvShop) -> None:
    shop.write(
        "k.csv", "mail,ok,when\na@x.dk,yes,2026-01-01 10:00\nb@x.dk,no,\nc@x.dk,,\nd@x.dk,unsubscribed,rubbish\n"
    )
    columns = {"subject": "mail", "status": "ok", "recorded_at": "when"}

    read = shop.mapped({"path": "k.csv", "table": "consents", "columns": columns, "constants": {"channel": "email"}})

    assert [
        (row["subject"], row["status"], row["basis"], row["recorded_at"], row["dated_by"])
        for row in read.tables["consents"]
    ] == [
        ("a@x.dk", "subscribed", "opt_in_single", datetime(2026, 1, 1, 9), "record"),
        ("b@x.dk", "never", None, NOW.replace(tzinfo=None), "file"),
    ]
    assert [(reject.record, reject.table) for reject in read.rejected] == [(4, "consents")]


def test_a_basis_that_a_column_leaves_empty_is_not_made_up(shop: CsvShop) -> None:
    shop.write("c.csv", "who,state,why\na@x.dk,subscribed,\nb@x.dk,subscribed,opt_in_double\n")
    columns = {"subject": "who", "status": "state"}
    given = {"path": "c.csv", "table": "consents", "constants": {"channel": "email"}}

    told = shop.mapped({**given, "columns": {**columns, "basis": "why"}})
    silent = shop.mapped({**given, "columns": columns})

    assert told.column("consents", "basis") == [None, "opt_in_double"]
    assert silent.column("consents", "basis") == ["opt_in_single"] * 2


def test_lines_without_a_number_are_numbered(shop: CsvShop) -> None:
    shop.write("l.csv", "order,what\n1,Shoe\n1,Sock\n")
    columns = {"order_id": "order", "title": "what"}

    read = shop.mapped({"path": "l.csv", "table": "order_lines", "columns": columns})

    assert read.column("order_lines", "line") == ["1", "2"]


def test_a_negative_total_is_a_refund_unless_the_file_gives_a_status(shop: CsvShop) -> None:
    shop.write("o.csv", "id,at,total,state\n1,2026-01-01,5,paid\n2,2026-01-01,-5,refunded\n")
    columns = {"order_id": "id", "placed_at": "at", "total": "total", "status": "state"}

    by_constant = shop.mapped(mapping())
    by_file = shop.mapped({"path": "o.csv", "table": "orders", "columns": columns})

    assert by_constant.column("orders", "order_id") == ["1"]
    assert "refund" in by_constant.rejected[0].reason
    assert by_file.column("orders", "status") == ["paid", "refunded"]


def test_an_order_paid_back_in_full_is_refunded_whatever_the_file_calls_it(shop: CsvShop) -> None:
    rows = ["1,5,5,paid", "2,5,4.99,paid", "3,5,6,pending", "4,5,,paid", "5,0,0,paid", "6,5,5,cancelled"]
    shop.write(
        "o.csv", "id,at,total,back,state\n" + "".join(row.replace(",", ",2026-01-01,", 1) + "\n" for row in rows)
    )
    columns = {"order_id": "id", "placed_at": "at", "total": "total", "refunded": "back"}

    by_constant = shop.mapped({"path": "o.csv", "table": "orders", "columns": columns, "constants": {"status": "paid"}})
    by_file = shop.mapped({"path": "o.csv", "table": "orders", "columns": {**columns, "status": "state"}})

    assert by_constant.column("orders", "status") == ["refunded", "paid", "refunded", "paid", "paid", "refunded"]
    assert by_file.column("orders", "status") == ["refunded", "paid", "refunded", "paid", "paid", "cancelled"]


def test_of_two_mapped_files_with_one_key_the_newer_wins_and_it_is_said_once(shop: CsvShop) -> None:
    shop.write("o/1.csv", "id,at,total\n1,2026-01-01,5\n2,2026-01-01,5\n")
    shop.write("o/2.csv", "id,at,total\n1,2026-01-01,9\n3,2026-01-01,9\n", made=NOW + timedelta(hours=1))

    read = shop.mapped(mapping(path="o/*.csv"))

    assert {row["order_id"]: row["total"] for row in read.tables["orders"]} == {"1": 9, "2": 5, "3": 9}
    assert read.notes == [
        "1 order stands in several files with different content (o/1.csv, o/2.csv); the newest file, o/2.csv, was taken"
    ]


def test_another_encoding_is_read_when_the_mapping_says_so(shop: CsvShop) -> None:
    shop.write("p.csv", "id,title\n1,Schlüssel €\n".encode("cp1252"))
    columns = {"path": "p.csv", "table": "products", "columns": {"product_id": "id", "title": "title"}}

    assert shop.mapped({**columns, "encoding": "cp1252"}).column("products", "title") == ["Schlüssel €"]


def test_a_query_reads_the_file_as_text(shop: CsvShop) -> None:
    shop.write("lines.csv", "no,when,sum\n1,2026-01-01 10:00,5\n1,2026-01-01 11:00,6\n2,2026-07-01 10:00,-3\n")
    query = "select no as order_id, min(strptime(\"when\", '%Y-%m-%d %H:%M')) as placed_at, sum(sum::int) as total from file group by 1"

    read = shop.mapped({"path": "lines.csv", "table": "orders", "constants": {"status": "paid"}, "query": query})

    assert [(row["order_id"], row["placed_at"], row["total"]) for row in read.tables["orders"]] == [
        ("1", datetime(2026, 1, 1, 9), 11)
    ]
    assert [reject.reason for reject in read.rejected] == ["a negative total: a refund document"]


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("select 1 as order_id; select 2", "not one select"),
        ("drop table file", "not one select"),
        ("copy file to 'x.csv'", "not one select"),
        ("select * from 'secret.csv'", "secret.csv"),
        ("select * from read_text('secret.csv')", "does not run"),
        ("select file.* from file, other", "other"),
        ("select nothing from file", "nothing"),
        ("select id as order_id, day as placed_at, total as totl from file", "closest is 'total'"),
        ("select id as order_id, day as placed_at from file", "gives no 'total'"),
    ],
)
def test_a_query_is_one_select_over_file_and_nothing_else(shop: CsvShop, query: str, says: str) -> None:
    shop.write("o.csv", "id,day,total\n1,2026-01-01,5\n")
    shop.write("secret.csv", "id\n1\n")

    with pytest.raises(api.SourceError, match=says) as failure:
        shop.mapped({"path": "o.csv", "table": "orders", "constants": {"status": "paid"}, "query": query})

    assert failure.value.next_step
    assert not (shop.workspace / "x.csv").exists()


def test_a_failing_query_does_not_show_what_the_file_holds(shop: CsvShop) -> None:
    shop.write("o.csv", "id,day,total\nann@example.com,2026-01-01,5\n")
    query = "select id::int as order_id, day as placed_at, total from file"

    with pytest.raises(api.SourceError) as failure:
        shop.mapped({"path": "o.csv", "table": "orders", "constants": {"status": "paid"}, "query": query})

    assert "ann@" not in str(failure.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"table": "oders"}, "closest is 'orders'"),
        ({"columns": {"ordr_id": "id"}}, "closest is 'order_id'"),
        ({"columns": {"order_id": "id"}}, "orders needs placed_at, total"),
        ({"constants": {"status": "paid", "total": 5}}, "in columns and in constants"),
        ({"traits": {"x": "y"}}, "traits go with"),
        ({"query": "select 1"}, "names its own columns"),
        ({"encoding": "utf-99"}, "no encoding"),
        ({"delimeter": ";"}, "Extra inputs"),
        ({"path": "till/**o.csv"}, r"has \*\* beside other letters; write till/\*\*/\*.csv"),
        ({"path": "/"}, "'/' is a folder; write a file or a pattern"),
        ({"path": "."}, "is a folder"),
        ({"date_format": "%Q"}, "'%Q' is no format of dates; write it like %d/%m/%Y"),
        ({"date_format": "%d/%m/%"}, "is no format of dates"),
        ({"date_format": ""}, "names no part of a date"),
        ({"date_format": "dd/mm/yyyy"}, "'dd/mm/yyyy' names no part of a date; write it like %d/%m/%Y"),
        ({"date_format": "100%%"}, "names no part of a date"),
    ],
)
def test_a_wrong_mapping_is_an_error_that_says_what_is_right(shop: CsvShop, more: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        shop.source({"files": [mapping(**more)]})


def test_a_source_without_folder_and_files_is_refused(shop: CsvShop) -> None:
    with pytest.raises(ValidationError, match="say what to read"):
        shop.source({"system": "till"})


@pytest.mark.parametrize("model", [CsvConfig, FileMapping])
def test_every_setting_is_described(model: type[api.Config]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_a_years_real_invoices_give_the_known_figures(shop: CsvShop) -> None:
    data = os.environ.get("HUB_DATA")
    if not data:
        pytest.skip("HUB_DATA is not set: no real file to try")
    query = (
        "select InvoiceNo as order_id, CustomerID as customer_id, "
        "min(strptime(InvoiceDate, '%Y-%m-%d %H:%M:%S')) as placed_at, "
        "sum(Quantity::int * UnitPrice::decimal(18,2)) as total "
        "from file where Quantity::int > 0 and UnitPrice::decimal(18,2) > 0 and CustomerID is not null group by 1, 2"
    )
    path = str(Path(data) / "online-retail" / "online_retail.csv.gz")

    read = shop.mapped(
        {"path": path, "table": "orders", "constants": {"currency": "GBP", "status": "paid"}, "query": query}
    )

    assert len(read.tables["orders"]) == 18_532
    assert len(set(read.column("orders", "customer_id"))) == 4_338
    assert round(sum(read.column("orders", "total")), 2) == Decimal("8911407.90")
    assert read.rejected == []
