"""Consents: the address a record showed, a yes that became a no, and what else proves consent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.api import Gone, Page, Remaining, Stream
from hub.config.models import ConsentFrom
from tests.catalog_shop import NOW, Shop, days


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def said(subject: str, status: str, channel: str = "email", **values: Any) -> dict[str, Any]:
    return {
        "subject": subject,
        "channel": channel,
        "status": status,
        "recorded_at": days(2),
        "dated_by": "record",
    } | values


def test_a_customers_consent_counts_for_the_addresses_the_record_showed(shop: Shop) -> None:
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example", "phone": "+4520123456"}],
            "consents": [
                said("1", "subscribed", channel) for channel in ("email", "sms", "whatsapp", "ads", "analytics")
            ],
        }
    )

    assert shop.ask("select channel, address_kind, address from consent_records order by all") == [
        ("ads", "email", "a@x.example"),
        ("ads", "phone", "+4520123456"),
        ("analytics", "email", "a@x.example"),
        ("analytics", "phone", "+4520123456"),
        ("email", "email", "a@x.example"),
        ("sms", "phone", "+4520123456"),
        ("whatsapp", "phone", "+4520123456"),
    ]


def test_a_permission_stays_with_the_old_address_until_it_is_read_again(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "old@x.example"}], "consents": [said("1", "subscribed")]})

    shop.load({"customers": [{"customer_id": "1", "email": "new@x.example"}]})
    before = shop.ask(
        "select address, person_id = (select person_id from people where email = 'new@x.example') from consent_records"
    )
    shop.load({"customers": [{"customer_id": "1", "email": "new@x.example"}], "consents": [said("1", "subscribed")]})

    assert before == [("old@x.example", True)]
    assert shop.ask("select address from consent_records") == [("new@x.example",)]


def test_consents_that_come_before_their_customer_find_the_address_later(shop: Shop) -> None:
    shop.load({"consents": [said("1", "subscribed")]}, stream="consents")
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}]}, stream="customers")

    assert shop.ask("select address from consent_records") == [("a@x.example",)]


@pytest.mark.parametrize("kind", ["changes", "snapshot"])
@pytest.mark.parametrize(
    ("before", "after", "blocked"),
    [
        ("subscribed", "unsubscribed", True),
        ("subscribed", "never", True),
        ("subscribed", "invalid", True),
        ("subscribed", "pending", False),
        ("subscribed", "unknown", False),
        ("subscribed", "subscribed", False),
        ("never", "unsubscribed", False),
        ("pending", "never", False),
    ],
)
def test_a_yes_that_becomes_a_no_is_an_opt_out(shop: Shop, kind: str, before: str, after: str, blocked: bool) -> None:
    shop.load({"consents": [said("a@x.example", before)]}, kind=kind)

    shop.load({"consents": [said("a@x.example", after, recorded_at=days(1))]}, kind=kind)

    expected = [("email:a@x.example", "email", "unsubscribed", days(1).replace(tzinfo=None))] if blocked else []
    assert [(b.address, b.channel, b.reason, b.recorded_at) for b in shop.blocks] == expected


def test_the_opt_out_counts_for_the_address_shown_before_and_now(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "old@x.example"}], "consents": [said("1", "subscribed")]})

    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "new@x.example"}],
            "consents": [said("1", "never", recorded_at=None)],
        }
    )

    assert [(block.address, block.recorded_at) for block in shop.blocks] == [
        (address, NOW.replace(tzinfo=None))
        for address in ("customer:shop:1", "email:new@x.example", "email:old@x.example")
    ]


LATER = [
    # what it says then, the day and whether the date is the record's own, and whether the refusal of day 5 stands
    ("subscribed", 4, "record", False),
    ("subscribed", 5, "record", True),
    ("subscribed", 6, "record", True),
    ("subscribed", 4, "file", True),
    ("subscribed", None, "file", True),
    ("never", 4, "record", True),
    ("pending", 4, "record", True),
    ("unsubscribed", 4, "record", False),
]


@pytest.mark.parametrize("kind", ["changes", "snapshot"])
@pytest.mark.parametrize(("status", "age", "dated_by", "stands"), LATER)
def test_a_refusal_is_taken_back_by_a_newer_yes_of_its_own_date_alone(
    shop: Shop, kind: str, status: str, age: int | None, dated_by: str, stands: bool
) -> None:
    shop.load({"consents": [said("a@x.example", "unsubscribed", recorded_at=days(5))]}, kind=kind)

    then = said("a@x.example", status, recorded_at=None if age is None else days(age), dated_by=dated_by)
    shop.load({"consents": [then]}, kind=kind)

    expected = [("email:a@x.example", "email", "unsubscribed", days(5).replace(tzinfo=None))] if stands else []
    assert [(b.address, b.channel, b.reason, b.recorded_at) for b in shop.blocks] == expected


def test_an_ads_flag_that_was_refused_is_given_back_by_a_newer_record_alone(shop: Shop) -> None:
    flags = {"ad_user_data": True, "ad_personalization": True}
    for email, age in (("a@x.example", 6), ("b@x.example", 4)):
        refused = flags | {"ad_user_data": False}
        shop.load({"consents": [said(email, "unknown", "ads", recorded_at=days(5), **refused)]}, stream=email)
        shop.load({"consents": [said(email, "unknown", "ads", recorded_at=days(age), **flags)]}, stream=email)

    assert [(block.address, block.channel) for block in shop.blocks] == [("email:a@x.example", "ads")]


@pytest.mark.parametrize("kind", ["changes", "snapshot"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("status", "age", "dated_by", "stands"), [row for row in LATER if row[0] == "subscribed"])
def test_of_two_statements_in_one_page_the_refusal_stands_unless_it_was_taken_back(
    shop: Shop, kind: str, turned: bool, status: str, age: int | None, dated_by: str, stands: bool
) -> None:
    statements = [
        said("a@x.example", "unsubscribed", recorded_at=days(5)),
        said("a@x.example", status, recorded_at=None if age is None else days(age), dated_by=dated_by),
    ]
    shop.load({"consents": [statements[turned], statements[not turned]]}, kind=kind)

    (kept,) = shop.ask("select status from consents")
    assert kept == ("unsubscribed" if stands else "subscribed",)


def test_taking_back_an_ads_flag_is_an_opt_out_of_ads(shop: Shop) -> None:
    flags = {"ad_user_data": True, "ad_personalization": True}
    shop.load({"consents": [said("a@x.example", "unknown", "ads", **flags)]})

    shop.load({"consents": [said("a@x.example", "unknown", "ads", **flags | {"ad_personalization": False})]})

    assert [(block.address, block.channel) for block in shop.blocks] == [("email:a@x.example", "ads")]


@pytest.mark.parametrize(
    ("kind", "news"),
    [
        ("snapshot", Page({"consents": [said("b@x.example", "subscribed"), said("2", "subscribed")]})),
        ("changes", Page({}, remaining=[Remaining("consents", ["b@x.example", "2"])])),
        ("changes", Page({}, gone=[Gone("consents", "a@x.example"), Gone("consents", "1")])),
    ],
    ids=["a snapshot", "a list of all", "a deletion"],
)
def test_a_refusal_outlives_the_record_that_said_it(shop: Shop, kind: str, news: Page) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "shown@x.example"}]}, stream="people")
    shop.load(
        {
            "consents": [
                said("a@x.example", "unsubscribed"),
                said("1", "unsubscribed", recorded_at=None),
                said("b@x.example", "subscribed"),
                said("2", "subscribed"),
            ]
        },
        kind=kind,
    )
    assert shop.blocks == []

    shop.load(news, kind=kind)

    assert [(block.address, block.channel, block.reason, block.recorded_at) for block in shop.blocks] == [
        ("customer:shop:1", "email", "unsubscribed", NOW.replace(tzinfo=None)),
        ("email:a@x.example", "email", "unsubscribed", days(2).replace(tzinfo=None)),
        ("email:shown@x.example", "email", "unsubscribed", NOW.replace(tzinfo=None)),
    ]


def test_who_never_said_no_leaves_without_a_trace_and_who_took_back_an_ads_flag_does_not(shop: Shop) -> None:
    words = ("subscribed", "never", "pending", "unknown", "invalid")
    shop.load(
        {
            "consents": [said(f"{word}@x.example", word) for word in words]
            + [said("ads@x.example", "unknown", "ads", ad_user_data=False)]
        }
    )

    shop.load(Page({}, remaining=[Remaining("consents", [])]), accept_shrink={"consents": 0})

    assert [(block.address, block.channel) for block in shop.blocks] == [("email:ads@x.example", "ads")]


def test_a_withdrawal_in_a_shrunk_snapshot_is_heard_although_the_snapshot_waits(shop: Shop) -> None:
    shop.load({"consents": [said(f"{n}@x.example", "subscribed") for n in range(10)]}, kind="snapshot")

    report = shop.load({"consents": [said("1@x.example", "unsubscribed")]}, kind="snapshot")

    assert report.shrunk
    assert [block.address for block in shop.blocks] == ["email:1@x.example"]


def test_a_block_that_cannot_be_written_keeps_the_page_out(shop: Shop) -> None:
    shop.load({"consents": [said("a@x.example", "subscribed")]})

    class Full(Exception):
        pass

    def refuse(blocks: Any) -> None:
        raise Full

    page = Page({"consents": [said("a@x.example", "never")]})
    with shop.catalog.writer(NOW) as writer, pytest.raises(Full):
        writer.load("shop", "shop", "all", Stream(("consents",)), [page], on_blocks=refuse)

    assert shop.ask("select status from consents") == [("subscribed",)]


def test_of_two_streams_of_one_source_the_latest_statement_stands(shop: Shop) -> None:
    shop.load({"consents": [said("a@x.example", "subscribed", recorded_at=days(1))]}, stream="orders")
    shop.load({"consents": [said("a@x.example", "never", recorded_at=days(3))]}, stream="customers")

    assert shop.ask("select status from consents") == [("subscribed",)]


def test_a_tag_proves_consent_from_when_it_was_first_seen(tmp_path: Path) -> None:
    rule = ConsentFrom(tag="Ads-OK", grants=("ads",), evidence="checkout box")
    shop = Shop(tmp_path, consent_from=[rule])
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "a@x.example", "tags": "vip, ads-ok"},
                {"customer_id": "2", "tags": "vip"},
            ]
        }
    )

    later = NOW + timedelta(days=5)
    shop.load({"customers": [{"customer_id": "3", "email": "c@x.example", "tags": "ads-ok"}]}, now=later)

    rows = shop.ask(
        "select source, address, channel, status, basis, dated_by, recorded_at, ad_user_data, ad_personalization, evidence"
        " from consent_records order by address"
    )
    same = ("ads", "subscribed", "opt_in_single", "file")
    assert rows == [
        ("consent.from", "a@x.example", *same, NOW.replace(tzinfo=None), True, True, "checkout box"),
        ("consent.from", "c@x.example", *same, later.replace(tzinfo=None), True, True, "checkout box"),
    ]


@pytest.mark.parametrize(
    ("rule", "granted"),
    [
        ({"trait": "newsletter"}, ["a@x.example"]),
        ({"trait": "newsletter", "value": "maybe"}, ["b@x.example"]),
        ({"metafield": "custom.newsletter"}, ["c@x.example"]),
        ({"column": "gender", "value": "x"}, ["c@x.example"]),
    ],
)
def test_traits_metafields_and_columns_prove_consent_by_their_value(
    tmp_path: Path, rule: Any, granted: list[str]
) -> None:
    shop = Shop(tmp_path, consent_from=[ConsentFrom(grants=("email",), evidence="form", **rule)])
    shop.load(
        {
            "customers": [
                {"customer_id": n, "email": f"{n}@x.example", "gender": "X" if n == "c" else None} for n in "abc"
            ],
            "traits": [
                {"subject": "a", "name": "Newsletter", "value": "Yes"},
                {"subject": "b", "name": "newsletter", "value": "maybe"},
                {"subject": "c@x.example", "name": "custom.newsletter", "value": "1"},
            ],
        }
    )

    assert [row[0] for row in shop.ask("select address from consent_records order by 1")] == granted


def test_a_tag_taken_away_and_given_again_is_seen_anew(tmp_path: Path) -> None:
    shop = Shop(tmp_path, consent_from=[ConsentFrom(tag="ok", grants=("email",), evidence="form")])
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example", "tags": "ok"}]})
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example", "tags": ""}]})
    gone = shop.ask("select count(*) from consent_records")

    later = NOW + timedelta(days=1)
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example", "tags": "ok"}]}, now=later)

    assert gone == [(0,)]
    assert shop.ask("select recorded_at from consent_records") == [(later.replace(tzinfo=None),)]


def test_a_new_rule_counts_without_another_pull(tmp_path: Path) -> None:
    Shop(tmp_path).load({"customers": [{"customer_id": "1", "email": "a@x.example", "tags": "ok"}]})

    shop = Shop(tmp_path, consent_from=[ConsentFrom(tag="ok", grants=("email",), evidence="form")])

    assert shop.ask("select address from consent_records") == [("a@x.example",)]


def test_a_column_that_is_none_of_the_tables_is_told_of_once(shop: Shop) -> None:
    page = {"consents": [said("a@x.example", "subscribed", expires=days(1), _origin="a.csv")]}

    report = shop.load(page, page)

    assert report.notes == [
        "consents has no column 'expires', so what its plugin gives there is not kept; is 'expires_at' meant?"
    ]
