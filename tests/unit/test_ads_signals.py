"""A refusal of ads storage reaches the consent gate also from events that may be attributed to nobody."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hub.config.models import ConsentSettings
from hub.consent.gate import Gate
from tests.catalog_shop import NOW, Shop, days, order

BLOCKS = pa.schema([("address_key", pa.string()), ("channel", pa.string()), ("reason", pa.string()),
                    ("recorded_at", pa.timestamp("us")), ("origin", pa.string())])  # fmt: skip
ADA, BO = "email:ada@shop.example", "email:bo@shop.example"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Two customers who agreed to ads, one of whom bought something."""
    shop = Shop(tmp_path, (("shop", "shop"), ("web", "shop")))
    yes = {"channel": "ads", "status": "subscribed", "ad_user_data": True, "ad_personalization": True}
    said = {"recorded_at": days(30), "dated_by": "record", "basis": "opt_in_single"}
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "ada@shop.example"},
                {"customer_id": "2", "email": "bo@shop.example"},
            ],
            "consents": [{"subject": "ada@shop.example"} | yes | said, {"subject": "bo@shop.example"} | yes | said],
            "orders": [order("77", 20, name="#1001", customer_id="1", email="ada@shop.example")],
        }
    )
    return shop


def event(number: int, age: float, **values: Any) -> dict[str, Any]:
    return {"event_id": str(number), "name": "page_view", "happened_at": days(age), "country": "DK"} | values


def verdicts(shop: Shop, as_of: datetime = NOW) -> dict[str, str]:
    """Return what clears or withholds everybody for ads."""
    with shop.session(as_of) as session:
        gate = Gate(
            session.con, settings=ConsentSettings(), country="DK", as_of=as_of, now=NOW, blocks=BLOCKS.empty_table()
        )
        session.con.execute("create temporary table everybody as select person_id, person_ref from people")
        verdict = gate.clear("everybody", purpose="ads", identify_by=("email",))
        query = f"""
            select person_ref, code from {verdict.withheld} join everybody using (person_id)
            union all select person_ref, cleared_by from {verdict.cleared.table} join everybody using (person_id)
        """
        return {ref: code for ref, code in session.con.execute(query).fetchall() if ref in {ADA, BO}}


@pytest.mark.parametrize(
    "events",
    [
        [event(1, 2, user_id="1", analytics_consent=False, ads_consent=False)],
        [event(1, 2, user_id="1", ads_consent=False)],  # in Denmark silence about analytics means no
        [event(1, 2, transaction_id="1001", analytics_consent=False, ads_consent=False)],
        [
            event(1, 9, visitor_id="v", user_id="1", analytics_consent=True, ads_consent=True),
            event(2, 2, visitor_id="v", analytics_consent=False, ads_consent=False),
        ],
        [
            event(1, 9, visitor_id="v", user_id="1", ads_consent=True),
            event(2, 2, visitor_id="v", ads_consent=False),
        ],
    ],
    ids=["signed in", "silent", "by an order", "by a browser known before", "by a browser that may not be known"],
)
def test_a_refusal_counts_where_its_event_may_not_be_attributed(shop: Shop, events: list[dict[str, Any]]) -> None:
    shop.load({"events": events}, source="web")

    assert verdicts(shop) == {ADA: "ADS_STORAGE_DENIED", BO: "ADS_FLAGS"}


def test_the_event_itself_stays_nobodys(shop: Shop) -> None:
    shop.load({"events": [event(1, 2, user_id="1", analytics_consent=False, ads_consent=False)]}, source="web")

    assert shop.ask("select person_id from events") == [(None,)]
    assert shop.facts("last_seen_at", "views_30d")[ADA] == {"last_seen_at": None, "views_30d": 0}


def test_a_refusal_on_a_shared_browser_counts_for_everybody_who_used_it(shop: Shop) -> None:
    events = [
        event(1, 9, visitor_id="v", user_id="1", analytics_consent=True, ads_consent=True),
        event(2, 8, visitor_id="v", user_id="2", analytics_consent=True, ads_consent=True),
        event(3, 2, visitor_id="v", analytics_consent=True, ads_consent=False),
    ]

    shop.load({"events": events}, source="web")

    assert verdicts(shop) == {ADA: "ADS_STORAGE_DENIED", BO: "ADS_STORAGE_DENIED"}


def test_a_later_permission_lifts_it_only_where_it_may_be_attributed(shop: Shop) -> None:
    refused = event(1, 9, user_id="1", analytics_consent=False, ads_consent=False)

    shop.load({"events": [refused, event(2, 2, user_id="1", analytics_consent=False, ads_consent=True)]}, source="web")
    assert verdicts(shop)[ADA] == "ADS_STORAGE_DENIED"

    shop.load({"events": [event(3, 1, user_id="1", analytics_consent=True, ads_consent=True)]}, source="web")
    assert verdicts(shop)[ADA] == "ADS_FLAGS"


def test_what_is_later_than_the_instant_is_not_heard(shop: Shop) -> None:
    shop.load({"events": [event(1, 2, user_id="1", analytics_consent=False, ads_consent=False)]}, source="web")

    assert verdicts(shop, days(3))[ADA] == "ADS_FLAGS"
    assert verdicts(shop, days(2))[ADA] == "ADS_STORAGE_DENIED"


def test_a_refusal_of_a_stranger_concerns_nobody(shop: Shop) -> None:
    events = [
        event(1, 2, user_id="99", analytics_consent=False, ads_consent=False),
        event(2, 2, visitor_id="w", analytics_consent=True, ads_consent=False),
    ]

    shop.load({"events": events}, source="web")

    assert verdicts(shop) == {ADA: "ADS_FLAGS", BO: "ADS_FLAGS"}


def test_an_event_that_may_not_be_attributed_makes_nobody_a_person(shop: Shop) -> None:
    shop.load({"events": [event(1, 2, user_id="99", analytics_consent=False)]}, source="web")

    assert shop.ask("select person_ref from people order by 1") == [(ADA,), (BO,)]


def test_strategies_do_not_see_what_is_nobodys(shop: Shop) -> None:
    from hub.segments.check import KNOWN_TABLES

    shop.load({"events": [event(1, 2, user_id="1", analytics_consent=False, ads_consent=False)]}, source="web")

    assert shop.ask("select count(*) from ads_signals") == [(1,)]
    assert "ads_signals" not in KNOWN_TABLES
