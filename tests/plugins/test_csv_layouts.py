"""The exports that the CSV source knows by their headers."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.csv_shop import NOW, CsvShop

CURRENT = (
    "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
    "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
    "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags,"
    "Accepts WhatsApp Marketing"
)
OLDER = (
    "First Name,Last Name,Email,Accepts Email Marketing,Company,Address1,Address2,City,Province,Province Code,Country,"
    "Country Code,Zip,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Tags,Note,Tax Exempt"
)
OLDEST = (
    "First Name,Last Name,Email,Company,Address1,Address2,City,Province,Province Code,Country,Country Code,Zip,Phone,"
    "Accepts Marketing,Total Spent,Total Orders,Tags,Note,Tax Exempt"
)
ORDERS = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    "Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,"
    "Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,Billing City,Billing Zip,"
    "Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,Shipping Address1,Shipping Address2,"
    "Shipping Company,Shipping City,Shipping Zip,Shipping Province,Shipping Country,Shipping Phone,Notes,Note Attributes,"
    "Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Outstanding Balance,Employee,Location,Device ID,"
    "Id,Tags,Risk Level,Source,Lineitem discount,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Tax 3 Name,Tax 3 Value,"
    "Tax 4 Name,Tax 4 Value,Tax 5 Name,Tax 5 Value,Phone,Receipt Number,Duties,Billing Province Name,"
    "Shipping Province Name,Payment ID,Payment Terms Name,Next Payment Due At,Payment References"
)


@pytest.fixture
def shop(tmp_path: Path) -> CsvShop:
    return CsvShop(tmp_path)


def line(header: str, **values: str) -> str:
    """Write a record of a header; keys are headers with ``_`` for blanks."""
    wanted = {name.replace("_", " ").lower(): value for name, value in values.items()}
    cells = [wanted.pop(name.lower(), "") for name in header.split(",")]
    assert not wanted, wanted
    return ",".join(f'"{cell}"' if set(cell) & {",", "\n", "\r"} else cell for cell in cells)


def file_of(header: str, *lines: str, end: str = "\r\n") -> str:
    return end.join((header, *lines)) + end


def order(name: str = "#1001", **values: str) -> str:
    first = {
        "financial_status": "paid",
        "currency": "DKK",
        "total": "100.00",
        "created_at": "2026-01-01 10:00:00 +0100",
        "email": "ann@example.com",
    }
    return line(ORDERS, name=name, **{**first, **values})


def test_current_customers_export_becomes_customers_and_consents(shop: CsvShop) -> None:
    record = line(
        CURRENT, customer_id="'7000000012345", first_name="Ann", last_name="O'Neil", email=" Ann@Example.com ",
        accepts_email_marketing="yes", default_address_city="Aarhus", default_address_country_code="DK",
        default_address_zip="'08000", phone="'+4512345678", accepts_sms_marketing="no", total_spent="100.50",
        total_orders="2", note="two\r\nlines", tags="vip, new", accepts_whatsapp_marketing="yes",
    )  # fmt: skip
    shop.write("exports/anything.csv", "\ufeff" + file_of(CURRENT, record))

    read = shop.read("customers")

    (customer,) = read.tables["customers"]
    assert customer["customer_id"] == "7000000012345"
    assert (customer["first_name"], customer["last_name"]) == ("Ann", "O'Neil")
    assert (customer["email"], customer["phone"]) == ("Ann@Example.com", "+4512345678")
    assert (customer["postcode"], customer["city"], customer["country"]) == ("08000", "Aarhus", "DK")
    assert (customer["tags"], customer["lifetime_orders"]) == (["vip", "new"], 2)
    assert customer["lifetime_spend"] == Decimal("100.50")
    assert {(row["channel"], row["subject"], row["status"], row["basis"]) for row in read.tables["consents"]} == {
        ("email", "ann@example.com", "subscribed", "opt_in_single"),
        ("sms", "+4512345678", "never", None),
        ("whatsapp", "+4512345678", "subscribed", "opt_in_single"),
    }
    assert {(row["recorded_at"], row["dated_by"]) for row in read.tables["consents"]} == {
        (NOW.replace(tzinfo=None), "file")
    }
    assert read.rejected == []


@pytest.mark.parametrize(("header", "tick"), [(OLDER, "accepts_email_marketing"), (OLDEST, "accepts_marketing")])
def test_older_customers_exports_are_keyed_by_email_then_phone(shop: CsvShop, header: str, tick: str) -> None:
    by_email = line(header, email="Bo@Example.com", country_code="de", province_code="BY", **{tick: "yes"})
    by_phone = line(header, phone="'+4511111111", **{tick: ""})
    shop.write("exports/c.csv", file_of(header, by_email, by_phone, end="\n"))

    read = shop.read("customers")

    assert read.column("customers", "customer_id") == ["bo@example.com", "+4511111111"]
    assert read.column("customers", "country") == ["DE", None]
    assert read.column("consents", "subject") == ["bo@example.com"]


@pytest.mark.parametrize(
    ("tick", "status"), [("yes", "subscribed"), ("YES", "subscribed"), ("no", "never"), ("", None)]
)
def test_the_marketing_column_says_yes_no_or_nothing(shop: CsvShop, tick: str, status: str | None) -> None:
    shop.write("exports/c.csv", file_of(CURRENT, line(CURRENT, email="a@x.dk", accepts_email_marketing=tick)))

    read = shop.read("customers")

    assert [row["status"] for row in read.tables["consents"]] == ([status] if status else [])


def test_consents_take_the_consent_date_of_the_settings_in_the_shops_zone(shop: CsvShop) -> None:
    shop.write("exports/c.csv", file_of(CURRENT, line(CURRENT, email="a@x.dk", accepts_email_marketing="yes")))

    read = shop.read("customers", {"folder": "exports", "consent_date": "2026-03-01"})

    assert read.column("consents", "recorded_at") == [datetime(2026, 2, 28, 23)]


def test_metafields_and_unknown_columns_become_traits(shop: CsvShop) -> None:
    header = CURRENT + ",Ads ok (customer.metafields.custom.ads_ok),Shoe size"
    record = line(CURRENT, customer_id="7", email="a@x.dk")
    shop.write("exports/c.csv", file_of(header, record + ",true,42", record.replace("7,", "8,", 1) + ",,"))

    read = shop.read("customers")

    assert {(row["subject"], row["name"], row["value"]) for row in read.tables["traits"]} == {
        ("7", "custom.ads_ok", "true"),
        ("7", "Shoe size", "42"),
    }


def test_an_export_without_any_marketing_column_reports_no_consents(shop: CsvShop) -> None:
    shop.write("exports/c.csv", "Customer ID,Email,Total Spent\n1,a@x.dk,5\n")

    assert "consents" not in shop.read("customers").tables


def test_an_order_is_read_from_its_first_row_and_its_lines_are_numbered(shop: CsvShop) -> None:
    first = order(
        id="'9001", refunded_amount="10.00", discount_code="A,B", discount_amount="5.00", lineitem_name="Shoe",
        lineitem_quantity="1", lineitem_price="80.00", lineitem_sku="S1", lineitem_discount="2.00", vendor="Acme",
        shipping_country="DK", source="web",
    )  # fmt: skip
    second = line(
        ORDERS,
        name="#1001",
        email="ann@example.com",
        lineitem_name="Tip",
        lineitem_quantity="1",
        lineitem_price="20.00",
    )
    assert len(ORDERS.split(",")) == 79
    shop.write("exports/o.csv", file_of(ORDERS, first, second, order("#1002", lineitem_name="Sock")))

    read = shop.read("orders")

    found = {row["order_id"]: row for row in read.tables["orders"]}
    assert set(found) == {"9001", "#1002"}
    assert found["9001"]["name"] == "#1001"
    assert found["9001"]["placed_at"] == datetime(2026, 1, 1, 9)
    assert found["9001"]["total"] - found["9001"]["refunded"] == 90
    assert found["9001"]["discount_codes"] == ["A", "B"]
    assert (found["9001"]["status"], found["9001"]["channel"], found["9001"]["country"]) == ("paid", "web", "DK")
    lines = sorted((row["order_id"], row["line"], row["title"], row["sku"]) for row in read.tables["order_lines"])
    assert lines == [("#1002", "1", "Sock", None), ("9001", "1", "Shoe", "S1"), ("9001", "2", "Tip", None)]


@pytest.mark.parametrize(
    ("financial", "cancelled", "status"),
    [
        ("pending", "", "pending"),
        ("authorized", "", "pending"),
        ("paid", "", "paid"),
        ("partially_paid", "", "paid"),
        ("partially_refunded", "", "paid"),
        ("refunded", "", "refunded"),
        ("voided", "", "failed"),
        ("expired", "", "failed"),
        ("paid", "2026-01-02 10:00:00 +0100", "cancelled"),
        ("refunded", "2026-01-02 10:00:00 +0100", "cancelled"),
    ],
)
def test_financial_statuses_become_hubs_own(shop: CsvShop, financial: str, cancelled: str, status: str) -> None:
    shop.write("exports/o.csv", file_of(ORDERS, order(financial_status=financial, cancelled_at=cancelled)))

    assert shop.read("orders").column("orders", "status") == [status]


def test_an_old_orders_export_without_ids_and_lines_is_keyed_by_name(shop: CsvShop) -> None:
    header = "Name,Email,Financial Status,Created at,Currency,Total"
    shop.write("exports/o.csv", f"{header}\nEU-1,a@x.dk,paid,2026-01-01 10:00:00 +0000,eur,5\nEU-1,a@x.dk,,,,\n")

    read = shop.read("orders")

    assert [(row["order_id"], row["currency"]) for row in read.tables["orders"]] == [("EU-1", "EUR")]
    assert read.rejected == []


def test_several_parts_are_one_stream_even_when_an_order_is_split_between_them(shop: CsvShop) -> None:
    one = file_of(ORDERS, order(lineitem_name="Shoe"))
    two = file_of(ORDERS, line(ORDERS, name="#1001", lineitem_name="Sock"), order("#1002", lineitem_name="Hat"))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as parts:
        parts.writestr("orders_export_1.csv", one)
        parts.writestr("orders_export_2.csv", two)
        parts.writestr("__MACOSX/._orders_export_1.csv", "junk")
    shop.write("exports/orders.zip", archive.getvalue())

    read = shop.read("orders")

    assert sorted(read.column("orders", "order_id")) == ["#1001", "#1002"]
    lines = sorted((row["order_id"], row["line"], row["title"]) for row in read.tables["order_lines"])
    assert lines == [("#1001", "1", "Shoe"), ("#1001", "2", "Sock"), ("#1002", "1", "Hat")]
    assert read.notes == []
    assert list((shop.workspace / ".hub" / "cache").iterdir()) == []


def test_gzip_is_read_as_it_is(shop: CsvShop) -> None:
    shop.write("exports/o.csv.gz", gzip.compress(file_of(ORDERS, order()).encode()))

    assert shop.read("orders").column("orders", "order_id") == ["#1001"]


def test_exports_of_several_layouts_keep_the_columns_of_each(shop: CsvShop) -> None:
    old = "Name,Email,Financial Status,Created at,Currency,Total"
    made = "2026-01-01 10:00:00 +0100"
    shop.write("exports/1.csv", f"{old}\n#1,a@x.dk,paid,{made},DKK,5\n", made=NOW - timedelta(days=2))
    shop.write(
        "exports/2.csv",
        f"{old},Lineitem name\n#2,a@x.dk,paid,{made},DKK,5,Shoe\n#1,a@x.dk,paid,{made},DKK,6,Hat\n",
        made=NOW - timedelta(days=1),
    )
    shop.write("exports/3.csv", file_of(ORDERS, order("#3", refunded_amount="4.00", lineitem_name="Sock")))

    read = shop.read("orders")

    found = {row["order_id"]: (row["total"], row["refunded"]) for row in read.tables["orders"]}
    assert found == {"#1": (6, None), "#2": (5, None), "#3": (100, 4)}
    assert sorted(read.column("order_lines", "title")) == ["Hat", "Shoe", "Sock"]


def test_of_two_exports_with_the_same_order_the_newer_wins_and_it_is_said_once(shop: CsvShop) -> None:
    older = file_of(ORDERS, order(total="100.00", lineitem_name="Old"), order("#1002", lineitem_name="Same"))
    newer = file_of(ORDERS, order(total="70.00", lineitem_name="New"), order("#1002", lineitem_name="Same"))
    shop.write("exports/a-newer.csv", newer)
    shop.write("exports/b-older.csv", older, made=NOW - timedelta(days=1))

    read = shop.read("orders")

    assert {row["order_id"]: row["total"] for row in read.tables["orders"]} == {"#1001": 70, "#1002": 100}
    assert sorted(read.column("order_lines", "title")) == ["New", "Same"]
    assert len(read.notes) == 1
    assert read.notes[0].startswith("1 of the orders")


def test_of_two_exports_with_the_same_customer_the_newer_wins_with_its_consent(shop: CsvShop) -> None:
    def export(tick: str, city: str) -> str:
        record = line(CURRENT, customer_id="7", email="a@x.dk", accepts_email_marketing=tick, default_address_city=city)
        return file_of(CURRENT, record)

    shop.write("exports/b.csv", export("yes", "Aarhus"), made=NOW - timedelta(days=1))
    shop.write("exports/a.csv", export("no", "Odense"))

    read = shop.read("customers")

    assert read.column("customers", "city") == ["Odense"]
    assert read.column("consents", "status") == ["never"]
    assert len(read.notes) == 1
    assert "exports/a.csv" in read.notes[0]


def test_abandoned_checkouts_are_read_by_aliases(shop: CsvShop) -> None:
    header = "Id,Customer Email,Created at,Total Price,Currency,Recovery URL,Recovery Status,Lineitem name"
    rows = (
        "'1,a@x.dk,2026-11-20 10:00:00 +0000,150.00,DKK,https://acme.example/r/1,Not Recovered,Shoe",
        "'1,a@x.dk,,,,,,Sock",
        "'2,b@x.dk,2026-11-20 11:00:00 +0000,20.00,DKK,https://acme.example/r/2,Recovered,Hat",
    )
    shop.write("exports/checkouts_export.csv", "\n".join((header, *rows)))

    read = shop.read("carts")

    carts = {row["cart_id"]: row for row in read.tables["carts"]}
    assert carts["1"]["completed_at"] is None
    assert carts["1"]["total"] == 150
    assert carts["1"]["recovery_url"] == "https://acme.example/r/1"
    assert carts["2"]["completed_at"] == datetime(2026, 11, 20, 11)
    assert sorted((row["cart_id"], row["line"]) for row in read.tables["cart_lines"]) == [
        ("1", "1"), ("1", "2"), ("2", "1")
    ]  # fmt: skip


def test_the_plainest_checkouts_export_is_recognised(shop: CsvShop) -> None:
    shop.write("exports/checkouts.csv", "Id,Email,Created at,Total\n1,a@x.dk,2026-11-20 10:00:00 +0000,5\n")

    assert shop.read("carts").column("carts", "cart_id") == ["1"]


@pytest.mark.parametrize(
    "header",
    [
        "ID,First Name,Last Name,Email,Accepts Email Marketing,Created At,Total Spent,Total Orders,Tags",
        "First Name,Last Name,Email,Accepts Marketing,Created At",
        f"{CURRENT},Created at",
        f"{CURRENT},Completed at",
        f"{OLDER},Created At,Completed at",
        f"{OLDEST},Created at",
    ],
)
def test_a_customers_export_with_a_column_of_times_stays_a_customers_export(shop: CsvShop, header: str) -> None:
    tick = "accepts_email_marketing" if "Accepts Email Marketing" in header else "accepts_marketing"
    shop.write("exports/c.csv", file_of(header, line(header, email="a@x.dk", **{tick: "yes"})))

    read = shop.read("customers")

    assert read.column("customers", "email") == ["a@x.dk"]
    assert read.column("consents", "status") == ["subscribed"]
    assert shop.read("carts").pages == 0


@pytest.mark.parametrize(
    "header",
    [
        "Id,Customer Email,Created at,Completed at,Total",
        "Name,Email,Accepts Marketing,Created At,Total Price,Lineitem name",
        "Checkout ID,Email,Phone,Created At,Total",
        "Id,Email,Accepts SMS Marketing,Created at,Abandoned Checkout URL",
    ],
)
def test_a_checkouts_export_is_not_taken_for_customers(shop: CsvShop, header: str) -> None:
    cells = {"id": "1", "checkout_id": "1", "name": "1", "email": "a@x.dk", "customer_email": "a@x.dk"}
    has = {name.lower().replace(" ", "_") for name in header.split(",")}
    given = {name: cell for name, cell in cells.items() if name in has}
    times = {name: "2026-11-20 10:00:00 +0000" for name in ("created_at",) if name in has}
    shop.write("exports/k.csv", file_of(header, line(header, **given, **times)))

    assert shop.read("carts").column("carts", "email") == ["a@x.dk"]
    assert shop.read("customers").pages == 0


def test_a_klaviyo_list_gives_dated_consents(shop: CsvShop) -> None:
    header = "Email,Email Marketing Consent,Email Marketing Consent Timestamp,First Name"
    rows = (
        "A@x.dk,SUBSCRIBED,2026-05-01T10:00:00+00:00,Ann",
        "b@x.dk,UNSUBSCRIBED,2026-06-01 10:00:00,Bo",
        "c@x.dk,NEVER_SUBSCRIBED,,Cy",
    )
    shop.write("exports/list.csv", "\n".join((header, *rows)))

    read = shop.read("customers")

    found = {row["subject"]: (row["status"], row["recorded_at"], row["dated_by"]) for row in read.tables["consents"]}
    assert found == {
        "a@x.dk": ("subscribed", datetime(2026, 5, 1, 10), "record"),
        "b@x.dk": ("unsubscribed", datetime(2026, 6, 1, 8), "record"),
        "c@x.dk": ("never", NOW.replace(tzinfo=None), "file"),
    }


def test_mailchimp_files_are_told_apart_by_column_and_name(shop: CsvShop) -> None:
    header = "Email Address,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,TAGS"
    shop.write("exports/subscribed_1.csv", f"{header}\na@x.dk,2,,2026-05-01 10:00:00,\nb@x.dk,2,,,\n")
    shop.write(
        "exports/unsubscribed_1.csv",
        "Email Address,MEMBER_RATING,CONFIRM_TIME,UNSUB_TIME\nc@x.dk,2,2026-01-01 10:00:00,2026-06-01 10:00:00\n",
    )
    shop.write("exports/nonsubscribed_1.csv", f"{header}\nd@x.dk,2,,2026-05-01 10:00:00,\n")

    read = shop.read("customers")

    assert {row["subject"]: row["status"] for row in read.tables["consents"]} == {
        "a@x.dk": "subscribed",
        "b@x.dk": "never",
        "c@x.dk": "unsubscribed",
        "d@x.dk": "never",
    }


@pytest.mark.parametrize(
    ("said", "tick", "stands"),
    [
        ("UNSUBSCRIBED,2026-05-01T10:00:00Z", "yes", "unsubscribed"),
        ("SUBSCRIBED,2026-05-01T10:00:00Z", "no", "subscribed"),
        ("NEVER_SUBSCRIBED,", "yes", "never"),
    ],
)
def test_of_two_statements_about_one_address_the_one_with_proof_stands(
    shop: CsvShop, said: str, tick: str, stands: str
) -> None:
    shop.write("exports/c.csv", file_of(CURRENT, line(CURRENT, email="a@x.dk", accepts_email_marketing=tick)))
    shop.write("exports/k.csv", f"Email,Email Marketing Consent,Email Marketing Consent Timestamp\nA@x.dk,{said}\n")

    assert shop.read("customers").column("consents", "status") == [stands]


def test_unchanged_files_are_not_read_again_and_changed_ones_are(shop: CsvShop) -> None:
    shop.write("exports/o.csv", file_of(ORDERS, order()))
    first = shop.read("orders")

    again = shop.read("orders", since=first.cursor)
    shop.write("exports/o.csv", file_of(ORDERS, order(), order("#1002")), made=NOW + timedelta(seconds=1))
    changed = shop.read("orders", since=first.cursor)

    assert again.pages == 0
    assert len(changed.tables["orders"]) == 2


def test_a_stream_without_files_gives_no_page(shop: CsvShop) -> None:
    shop.write("exports/o.csv", file_of(ORDERS, order()))

    assert shop.read("customers").pages == 0
    assert shop.read("carts").pages == 0


def test_reach_is_the_exports_own_date_or_the_newest_files_time(shop: CsvShop) -> None:
    shop.write("exports/o.csv", file_of(ORDERS, order()))

    assert shop.source().reach("orders").fresh_until == NOW
    assert shop.source().reach("customers").fresh_until is None
    dated = shop.source({"folder": "exports", "exported": "2026-11-20T08:00:00+00:00"})
    assert dated.reach("orders").fresh_until == datetime(2026, 11, 20, 8, tzinfo=UTC)


def test_check_reports_layouts_columns_and_cleansing(shop: CsvShop) -> None:
    def person(number: int, email: str, tick: str) -> str:
        return line(CURRENT, customer_id=str(number), email=email, accepts_email_marketing=tick)

    shop.write(
        "exports/c.csv",
        file_of(
            CURRENT,
            person(1, "a@x.dk", "yes"), person(2, " A@X.dk", "no"), person(3, "info@x.dk", "yes"), person(4, "nonsense", ""),
        ),
    )  # fmt: skip
    shop.write(
        "exports/o.csv",
        file_of(ORDERS, order(total="-5"), order("#2", created_at="2027-01-01 10:00:00 +0100"), order("#3")),
    )

    findings = list(shop.source().check())

    counted = {finding.code: finding.count for finding in findings if finding.code}
    assert counted["duplicate-emails"] == 1
    assert counted["role-emails"] == 1
    assert counted["bad-emails"] == 1
    assert counted["negative-totals"] == 1
    assert counted["future-orders"] == 1
    assert counted["consent-share"] == 1
    assert any(
        "Shopify customers" in finding.text and "Accepts Email Marketing" in finding.text for finding in findings
    )
    assert list((shop.workspace / ".hub" / "cache").iterdir()) == []
