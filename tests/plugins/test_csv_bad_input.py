"""What the CSV source does with files that are broken, in part or as a whole."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest

from hub import api
from tests.csv_shop import NOW, CsvShop

HEADER = "Name,Email,Financial Status,Created at,Currency,Total,Lineitem name,Lineitem quantity,Id"
GOOD = "#{n},a@x.dk,paid,2026-01-01 10:00:00 +0100,DKK,100.00,Shoe,1,{n}"
PRODUCTS = {"path": "p.csv", "table": "products", "columns": {"product_id": "id", "title": "name", "price": "price"}}


@pytest.fixture
def shop(tmp_path: Path) -> CsvShop:
    return CsvShop(tmp_path)


def failure_of(shop: CsvShop, stream: str = "orders", settings: dict[str, object] | None = None) -> api.SourceError:
    with pytest.raises(api.SourceError) as failure:
        shop.read(stream, settings)
    assert failure.value.next_step
    assert len(str(failure.value).splitlines()) == 1
    return failure.value


@pytest.mark.parametrize("blank", [",,,,,,,,", ",,", '"","",,,,,,,', " , ,,,,,,,\t", ",,,,,,,,,,,,"])
def test_lines_without_a_value_are_no_records(shop: CsvShop, blank: str) -> None:
    customers = "Customer ID,Email,Accepts Email Marketing,First Name,Last Name,Phone,Note,Tags,Total Spent"
    products = "id,name,price,a,b,c,d,e,f\n1,Shoe,5,,,,,,\n"
    broken = GOOD.format(n=9).replace("100.00", "much")
    shop.write("exports/o.csv", "\n".join((HEADER, GOOD.format(n=1), *[blank] * 50, broken, blank)) + "\n")
    shop.write("exports/c.csv", "\n".join((customers, "1,a@x.dk,yes,,,,,,", *[blank] * 50)) + "\n")
    shop.write("p.csv", products + f"{blank}\n" * 50)

    orders, people, mapped = shop.read("orders"), shop.read("customers"), shop.mapped(PRODUCTS)

    assert [(reject.table, reject.record) for reject in orders.rejected] == [("orders", 52)]
    assert orders.column("orders", "name") == ["#1"]
    assert (people.column("customers", "email"), people.rejected) == (["a@x.dk"], [])
    assert (mapped.column("products", "title"), mapped.rejected) == (["Shoe"], [])


def test_broken_records_are_rejected_one_by_one_with_number_reason_and_text(shop: CsvShop) -> None:
    records = [
        GOOD.format(n=1),
        "#2,a@x.dk,paid",
        '#3,"two\nlines",paid,2026-01-01 10:00:00 +0100,DKK,100.00,Shoe,1,3',
        "#4,a@x.dk,paid,2026-01-01 10:00:00 +0100,DKK,100.00,Shoe,1,4,5,6",
        "#5,a@x.dk,paid,yesterday,DKK,100.00,Shoe,1,5",
        "#6,a@x.dk,paid,2026-01-01 10:00:00 +0100,DKK,much,Shoe,1,6",
        "#7,a@x.dk,paid,2026-01-01 10:00:00 +0100,DKK,,Shoe,1,7",
        ",a@x.dk,paid,2026-01-01 10:00:00 +0100,DKK,5,Shoe,1,",
        "#9,a@x.dk,strange,2026-01-01 10:00:00 +0100,DKK,5,Shoe,1,9",
        "#10,a@x.dk,,,,,Sock,1,",
        GOOD.format(n=11),
        "#11,a@x.dk,,,,,Sock,few,",
        '#12,"a"b,paid,2026-01-01 10:00:00 +0100,DKK,5,Shoe,1,12',
        GOOD.format(n=13),
    ]
    shop.write("exports/o.csv", "\n".join((HEADER, *records)) + "\n")

    read = shop.read("orders")

    assert sorted(read.column("orders", "name")) == ["#1", "#11", "#13", "#3"]
    told = {reject.record or 0: reject for reject in read.rejected}
    assert sorted(told) == [2, 4, 5, 6, 7, 8, 9, 10, 12, 13]
    assert len(read.rejected) == len(told), [(r.record, r.reason, r.raw) for r in read.rejected]
    assert {reject.origin for reject in read.rejected} == {"exports/o.csv"}
    assert all(reject.raw == records[record - 1] for record, reject in told.items())
    assert told[2].reason == "3 fields where the header has 9"
    assert told[4].reason == "11 fields where the header has 9"
    assert told[5].reason == "'Created at' holds no time (YYYY-MM-DD HH:MM:SS)"
    assert told[6].reason == "'Total' holds no amount (decimal sign .)"
    assert told[7].reason == "no total: 'Total' is empty"
    assert told[8].reason.startswith("no order_id")
    assert told[9].reason.startswith("'Financial Status' is none of")
    assert told[10].reason.startswith("no order_id")
    assert told[12].reason == "'Lineitem quantity' holds no number (decimal sign .)"
    assert told[13].reason == "a quote that does not close its field"


def test_a_big_file_numbers_its_broken_records_right_by_a_second_look(shop: CsvShop) -> None:
    filler = "x" * 180
    lines = [f"{n},Shoe {filler},5.00" for n in range(1, 100_001)]
    lines[49_999] = "50000,short"
    lines[70_000] = f'70001,"{filler}\n{filler}",much'
    lines[99_999] = ",nameless,5.00"
    shop.write("p.csv", "\n".join(("id,name,price", *lines)))
    assert (shop.workspace / "p.csv").stat().st_size > 16 << 20

    read = shop.mapped(PRODUCTS)

    assert len(read.tables["products"]) == 99_997
    assert sorted((reject.record, reject.raw) for reject in read.rejected) == [
        (50_000, "50000,short"),
        (70_001, lines[70_000]),
        (100_000, ",nameless,5.00"),
    ]


@pytest.mark.parametrize("place", [0, 50, 100])
@pytest.mark.parametrize("note", ["x" * 3_000_000, '"' + "x, y\n" * 600_000 + '"'])
def test_a_record_that_is_too_long_is_rejected_alone(shop: CsvShop, note: str, place: int) -> None:
    records = [f"{n},a{n}@x.dk,yes,short" for n in range(100)]
    records.insert(place, f"900,long@x.dk,yes,{note}")
    shop.write("exports/c.csv", "\n".join(("Customer ID,Email,Accepts Email Marketing,Note", *records)) + "\n")

    read = shop.read("customers")

    assert len(read.tables["customers"]) == len(read.tables["consents"]) == 100
    assert [(reject.record, reject.reason) for reject in read.rejected] == [(place + 1, "longer than 2 MB")]


@pytest.mark.parametrize("note", ["x" * 200_000, '"' + "x, y\n" * 40_000 + '"'])
def test_a_long_note_in_the_first_record_is_read(shop: CsvShop, note: str) -> None:
    shop.write("exports/c.csv", f"Customer ID,Email,Accepts Email Marketing,Note\n1,a@x.dk,yes,{note}\n")

    read = shop.read("customers")

    assert read.column("customers", "email") == ["a@x.dk"]
    assert read.rejected == []


def test_a_query_rejects_a_record_that_is_too_long_alone(shop: CsvShop) -> None:
    shop.write("p.csv", f"id,name,price\n1,x,5\n2,{'x' * 3_000_000},5\n3,z,5\n")

    read = shop.mapped(
        {"path": "p.csv", "table": "products", "query": "select id as product_id, name as title from file"}
    )

    assert read.column("products", "product_id") == ["1", "3"]
    assert [reject.reason for reject in read.rejected] == ["longer than 2 MB"]


def test_a_rejected_order_takes_its_lines_with_it(shop: CsvShop) -> None:
    broken = GOOD.format(n=1).replace("100.00", "-5")
    shop.write("exports/o.csv", "\n".join((HEADER, broken, "#1,a@x.dk,,,,,Sock,1,", GOOD.format(n=2))))

    read = shop.read("orders")

    assert read.column("order_lines", "order_id") == ["2"]
    assert len(read.rejected) == 1


def test_a_quote_never_closed_counts_every_line_it_swallowed(shop: CsvShop) -> None:
    swallowed = [f'{n},"open,5' if n == 3 else f"{n},x,5" for n in range(1, 8)]
    shop.write("p.csv", "\n".join(("id,name,price", *swallowed)) + "\n")

    read = shop.mapped(PRODUCTS)

    assert read.column("products", "product_id") == ["1", "2"]
    assert [reject.raw for reject in read.rejected] == swallowed[2:]


def test_mixed_line_ends_are_read(shop: CsvShop) -> None:
    shop.write("p.csv", 'id,name,price\r\n1,x,5\n2,"y\r\nz",5\r\n')

    assert shop.mapped(PRODUCTS).column("products", "product_id") == ["1", "2"]


def test_an_empty_file_is_one_clear_error_for_every_stream(shop: CsvShop) -> None:
    shop.write("exports/o.csv", "")

    assert str(failure_of(shop)) == "exports/o.csv is empty"
    assert str(failure_of(shop, "customers")) == "exports/o.csv is empty"


def test_a_header_without_rows_is_one_clear_error(shop: CsvShop) -> None:
    shop.write("exports/o.csv", "\ufeff" + HEADER + "\r\n\r\n")

    assert str(failure_of(shop)) == "exports/o.csv has a header and no rows"


@pytest.mark.parametrize("rows", ['""\n', ",,\n,,\n", '"",""\r\n'])
def test_rows_of_empty_cells_are_no_rows(shop: CsvShop, rows: str) -> None:
    shop.write("exports/o.csv", f"{HEADER}\n{rows}")

    assert str(failure_of(shop)) == "exports/o.csv has a header and no rows"


def test_a_blank_first_line_is_no_open_quote(shop: CsvShop) -> None:
    shop.write("exports/o.csv", f"\n{HEADER}\n{GOOD.format(n=1)}\n")

    assert "quote" not in str(failure_of(shop))


@pytest.mark.parametrize("rows", [1, 5_000, 50_000])
def test_a_quote_never_closed_in_the_header_is_said(shop: CsvShop, rows: int) -> None:
    lines = (GOOD.format(n=n) for n in range(rows))
    shop.write("exports/o.csv", "\n".join((HEADER.replace("Email", '"Email'), *lines)))

    assert str(failure_of(shop)) == "exports/o.csv has a quote in its header that is never closed"


def test_a_missing_column_names_the_closest_header(shop: CsvShop) -> None:
    shop.write("exports/o.csv", HEADER.replace(",Total,", ",Totals,") + "\n" + GOOD.format(n=1))

    told = str(failure_of(shop))

    assert "exports/o.csv has no column 'Total', needed for a Shopify orders export" in told
    assert "the closest is 'Totals'" in told


def test_a_missing_mapped_column_names_the_closest_header(shop: CsvShop) -> None:
    shop.write("p.csv", "id,nme,price\n1,x,5\n")

    told = str(failure_of(shop, "products", {"files": [PRODUCTS]}))

    assert "no column 'name', needed for products.title" in told
    assert "the closest is 'nme'" in told


def test_another_delimiter_is_found_from_the_header(shop: CsvShop) -> None:
    shop.write("exports/o.csv", (HEADER + "\n" + GOOD.format(n=1)).replace(",", ";"))

    assert shop.read("orders").column("orders", "order_id") == ["1"]


def test_a_wrong_delimiter_in_the_settings_says_the_right_one(shop: CsvShop) -> None:
    shop.write("p.csv", "id;name;price\n1;x;5\n")

    failure = failure_of(shop, "products", {"files": [{**PRODUCTS, "delimiter": ","}]})

    assert "no column 'id'" in str(failure)
    assert "delimiter = ';'" in str(failure.next_step)


def test_records_with_another_delimiter_than_the_header_are_one_error(shop: CsvShop) -> None:
    shop.write("p.csv", "id,name,price\n1;x;5\n2;y;5\n")

    told = str(failure_of(shop, "products", {"files": [PRODUCTS]}))

    assert told == "no record of p.csv has the 3 fields of its header; record 1 has 1"


def test_a_wrong_encoding_names_the_line_and_the_setting(shop: CsvShop) -> None:
    shop.write("p.csv", "id,name,price\n1,x,5\n2,Schlüssel,5\n".encode("latin-1"))

    failure = failure_of(shop, "products", {"files": [PRODUCTS]})

    assert "p.csv is not UTF-8 text: line 3" in str(failure)
    assert 'encoding = "cp1252"' in str(failure.next_step)


def test_a_wrong_encoding_far_down_is_found_too(shop: CsvShop) -> None:
    text = "id,name,price\n" + "".join(f"{n},{'x' * 100},5\n" for n in range(20_000)) + "20000,Schlüssel,5\n"
    shop.write("p.csv", text.encode("latin-1"))

    assert "not UTF-8 text" in str(failure_of(shop, "products", {"files": [PRODUCTS]}))


def test_utf16_is_recognised(shop: CsvShop) -> None:
    shop.write("p.csv", "id,name,price\n1,x,5\n".encode("utf-16"))

    failure = failure_of(shop, "products", {"files": [PRODUCTS]})

    assert "utf-16" in str(failure.next_step)
    read = shop.mapped({**PRODUCTS, "encoding": "utf-16"})
    assert read.column("products", "product_id") == ["1"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_its_mark_is_recognised_too(shop: CsvShop, encoding: str) -> None:
    shop.write("p.csv", "id,name,price\n1,x,5\n".encode(encoding))

    assert "utf-16" in str(failure_of(shop, "products", {"files": [PRODUCTS]}).next_step)


def test_a_zero_byte_is_told_with_its_line(shop: CsvShop) -> None:
    shop.write("p.csv", "id,name,price\n1,x,5\n2,y\0,5\n")

    failure = failure_of(shop, "products", {"files": [PRODUCTS]})

    assert str(failure) == "p.csv holds a zero byte in line 3, which no text has"
    assert "utf-16" not in str(failure.next_step)


def test_a_packed_file_named_csv_is_told_as_what_it_is(shop: CsvShop) -> None:
    shop.write("p.csv", gzip.compress(b"id,name,price\n1,x,5\n"))

    failure = failure_of(shop, "products", {"files": [PRODUCTS]})

    assert str(failure) == "p.csv is packed with gzip, not CSV text"
    assert ".csv.gz" in str(failure.next_step)


@pytest.mark.parametrize("cut", [10, -20])
def test_a_cut_gzip_file_is_one_clear_error(shop: CsvShop, cut: int) -> None:
    text = "id,name,price\n" + "".join(f"{n},name {n * 7919},5\n" for n in range(200_000))
    shop.write("p.csv.gz", gzip.compress(text.encode())[:cut])

    failure_of(shop, "products", {"files": [{**PRODUCTS, "path": "p.csv.gz"}]})


def test_a_workbook_is_not_csv(shop: CsvShop) -> None:
    shop.write("p.csv", b"PK\x03\x04 and so on")

    assert "workbook" in str(failure_of(shop, "products", {"files": [PRODUCTS]}))


def test_a_broken_archive_is_one_clear_error(shop: CsvShop) -> None:
    shop.write("exports/o.zip", b"PK\x03\x04 and so on")

    assert "exports/o.zip is damaged" in str(failure_of(shop))


def test_a_missing_file_and_a_missing_folder_say_where_to_put_them(shop: CsvShop) -> None:
    assert str(failure_of(shop, "products", {"files": [PRODUCTS]})) == "no file matches p.csv"
    assert str(failure_of(shop)) == "there is no folder exports"


def test_a_path_that_the_system_refuses_is_one_clear_error(shop: CsvShop) -> None:
    path = "x" * 5000

    assert "cannot be looked up" in str(failure_of(shop, "products", {"files": [{**PRODUCTS, "path": path}]}))
    assert "cannot be looked up" in str(failure_of(shop, settings={"folder": path}))


def test_files_that_vanished_are_an_error_not_an_empty_shop(shop: CsvShop) -> None:
    path = shop.write("exports/o.csv", HEADER + "\n" + GOOD.format(n=1))
    cursor = shop.read("orders").cursor
    path.unlink()

    with pytest.raises(api.SourceError, match="there were files for orders and now there is none") as failure:
        shop.read("orders", since=cursor)

    assert failure.value.next_step


def test_an_unknown_file_among_known_ones_is_said_and_left_alone(shop: CsvShop) -> None:
    shop.write("exports/c.csv", "Customer ID,Email,Accepts Email Marketing\n1,a@x.dk,yes\n")
    shop.write("exports/weather.csv", "day,rain\nMonday,much\n")

    assert shop.read("customers").notes[0].startswith("exports/weather.csv was not read")


CUSTOMERS = "Customer ID,Email,Accepts Email Marketing\n1,a@x.dk,yes\n"


@pytest.mark.parametrize("name", ["orders.gz", "orders.tsv", "Orders.TXT", "orders.xlsx"])
def test_a_file_in_the_folder_that_may_be_an_export_and_is_not_read_is_said(shop: CsvShop, name: str) -> None:
    shop.write("exports/c.csv", CUSTOMERS)
    shop.write(f"exports/{name}", "anything")

    (note,) = shop.read("customers").notes

    assert note.startswith(f"exports/{name} was not read: its name does not end in .csv, .csv.gz, .zip")
    assert [each.text for each in shop.source().check() if each.code == "unknown-file"] == [note]


def test_files_that_are_not_read_are_said_whatever_the_others_are(shop: CsvShop) -> None:
    shop.write("exports/orders.tsv", "anything")
    alone = [shop.read(stream).notes for stream in ("customers", "orders")]
    shop.write("exports/o.csv", f"{HEADER}\n{GOOD.format(n=1)}\n")
    beside_orders = [shop.read(stream).notes for stream in ("customers", "orders")]

    assert [len(notes) for notes in alone] == [1, 0]
    assert [len(notes) for notes in beside_orders] == [0, 1]


def test_a_file_that_is_not_read_is_said_when_it_comes_and_not_again(shop: CsvShop) -> None:
    shop.write("exports/c.csv", CUSTOMERS)
    before = shop.read("customers")
    shop.write("exports/orders.tsv", "anything")

    comes = shop.read("customers", since=before.cursor)
    again = shop.read("customers", since=comes.cursor)

    assert len(comes.notes) == 1
    assert again.pages == 0


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_not_read_of_a_zip_file_is_said(shop: CsvShop) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("c.csv", CUSTOMERS)
        archive.writestr("c.csv", CUSTOMERS.replace("a@x.dk", "b@x.dk"))
        archive.writestr("orders.csv.gz", gzip.compress(HEADER.encode()))
        archive.writestr("logo.png", b"")
    shop.write("exports/all.zip", packed.getvalue())

    read = shop.read("customers")

    assert read.column("customers", "email") == ["b@x.dk"]
    assert read.notes == [
        "exports/all.zip/c.csv was not read: the ZIP file holds a later file of the same name; rename one of them",
        "exports/all.zip/orders.csv.gz was not read: of a ZIP file only .csv files are; take it out of there",
    ]


def test_a_folder_with_nothing_known_is_an_error(shop: CsvShop) -> None:
    shop.write("exports/weather.csv", "day,rain\nMonday,much\n")

    assert "no file in exports has the headers" in str(failure_of(shop))


def test_check_shows_the_error_with_its_next_step_instead_of_raising(shop: CsvShop) -> None:
    shop.write("exports/o.csv", HEADER + "\n")

    findings = list(shop.source().check())

    assert {finding.level for finding in findings} == {api.Level.ERROR}
    assert all(finding.next_step for finding in findings)


def test_no_message_holds_an_address(shop: CsvShop) -> None:
    records = (GOOD.format(n=1), "#2,b@x.dk,a@x.dk,a@x.dk,DKK,a@x.dk,Shoe,1,2")
    shop.write("exports/o.csv", "\n".join((HEADER, *records)))

    read = shop.read("orders")

    assert [reject for reject in read.rejected if "@" in reject.reason] == []
    assert len(read.rejected) == 1


def test_a_read_that_is_given_up_leaves_no_file_behind(shop: CsvShop) -> None:
    shop.write("exports/o.csv", HEADER + "\n" + GOOD.format(n=1), made=NOW - timedelta(days=1))

    pages = shop.source().read("orders", None, NOW)
    next(pages)
    pages.close()  # type: ignore[attr-defined] # a generator

    assert list((shop.workspace / ".hub" / "cache").iterdir()) == []
