"""Erasing and exporting people: everything that is held, and no trace afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hub.api import TABLES, Column, Kind, Page, Reject, Stream, Table
from hub.catalog import Catalog, CatalogSettings
from hub.config.models import ConsentFrom
from hub.errors import SourceError
from tests.catalog_shop import ALL, KEY, NOW, Shop, days, erasure, order

POINTS = Table(
    "loyalty.points",
    "Points per customer.",
    (
        Column("customer_id", Kind.ID, required=True),
        Column("note"),
        Column("earned_at", Kind.TIME),
        Column("points", Kind.INTEGER),
    ),
    key=("system", "customer_id"),
    time="earned_at",
    person=("customer_id",),
)
SECRETS = (b"erasmus", b"20123456", b"8812345", b"visitor-of-erasmus")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path, consent_from=[ConsentFrom(tag="ok", grants=("email",), evidence="form")])
    shop.catalog = Catalog(tmp_path, shop.catalog.settings, KEY, tables={**TABLES, POINTS.name: POINTS})
    return shop


def fill(shop: Shop) -> None:
    who = {"customer_id": "8812345", "email": "Erasmus@x.example", "phone": "20 12 34 56"}
    mate = {"customer_id": "1", "email": "mate@x.example", "phone": "20 12 34 57"}
    rows: dict[str, Any] = {
        "customers": [who | {"last_name": "Erasmus", "tags": "ok"}, mate],
        "orders": [
            order("o1", 1, **who),
            order("o2", 2, **mate),
            order("o3", 3, phone="+4520123456"),
            order("bad", 1, **who, status="?"),
        ],
        "order_lines": [{"order_id": "o1", "line": "1", "title": "engraved Erasmus"}, {"order_id": "o2", "line": "1"}],
        "carts": [{"cart_id": "c1", "created_at": days(1), "recovery_url": "https://x/erasmus", **who}],
        "cart_lines": [{"cart_id": "c1", "line": "1", "title": "Erasmus"}],
        "consents": [{"subject": "8812345", "channel": "email", "status": "subscribed"}],
        "events": [
            {
                "event_id": "1",
                "name": "x",
                "happened_at": days(1),
                "user_id": "8812345",
                "visitor_id": "visitor-of-erasmus",
                "analytics_consent": True,
            },
            {
                "event_id": "2",
                "name": "x",
                "happened_at": days(1),
                "visitor_id": "visitor-of-erasmus",
                "analytics_consent": True,
            },
        ],
        "engagement": [{"subject": "erasmus@x.example", "kind": "sent", "campaign": "c", "happened_at": days(1)}],
        "traits": [{"subject": "8812345", "name": "size", "value": "42 of Erasmus"}],
        POINTS.name: [{"customer_id": "8812345", "points": "5", "note": "erasmus"}, {"customer_id": "1", "points": 6}],
    }
    rejects = [
        Reject("orders", "a.csv", "broken", "x;ERASMUS@x.example;y"),
        Reject("orders", "a.csv", "broken", "x;other@x.example"),
    ]
    with shop.catalog.writer(NOW) as writer:
        stream = Stream((*ALL, POINTS.name), "snapshot")
        writer.load("shop", "shop", "all", stream, [Page(rows, rejected=rejects)], guards=_lenient())
        writer.rebuild()


def _lenient() -> Any:
    from hub.config.models import Guards

    return Guards(max_rejected=1)


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).lower()


def test_an_erased_person_is_in_no_byte_of_any_file(shop: Shop) -> None:
    fill(shop)
    assert b"erasmus" in bytes_of(shop.folder)

    with shop.catalog.writer(NOW) as writer:
        report = writer.erase(["email:erasmus@x.example"])

    left = bytes_of(shop.folder)
    assert [secret for secret in SECRETS if secret in left] == []
    assert report.addresses == ("customer:shop:8812345", "email:erasmus@x.example", "phone:+4520123456")
    assert report.rows == {
        "customers": 1, "orders": 2, "order_lines": 1, "carts": 1, "cart_lines": 1, "consents": 1, "events": 2,
        "engagement": 1, "traits": 1, "loyalty.points": 1, "rejected_rows": 2,
    }  # fmt: skip


def test_others_stay_and_the_catalog_goes_on_working(shop: Shop) -> None:
    fill(shop)

    with shop.catalog.writer(NOW) as writer:
        writer.erase(["customer:shop:8812345"])
        assert writer.load("shop", "shop", "more", Stream(("orders",)), [Page({"orders": [order("o9", 1)]})]).changed
        writer.rebuild()

    assert shop.ask("select person_ref from people") == [("email:mate@x.example",)]
    assert shop.ask("select order_id from orders order by 1") == [("o2",), ("o9",)]
    assert shop.ask("select points from loyalty.points") == [(6,)]
    with shop.session() as session:
        assert [row.raw for row in session.rejected()] == ["x;other@x.example"]


def test_erasing_works_twice_and_for_somebody_unknown(shop: Shop) -> None:
    fill(shop)

    with shop.catalog.writer(NOW) as writer:
        writer.erase(["email:erasmus@x.example"])
        again = writer.erase(["email:erasmus@x.example"])
        unknown = writer.erase(["phone:+4599999999"])

    assert (again.rows, unknown.rows) == ({}, {})
    assert unknown.addresses == ("phone:+4599999999",)


def test_whoever_shares_the_phone_is_not_erased_with_it(shop: Shop) -> None:
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "a@x.example", "phone": "+4520123456"},
                {"customer_id": "2", "email": "b@x.example", "phone": "+4520123456"},
            ]
        }
    )

    with shop.catalog.writer(NOW) as writer:
        writer.erase(["email:a@x.example"])

    assert shop.ask("select email, phone from customers") == [("b@x.example", "+4520123456")]


def test_an_export_holds_every_row_of_a_person_and_nobody_elses(shop: Shop) -> None:
    fill(shop)

    with shop.session() as session:
        held = session.export_person(session.find("erasmus@x.example"))

    text = json.dumps(held)
    assert {name: len(rows) for name, rows in held.items()} == {
        "people": 1, "identities": 3, "consent_records": 2, "customers": 1, "orders": 2, "order_lines": 1, "carts": 1,
        "cart_lines": 1, "consents": 1, "events": 2, "engagement": 1, "traits": 1, "loyalty.points": 1, "rejected_rows": 2,
    }  # fmt: skip
    assert "mate" not in text
    assert "other" not in text


def test_an_export_of_nobody_is_empty(shop: Shop) -> None:
    fill(shop)

    with shop.session() as session:
        held = session.export_person([])

    assert [rows for rows in held.values() if rows] == []


def test_a_plugins_table_is_seen_as_of_its_time(shop: Shop) -> None:
    with shop.catalog.writer(NOW) as writer:
        rows = [{"customer_id": "1", "points": 1, "earned_at": days(3)}, {"customer_id": "2", "points": 2}]
        writer.load("shop", "shop", "points", Stream((POINTS.name,)), [Page({POINTS.name: rows})])
        writer.rebuild()

    assert shop.ask("select points from loyalty.points order by 1", days(2)) == [(1,), (2,)]
    assert shop.ask("select points from loyalty.points order by 1", days(4)) == [(2,)]


def test_a_deleted_catalog_is_made_again(shop: Shop) -> None:
    fill(shop)

    shop.catalog.path.unlink()

    assert not shop.catalog.exists
    assert shop.ask("select count(*) from people") == [(0,)]
    fill(shop)
    assert shop.ask("select count(*) from people") == [(2,)]


def test_a_catalog_of_another_version_is_made_again(tmp_path: Path) -> None:
    import duckdb

    Shop(tmp_path).load({"customers": [{"customer_id": "1"}]})
    con = duckdb.connect(tmp_path / "catalog.duckdb")
    con.execute("update about set value = '0' where key = 'version'")
    con.close()

    assert Shop(tmp_path).ask("select count(*) from customers") == [(0,)]


def test_the_settings_of_a_catalog_are_data() -> None:
    assert CatalogSettings(country="DK") == CatalogSettings(country="DK")


def test_events_of_a_persons_browser_go_also_where_none_of_them_may_be_attributed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    event = {"name": "x", "happened_at": days(1), "analytics_consent": False}
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}],
            "events": [
                event | {"event_id": "1", "user_id": "1", "visitor_id": "v"},
                event | {"event_id": "2", "visitor_id": "v"},
                event | {"event_id": "3", "visitor_id": "w"},
            ],
        }
    )

    with shop.session() as session:
        held = session.export_person(session.find("a@x.example"))
    with shop.catalog.writer(NOW) as writer:
        report = writer.erase(["email:a@x.example"])

    assert [row["event_id"] for row in held["events"]] == ["1", "2"]
    assert report.rows["events"] == 2
    assert shop.ask("select event_id from events") == [("3",)]


ERASED = ["email:erasmus@x.example", "email:søren@xn--bcher-kva.example", "phone:+4520123456", "customer:shop:8812345"]
NAMING = [
    "7;Erasmus <ERASMUS@x.example>;y",
    "7|erasmus@x.example|y",
    "{'email': 'erasmus@x.example.'}",
    '{"email": "s\\u00f8ren@b\\u00fccher.example"}',
    '{"phone": "+45 20 12 34 56"}',
    "7,20123456,100",
    "7,0045 20123456,SE",
    "7,(20) 12-34-56,100",
    '{"customer":{"id":"gid://shopify/Customer/8812345"}}',
    "'8812345,Ada",
]
NOT_NAMING = ["7;other@x.example", "erasmus@x.example.org", "20123457", "88123456", "a8812345", "2026-11-21 12:00", ""]


def test_what_a_source_could_not_read_is_dropped_where_it_names_an_erased_person(shop: Shop) -> None:
    rejects = [Reject("orders", "a.csv", "broken", raw, place) for place, raw in enumerate([*NAMING, *NOT_NAMING])]

    report = shop.load(
        Page({}, rejected=rejects), guards=_lenient(), erasures=erasure(ERASED, days(1)), kind="snapshot"
    )

    assert report.dropped == len(NAMING)
    assert report.rejected == {"orders": len(NOT_NAMING)}
    with shop.session() as session:
        assert [row.raw for row in session.rejected()] == NOT_NAMING


def test_a_row_that_cannot_be_used_is_dropped_by_any_address_unless_its_own_time_is_later(shop: Shop) -> None:
    bad = {"status": "?"}
    rows = {
        "customers": [{"customer_id": "8812345", "gender": "x", "created_at": "never"}],
        "orders": [
            order("1", 11, phone="20 12 34 56", **bad),
            order("2", 9, phone="20 12 34 56", **bad),
            order("3", 11, email="b@x.example", **bad),
        ],
        "order_lines": [
            {"order_id": "3", "line": "1", "quantity": "many", "_raw": "3,1,many,erasmus@x.example"},
            {"order_id": "3", "line": "2", "quantity": "many", "_raw": "3,2,many,b@x.example"},
        ],
        "consents": [
            {"subject": "Erasmus@x.example", "channel": "email", "status": "subscribed", "recorded_at": "31/31/2026"}
        ],
    }

    for kind in ("changes", "snapshot"):
        report = shop.load(rows, guards=_lenient(), erasures=erasure(ERASED, days(10)), kind=kind, stream=kind)
        assert (report.dropped, report.rejected) == (4, {"orders": 2, "order_lines": 1})


def test_broken_rows_count_for_the_guard_whoever_is_in_them(shop: Shop) -> None:
    rows = [{"customer_id": str(number)} for number in range(10)]
    rejects = [Reject("customers", "a.csv", "broken", "8812345")]

    with pytest.raises(SourceError, match="1 of 11 rows of customers cannot be used"):
        shop.load(Page({"customers": rows}, rejected=rejects), erasures=erasure(ERASED, days(1)), kind="snapshot")
