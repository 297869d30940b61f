"""Engaged, unengaged, opened-not-clicked and by-campaign; machine opens, and sources that cannot tell."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hub_engagement import ByCampaign, Engaged, OpenedNotClicked, Unengaged
from tests.segment_shop import defined
from tests.strategy_shop import AS_OF, DAY, HOUR, MICROSECOND, Shop, a_shop

ENGAGED, UNENGAGED = defined(Engaged), defined(Unengaged)
CLICKLESS = defined(OpenedNotClicked)


def opened(shop: Shop, name: str, age: timedelta, *, machine: bool | None = False, **more: Any) -> None:
    shop.mail(name, age, "opened", machine=machine, **more)


def sent(shop: Shop, name: str, times: int = 5, age: timedelta = 200 * DAY, **more: Any) -> None:
    for number in range(times):
        shop.mail(name, age + number * DAY, "sent", **more)


def subscribed(shop: Shop, name: str, age: timedelta, status: str = "subscribed", **more: Any) -> None:
    row = {"subject": f"{name}@example.com", "channel": "email", "status": status, "basis": "opt_in_single"}
    row |= {"recorded_at": shop.ago(age), "dated_by": "record"}
    source = more.pop("source", "shop")
    shop.add("consents", row | more, source)


# Engaged


@pytest.mark.parametrize("kind", ["opened", "clicked"])
def test_an_open_or_click_counts_less_than_thirty_days(shop: Shop, kind: str) -> None:
    ages = {"in": 30 * DAY - MICROSECOND, "at": 30 * DAY, "out": 30 * DAY + MICROSECOND, "now": timedelta(0)}
    shop.people(*ages)
    for name, age in ages.items():
        shop.mail(name, age, kind, machine=False)

    assert shop.members(ENGAGED) == {"in", "now"}
    assert shop.members(defined(Engaged, window="60d")) == {"in", "at", "out", "now"}


@pytest.mark.parametrize("as_of", ["2026-03-29T02:30+00:00", "2026-10-25T02:30+00:00", "2024-02-29T00:00+00:00"])
def test_a_day_is_24_hours_when_the_clocks_change_and_on_leap_days(as_of: str) -> None:
    with a_shop(as_of=datetime.fromisoformat(as_of), timezone="Europe/Copenhagen") as shop:
        shop.people("in", "out")
        opened(shop, "in", DAY - MICROSECOND)
        opened(shop, "out", DAY)

        assert shop.members(defined(Engaged, window="1d")) == {"in"}


def test_opens_by_machines_and_what_is_no_interest_do_not_count(shop: Shop) -> None:
    shop.people("machine", "human", "unmarked", "clicker", "robot", "sent", "left")
    opened(shop, "machine", DAY, machine=True)
    opened(shop, "human", DAY, machine=False)
    opened(shop, "unmarked", DAY, machine=None)
    shop.mail("clicker", DAY, "clicked")
    shop.mail("robot", DAY, "clicked", machine=True)
    shop.mail("sent", DAY, "sent")
    shop.mail("left", DAY, "unsubscribed")

    assert shop.members(ENGAGED) == {"human", "unmarked", "clicker"}
    assert shop.notes(ENGAGED) == ()


@pytest.mark.parametrize(("age", "inside"), [(15 * DAY, False), (15 * DAY - MICROSECOND, True), (timedelta(0), True)])
def test_whoever_subscribed_less_than_fifteen_days_ago_is_engaged(shop: Shop, age: timedelta, inside: bool) -> None:
    shop.people("ann")
    shop.gives("engagement")
    subscribed(shop, "ann", age)

    assert shop.members(ENGAGED) == ({"ann"} if inside else set())
    assert shop.members(defined(Engaged, grace="0d")) == set()
    assert shop.members(defined(Engaged, min_signs=2)) == set()


def test_only_a_subscription_that_stands_and_has_a_date_of_its_own_is_new(shop: Shop) -> None:
    shop.people("file", "pending", "left", "again", "sms")
    shop.gives("engagement")
    subscribed(shop, "file", DAY, dated_by="file")
    subscribed(shop, "pending", DAY, "pending")
    subscribed(shop, "left", 2 * DAY)
    subscribed(shop, "left", DAY, "unsubscribed", source="tool")
    subscribed(shop, "again", 2 * DAY, "unsubscribed")
    subscribed(shop, "again", DAY, source="tool")
    subscribed(shop, "sms", DAY, channel="sms")

    assert shop.members(ENGAGED) == {"again"}


def test_texts_to_a_phone_are_no_mails(shop: Shop) -> None:
    shop.person("ann", phone="+4520123456")
    row = {"subject": "+4520123456", "kind": "clicked", "campaign": "spring", "happened_at": shop.ago(DAY)}
    shop.add("engagement", row)

    assert shop.members(ENGAGED) == set()


def test_evidence_of_the_engaged_tells_how(shop: Shop) -> None:
    shop.people("ann")
    opened(shop, "ann", 3 * DAY)
    opened(shop, "ann", 2 * DAY)
    shop.mail("ann", DAY, "clicked")
    subscribed(shop, "ann", 5 * DAY)

    assert shop.evidence(ENGAGED)["ann"] == {
        "engaged_at": (AS_OF - DAY).replace(tzinfo=None),
        "opens": 2,
        "clicks": 1,
        "subscribed_at": (AS_OF - 5 * DAY).replace(tzinfo=None),
    }


def test_the_sentence_for_the_engaged(shop: Shop) -> None:
    shop.people("ann", "bob")
    opened(shop, "ann", DAY)

    assert shop.reason(defined(Engaged, min_signs=3), "ann") == "signs 1, needs at least 3: out by 2"
    assert shop.reason(ENGAGED, "bob") == (
        "no open or click of theirs in the last 30 days, and no new subscription in the last 15 days"
    )


# Sources that cannot tell


def blind(shop: Shop) -> Shop:
    """Make a shop whose one mailing tool marks machines and whose other does not."""
    shop.people("opener", "clicker", "visitor", "buyer", "silent", "marked")
    opened(shop, "opener", DAY, machine=None, source="blind")
    shop.mail("clicker", DAY, "clicked", source="blind")
    shop.event("visitor", DAY)
    shop.order("buyer", DAY)
    shop.order("silent", DAY, status="cancelled")
    for name in ("opener", "clicker", "visitor", "buyer", "silent"):
        sent(shop, name, source="blind")
    return shop


def test_where_a_source_cannot_tell_clicks_visits_and_orders_count_and_it_is_said(shop: Shop) -> None:
    blind(shop)

    assert shop.members(ENGAGED) == {"clicker", "visitor", "buyer"}
    assert shop.members(UNENGAGED) == {"opener", "silent"}
    assert shop.notes(ENGAGED) == (
        "blind does not say which opens are a machine's: they are not counted, and visits and orders count instead",
    )
    assert shop.notes(UNENGAGED) == (
        "blind does not say which opens are a machine's: "
        "they are not counted, and who visits or buys is not called unengaged",
    )


def test_visits_and_orders_do_not_count_where_every_source_can_tell(shop: Shop) -> None:
    shop.people("visitor", "buyer", "reader")
    shop.event("visitor", DAY)
    shop.order("buyer", DAY)
    opened(shop, "reader", DAY)
    for name in ("visitor", "buyer", "reader"):
        sent(shop, name)

    assert shop.members(ENGAGED) == {"reader"}
    assert shop.members(UNENGAGED) == {"visitor", "buyer"}


def test_one_source_that_can_tell_does_not_speak_for_another(shop: Shop) -> None:
    blind(shop)
    opened(shop, "marked", DAY, machine=None, source="telling")
    opened(shop, "marked", 2 * DAY, machine=True, source="telling")

    assert shop.members(ENGAGED) == {"clicker", "visitor", "buyer", "marked"}
    assert len(shop.notes(ENGAGED)) == 1


def test_an_open_that_nobody_can_judge_is_insufficient_data_where_opens_are_asked_for(shop: Shop) -> None:
    blind(shop)
    by_open = defined(ByCampaign, campaigns=["spring"], did="opened")
    by_silence = defined(ByCampaign, campaigns=["spring"], did="not-opened")

    assert shop.reason(CLICKLESS, "opener") == "opens is not known, needs at least 1: out (insufficient data)"
    assert shop.reason(by_open, "opener") == "opens is not known, needs at least 1: out (insufficient data)"
    assert shop.reason(by_silence, "opener").endswith("opens is not known, needs exactly 0: out (insufficient data)")
    assert shop.members(by_open) == {"clicker"}
    assert shop.members(by_silence) == {"visitor", "buyer", "silent"}
    assert "blind does not say which opens" in shop.notes(by_open)[0]


# Unengaged


@pytest.mark.parametrize(("mails", "inside"), [(4, False), (5, True), (9, True)])
def test_fewer_than_five_mails_are_no_test(shop: Shop, mails: int, inside: bool) -> None:
    shop.people("ann")
    sent(shop, "ann", mails)

    assert shop.members(UNENGAGED) == ({"ann"} if inside else set())


@pytest.mark.parametrize(
    ("kind", "machine", "age", "inside"),
    [
        ("opened", False, 90 * DAY - MICROSECOND, False),
        ("opened", False, 90 * DAY, True),
        ("opened", True, DAY, True),
        ("clicked", None, 90 * DAY - MICROSECOND, False),
        ("clicked", None, 90 * DAY, True),
        ("unsubscribed", None, DAY, True),
    ],
)
def test_an_open_or_click_in_ninety_days_is_engagement(
    shop: Shop, kind: str, machine: bool | None, age: timedelta, inside: bool
) -> None:
    shop.people("ann", "bob")
    opened(shop, "bob", DAY, machine=False)
    sent(shop, "ann")
    shop.mail("ann", age, kind, machine=machine)

    assert shop.members(UNENGAGED) == ({"ann"} if inside else set())


def test_mails_that_bounced_were_not_received(shop: Shop) -> None:
    shop.people("ann")
    sent(shop, "ann", 5)
    shop.mail("ann", 200 * DAY, "bounced")

    assert shop.reason(UNENGAGED, "ann") == "received 4, needs at least 5: out by 1"


def test_where_nobody_tells_what_was_sent_nobody_is_called_unengaged(shop: Shop) -> None:
    shop.people("ann", "bob")
    opened(shop, "ann", 200 * DAY)

    assert shop.reason(UNENGAGED, "ann") == "received is not known, needs at least 5: out (insufficient data)"
    assert shop.reason(UNENGAGED, "bob") == "no mail to them is on record"
    assert shop.notes(UNENGAGED) == ("received is not known for anybody, so nobody is in this segment",)


def test_evidence_of_the_unengaged_tells_when_they_last_were(shop: Shop) -> None:
    shop.people("ann")
    sent(shop, "ann", 5, 20 * DAY)
    opened(shop, "ann", 100 * DAY)

    assert shop.evidence(UNENGAGED)["ann"] == {
        "received": 5,
        "last_sent_at": (AS_OF - 20 * DAY).replace(tzinfo=None),
        "last_engaged_at": (AS_OF - 100 * DAY).replace(tzinfo=None),
    }


# Opened, not clicked


def test_opened_and_not_clicked_in_the_window(shop: Shop) -> None:
    shop.people("opener", "clicker", "before", "old", "machine", "twice")
    for name in ("opener", "clicker", "before", "twice"):
        opened(shop, name, DAY)
    shop.mail("clicker", 30 * DAY - MICROSECOND, "clicked")
    shop.mail("before", 30 * DAY, "clicked")
    opened(shop, "old", 30 * DAY)
    opened(shop, "machine", DAY, machine=True)
    opened(shop, "twice", 2 * DAY)

    assert shop.members(CLICKLESS) == {"opener", "before", "twice"}
    assert shop.members(defined(OpenedNotClicked, min_opens=2)) == {"twice"}
    assert shop.reason(CLICKLESS, "clicker") == "clicks 1 in 30 days, needs exactly 0: out by 1"


def test_only_the_campaigns_asked_for_count(shop: Shop) -> None:
    shop.people("ann", "bob")
    opened(shop, "ann", DAY, campaign="Spring")
    shop.mail("ann", DAY, "clicked", campaign="summer")
    opened(shop, "bob", DAY, campaign="summer")

    assert shop.members(CLICKLESS) == {"bob"}
    assert shop.members(defined(OpenedNotClicked, campaigns=["SPRING"])) == {"ann"}


# By campaign


def mailing(shop: Shop) -> Shop:
    shop.people("received", "opener", "clicker", "bounced", "machine", "other", "nobody")
    for name in ("received", "opener", "clicker", "bounced", "machine"):
        shop.mail(name, 5 * DAY, "sent", "Spring")
    shop.mail("other", 5 * DAY, "sent", "summer")
    opened(shop, "opener", 4 * DAY, campaign="Spring")
    shop.mail("clicker", 4 * DAY, "clicked", "Spring")
    shop.mail("bounced", 5 * DAY, "bounced", "Spring")
    opened(shop, "machine", 4 * DAY, machine=True, campaign="Spring")
    return shop


@pytest.mark.parametrize(
    ("did", "expected"),
    [
        ("received", {"received", "opener", "clicker", "machine"}),
        ("opened", {"opener", "clicker"}),
        ("clicked", {"clicker"}),
        ("not-opened", {"received", "machine"}),
        ("not-clicked", {"received", "opener", "machine"}),
    ],
)
def test_what_people_did_with_a_campaign(shop: Shop, did: str, expected: set[str]) -> None:
    mailing(shop)

    assert shop.members(defined(ByCampaign, campaigns=["spring"], did=did)) == expected
    assert shop.members(defined(ByCampaign, campaigns=["spring"], did=did, window="4d")) == set()


def test_an_open_proves_a_mail_where_sendings_are_not_known(shop: Shop) -> None:
    shop.people("opener", "left")
    opened(shop, "opener", DAY)
    shop.mail("left", DAY, "unsubscribed")

    assert shop.members(defined(ByCampaign, campaigns=["spring"], did="received")) == {"opener"}
    assert shop.reason(defined(ByCampaign, campaigns=["spring"], did="not-opened"), "left") == (
        "mails is not known, needs at least 1: out (insufficient data)"
    )


@pytest.mark.parametrize(
    ("did", "name", "told"),
    [
        ("opened", "received", "opens 0, needs at least 1: out by 1"),
        ("not-opened", "opener", "opens 1, needs exactly 0: out by 1"),
        ("clicked", "other", "no such mail to them is on record"),
        ("received", "bounced", "mails 0, needs at least 1: out by 1"),
    ],
)
def test_the_sentence_for_a_campaign(shop: Shop, did: str, name: str, told: str) -> None:
    assert mailing(shop).reason(defined(ByCampaign, campaigns=["spring"], did=did), name) == told


# All of them


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_members_equal_a_calculation_by_hand(seed: int) -> None:
    chance = random.Random(seed)
    can_tell = chance.random() < 0.5
    rows = [
        (
            f"p{chance.randrange(30)}",
            chance.choice(["sent", "sent", "opened", "clicked"]),
            chance.randrange(200) * DAY + number * HOUR / 100,
            chance.choice([True, False]) if can_tell else None,
        )
        for number in range(250)
    ]
    with a_shop() as shop:
        shop.people(*(f"p{number}" for number in range(30)))
        for name, kind, age, machine in rows:
            shop.mail(name, age, kind, machine=machine if kind == "opened" else None)

        def who(kinds: tuple[str, ...], days: int = 10_000) -> dict[str, int]:
            found: dict[str, int] = {}
            for name, kind, age, machine in rows:
                if kind in kinds and age < days * DAY and (kind != "opened" or machine is False):
                    found[name] = found.get(name, 0) + 1
            return found

        mails = who(("sent",))
        assert shop.members(ENGAGED) == set(who(("opened", "clicked"), 30))
        assert shop.members(UNENGAGED) == {
            name for name, count in mails.items() if count >= 5 and name not in who(("opened", "clicked"), 90)
        }
        if can_tell:
            assert shop.members(CLICKLESS) == set(who(("opened",), 30)) - set(who(("clicked",), 30))


def test_the_engaged_and_the_unengaged_of_one_window_share_nobody(shop: Shop) -> None:
    blind(shop)

    assert not shop.members(defined(Engaged, window="90d", grace="0d")) & shop.members(UNENGAGED)


@pytest.mark.parametrize("strategy", [Engaged, Unengaged, OpenedNotClicked, ByCampaign])
def test_without_engagement_nobody_is_in_and_it_is_said(shop: Shop, strategy: Any) -> None:
    shop.people("ann")
    shop.order("ann", DAY)
    more = {"campaigns": ["spring"]} if strategy is ByCampaign else {}

    assert shop.notes(defined(strategy, **more)) == ("no source gives engagement, so nobody can be in this segment",)


def test_a_window_longer_than_the_history_is_said(shop: Shop) -> None:
    from hub import api

    shop.people("ann")
    sent(shop, "ann")
    shop.reaches["engagement"] = api.Reach(AS_OF - 30 * DAY, AS_OF)

    assert shop.notes(UNENGAGED)[0].startswith(
        "window = 90 days looks back to 2025-12-01 12:00 UTC, but engagement begin"
    )


@pytest.mark.parametrize(
    ("strategy", "wrong", "told"),
    [
        (Engaged, {"window": "0d"}, "greater than"),
        (Engaged, {"grace": "91d"}, "less than or equal"),
        (Unengaged, {"min_received": 0}, "greater than or equal to 1"),
        (OpenedNotClicked, {"campaigns": []}, "at least 1"),
        (ByCampaign, {}, "Field required"),
        (ByCampaign, {"campaigns": ["a"], "did": "read"}, "'received', 'opened'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(strategy: Any, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        defined(strategy, **wrong)
