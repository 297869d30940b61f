"""Consents and engagement read from Klaviyo: what proves an opt-in, which opens are a machine's, and how few calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from hub_klaviyo.stand_in.activity import KLAVIYO
from hub_klaviyo.stand_in.shop_events import clicked, mail, opened
from tests.klaviyo_kit import AS_OF, Bench, serving
from tests.klaviyo_reader import Reader, plain

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
AT = "2026-11-21T12:00:00+00:00"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        made.vendor.world.activity.metric("Received Email", KLAVIYO, 0)
        yield made


def said(reader: Reader) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {
        (row["subject"], row["channel"]): (row["status"], row.get("basis"), row["recorded_at"], row["dated_by"])
        for row in reader.table("consents")
    }


# Consents.


@pytest.mark.parametrize(
    ("agreed", "basis", "dated_by"),
    [
        ({"method": "FORM"}, "opt_in_single", "record"),
        ({"method": "Subscribe Page"}, "opt_in_single", "record"),
        ({"method": "FORM", "double_optin": True}, "opt_in_double", "record"),
        ({"method": "API", "double_optin": True}, "opt_in_double", "record"),
        ({"method": "API"}, None, "file"),
        ({"method": "MANUAL_IMPORT"}, None, "file"),
        ({"method": None}, None, "file"),
        ({"method": "something new"}, None, "file"),
    ],
)
def test_only_a_persons_own_sign_up_or_a_double_opt_in_proves_an_opt_in(
    bench: Bench, agreed: dict[str, Any], basis: str | None, dated_by: str
) -> None:
    bench.vendor.subscribe("Ann@Example.com", **agreed)
    reader = Reader(bench, "profiles")
    reader.read()

    assert said(reader) == {("ann@example.com", "email"): ("subscribed", basis, AT, dated_by)}


def test_a_proof_without_a_time_of_its_own_is_dated_as_a_file_is(bench: Bench) -> None:
    bench.vendor.subscribe("ann@example.com", consent_timestamp=None, last_updated=AT)
    reader = Reader(bench, "profiles")
    reader.read()

    assert said(reader)["ann@example.com", "email"] == ("subscribed", "opt_in_single", AT, "file")


def test_settings_may_trust_every_subscription_whose_time_lifts_nothing(bench: Bench) -> None:
    bench.vendor.subscribe("ann@example.com", method="API")
    reader = Reader(bench, "profiles", proof="subscribed")
    reader.read()

    assert said(reader)["ann@example.com", "email"] == ("subscribed", "opt_in_single", AT, "file")


@given(
    consent=st.one_of(
        st.sampled_from(["SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED"]), st.text(max_size=20), st.none(), st.just(1)
    ),
    may=st.sampled_from([True, False, None]),
    suppressed=st.lists(
        st.sampled_from(
            ["HARD_BOUNCE", "INVALID_EMAIL", "SPAM_COMPLAINT", "UNSUBSCRIBE", "USER_SUPPRESSED", "A_NEW_ONE"]
        ),
        max_size=3,
    ),
    method=st.one_of(st.sampled_from(["FORM", "API"]), st.text(max_size=10), st.none()),
    double=st.sampled_from([True, False, None]),
    trusted=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_nothing_but_a_subscription_that_nothing_bars_is_one(
    consent: Any, may: Any, suppressed: list[str], method: Any, double: Any, trusted: bool
) -> None:
    from hub_klaviyo import people

    email = {
        "consent": consent,
        "can_receive_email_marketing": may,
        "suppression": [{"reason": why, "timestamp": AT} for why in suppressed],
        "method": method,
        "double_optin": double,
        "consent_timestamp": AT,
    }
    profile = {"id": "1", "attributes": {"email": "a@example.com", "subscriptions": {"email": {"marketing": email}}}}
    [row] = people.consents(profile, people.Proof.of(("FORM",), trusts_all=trusted))

    is_yes = consent == "SUBSCRIBED" and may is not False and not suppressed
    assert (row["status"] == "subscribed") == is_yes
    proven = double is True or (isinstance(method, str) and method.strip().lower() == "form")
    assert (row.get("basis") is not None) == (is_yes and (proven or trusted))
    # Only what the person did themselves has a time that lifts a block.
    if row.get("basis") and row["dated_by"] == "record":
        assert proven
    if suppressed:
        wanted = "invalid" if {"HARD_BOUNCE", "INVALID_EMAIL"} & set(suppressed) else "unsubscribed"
        assert row["status"] == wanted


@pytest.mark.parametrize(
    ("consent", "status"),
    [("NEVER_SUBSCRIBED", "never"), ("UNSUBSCRIBED", "unsubscribed"), ("A_NEW_WORD", "unknown")],
)
def test_silence_and_unknown_words_are_no_consent(bench: Bench, consent: str, status: str) -> None:
    bench.vendor.subscribe("ann@example.com", consent=consent)
    reader = Reader(bench, "profiles")
    reader.read()

    assert said(reader)["ann@example.com", "email"][:2] == (status, None)


def test_texts_have_a_consent_of_their_own_about_the_phone(bench: Bench) -> None:
    profile = bench.vendor.world.upsert({"attributes": {"email": "a@example.com", "phone_number": "+4520123456"}}, 0)
    bench.vendor.subscribe("a@example.com", "sms", method="TEXT")
    bench.vendor.subscribe("a@example.com", "whatsapp", consent="UNSUBSCRIBED", phone_number="+4520999999")
    reader = Reader(bench, "profiles")
    reader.read()

    assert said(reader) == {
        ("a@example.com", "email"): ("never", None, None, None),
        ("+4520123456", "sms"): ("subscribed", "opt_in_single", AT, "record"),
        ("+4520999999", "whatsapp"): ("unsubscribed", None, AT, "record"),
    }
    profile.agreed["sms"]["can_receive_sms_marketing"] = False
    again = Reader(bench, "profiles")
    again.read()
    assert said(again)["+4520123456", "sms"][:2] == ("unknown", None)


def test_a_profile_is_a_customer_known_by_address(bench: Bench) -> None:
    row = {"email": "Ann@Bücher.example", "phone_number": "+4520123456", "first_name": "Ann"}
    row["location"] = {"country": "DK", "city": "Aarhus", "zip": "8000"}
    bench.vendor.world.upsert({"attributes": row}, bench.clock.seconds())
    bench.vendor.world.upsert(
        {"attributes": {"phone_number": "+4520999999", "location": {"country": "Danmark"}}}, bench.clock.seconds()
    )
    bench.vendor.world.upsert({"attributes": {"external_id": "nobody"}}, bench.clock.seconds())
    reader = Reader(bench, "profiles")
    reader.read()

    told = [
        (row["customer_id"], row["email"], row["phone"], row["first_name"], row["country"], row["city"])
        for row in reader.table("customers")
    ]
    assert told == [
        ("ann@xn--bcher-kva.example", "ann@bücher.example", "+4520123456", "Ann", "DK", "Aarhus"),
        (None, None, "+4520999999", None, None, None),
    ]


def test_a_later_read_asks_for_what_changed_and_for_suppressions_which_change_no_profile(bench: Bench) -> None:
    for number in range(5):
        bench.vendor.subscribe(f"p{number}@example.com")
    bench.clock.go(2 * 3_600)
    reader = Reader(bench, "profiles")
    reader.read()
    first = reader.calls
    bench.clock.go(86_400)
    bench.vendor.subscribe("p1@example.com", consent="UNSUBSCRIBED")
    bench.vendor.suppress("p2@example.com", "SPAM_COMPLAINT")
    bench.clock.go(60)
    rows = reader.read()

    assert (first, reader.calls) == (["/api/profiles"], ["/api/profiles", "/api/profiles"])
    assert {row["subject"] for row in rows if "subject" in row} == {"p1@example.com", "p2@example.com"}
    assert [said(reader)[f"p{number}@example.com", "email"][0] for number in range(3)] == [
        "subscribed",
        "unsubscribed",
        "unsubscribed",
    ]
    assert reader.remaining == {}


def test_all_profiles_are_read_once_a_week_and_who_is_gone_is_noticed(bench: Bench) -> None:
    for number in range(3):
        bench.vendor.subscribe(f"p{number}@example.com")
    bench.vendor.world.upsert({"attributes": {"phone_number": "+4520123456"}}, bench.clock.seconds())
    reader = Reader(bench, "profiles")
    reader.read()
    bench.vendor.world.erase("p1@example.com")
    bench.clock.now += 7 * DAY - timedelta(seconds=1)
    reader.read()
    early = reader.remaining
    bench.clock.go(1)
    reader.read()

    assert early == {}
    assert reader.remaining == {
        "customers": ["+4520123456", "p0@example.com", "p2@example.com"],
        "consents": ["p0@example.com", "p2@example.com"],
    }
    reader.read()
    assert reader.remaining == {}


def test_2500_profiles_are_read_with_25_calls(bench: Bench) -> None:
    for number in range(2_500):
        bench.vendor.world.upsert({"attributes": {"email": f"p{number}@example.com"}}, bench.clock.seconds())
    reader = Reader(bench, "profiles")
    reader.read()

    assert (len(reader.table("customers")), len(reader.calls)) == (2_500, 25)


# Engagement.


def happened(reader: Reader) -> set[tuple[str, str, str, bool | None]]:
    return {(row["subject"], row["kind"], row["campaign"], row["machine"]) for row in reader.table("engagement")}


def test_what_people_did_with_mails_is_told_and_what_machines_did_is_marked(bench: Bench) -> None:
    vendor = bench.vendor
    vendor.happen("Received Email", "a@example.com", mail("Spring"))
    vendor.happen("Opened Email", "a@example.com", opened("Spring", machine=True))
    vendor.happen("Opened Email", "b@example.com", opened("Spring"))
    vendor.happen("Opened Email", "c@example.com", mail("Old", **{"Apple Privacy Open": True}))
    vendor.happen("Opened Email", "d@example.com", mail("Older"))
    vendor.happen("Clicked Email", "b@example.com", clicked("Spring"))
    vendor.happen("Clicked Email", "c@example.com", clicked("Spring", bot=True))
    vendor.happen("Bounced Email", "e@example.com", {"Subject": "Welcome", "Bounce Type": "Hard"})
    vendor.happen("Marked Email as Spam", "f@example.com", mail("Spring"))
    vendor.happen("Unsubscribed", "g@example.com", {})
    vendor.happen("Added to Cart", "h@example.com", {})
    bench.clock.go(1)
    reader = Reader(bench, "engagement")
    reader.read()

    assert happened(reader) == {
        ("a@example.com", "sent", "Spring", None),
        ("a@example.com", "opened", "Spring", True),
        ("b@example.com", "opened", "Spring", False),
        ("c@example.com", "opened", "Old", True),
        ("d@example.com", "opened", "Older", None),
        ("b@example.com", "clicked", "Spring", False),
        ("c@example.com", "clicked", "Spring", True),
        ("e@example.com", "bounced", "Welcome", None),
        ("f@example.com", "complained", "Spring", None),
        ("g@example.com", "unsubscribed", "none", None),
    }
    assert {row["happened_at"] for row in reader.table("engagement")} == {AS_OF}


def test_events_of_profiles_that_are_gone_are_nobodys(bench: Bench) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("Spring"))
    bench.vendor.happen("Opened Email", "b@example.com", opened("Spring"))
    del bench.vendor.world.profiles[bench.vendor.world.by_email["a@example.com"]]
    bench.clock.go(1)
    reader = Reader(bench, "engagement")
    reader.read()

    assert {row["subject"] for row in reader.table("engagement")} == {"b@example.com"}
    assert reader.rejected == []


def test_engagement_is_not_asked_for_again_within_the_pause(bench: Bench) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("Spring"))
    bench.clock.go(1)
    reader = Reader(bench, "engagement", pause="1h")
    reader.read()
    bench.clock.now += HOUR - timedelta(seconds=1)
    early = reader.read(), reader.calls
    bench.clock.go(1)
    reader.read()

    assert early == ([], [])
    assert reader.calls == ["/api/metrics", "/api/events", "/api/events"]


def test_history_and_reach_begin_where_the_settings_say(bench: Bench) -> None:
    for days in (9, 11):
        bench.vendor.happen("Opened Email", "a@example.com", opened(f"{days} days"), ago=days * 86_400)
    reader = Reader(bench, "engagement", history="10d")
    reader.read()

    assert [row["campaign"] for row in reader.table("engagement")] == ["9 days"]
    assert reader.source.reach("engagement") == api.Reach(AS_OF - 10 * DAY, AS_OF)
    bench.clock.now += DAY
    reader.read()
    assert reader.source.reach("engagement") == api.Reach(AS_OF - 10 * DAY, AS_OF + DAY)


@pytest.mark.parametrize(("late", "found_after"), [(timedelta(hours=1), 1), (5 * DAY, 5), (9 * DAY, None)])
def test_events_that_show_late_are_found_within_the_settings(
    bench: Bench, late: timedelta, found_after: int | None
) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("there"))
    bench.clock.go(1)
    reader = Reader(bench, "engagement", late="7d")
    reader.read()
    bench.vendor.happen("Opened Email", "a@example.com", opened("late"), late=late.total_seconds())
    seen = None
    for day in range(1, 12):
        bench.clock.now += DAY if found_after != 1 else timedelta(hours=1.5)
        reader.read()
        if seen is None and "late" in {row["campaign"] for row in reader.table("engagement")}:
            seen = day

    assert seen == found_after


def test_an_event_of_tomorrow_waits_for_tomorrow(bench: Bench) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("tomorrow"), ago=-86_400, late=-86_400)
    reader = Reader(bench, "engagement")
    reader.read()
    today = reader.table("engagement")
    bench.clock.now += DAY + HOUR
    reader.read()

    assert today == []
    assert [row["campaign"] for row in reader.table("engagement")] == ["tomorrow"]


def test_each_metric_costs_a_call_for_a_thousand_events(bench: Bench) -> None:
    for number in range(2_001):
        bench.vendor.happen("Received Email", f"p{number % 50}@example.com", mail(f"Mail {number}"), ago=10)
    bench.vendor.happen("Opened Email", "p1@example.com", opened("Mail 1"), ago=9)
    reader = Reader(bench, "engagement")
    reader.read()

    assert len(reader.table("engagement")) == 2_002
    assert reader.calls == ["/api/metrics"] + ["/api/events"] * 4


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"datetime": "yesterday", "event_properties": {}}, "datetime: 'yesterday' is no time"),
        ({"datetime": None, "event_properties": {}}, "datetime: 'None' is no time"),
        ({"datetime": AT, "event_properties": ["x"]}, "event_properties are no object"),
        (None, "datetime: 'None' is no time"),
    ],
)
def test_an_event_that_cannot_be_read_is_named_and_costs_nothing_else(
    bench: Bench, event: dict[str, Any] | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.vendor.happen("Opened Email", "good@example.com", opened("Spring"), ago=5)
    bench.vendor.happen("Opened Email", "poison@example.com", opened("Spring"), ago=4)
    bench.vendor.happen("Opened Email", "fine@example.com", opened("Spring"), ago=3)
    damage(bench, "poison@example.com", event)
    reader = Reader(bench, "engagement")
    reader.read()

    assert {row["subject"] for row in reader.table("engagement")} == {"good@example.com", "fine@example.com"}
    [rejected] = reader.rejected
    assert (rejected.table, rejected.reason) == ("engagement", why)
    assert rejected.origin.startswith("Opened Email, event ")


def damage(bench: Bench, email: str, attributes: dict[str, Any] | None) -> None:
    """Let the vendor answer with something else for one person's events."""
    answer, number = bench.vendor.answer, bench.vendor.world.by_email[email]

    def damaged(asked: api.Asked) -> api.Answer:
        told = answer(asked)
        for each in told.body.get("data", ()) if asked.path == "/api/events" else ():
            if each["relationships"]["profile"]["data"]["id"] == number:
                each["attributes"] = attributes
        return told

    bench.vendor.answer = damaged  # type: ignore[method-assign]  # this vendor misbehaves


@pytest.mark.parametrize("profile", [{"type": "profile", "id": "P9"}, {"type": "profile", "id": "P9", "attributes": 7}])
def test_a_profile_that_cannot_be_read_is_named_and_costs_nothing_else(bench: Bench, profile: dict[str, Any]) -> None:
    bench.vendor.subscribe("good@example.com")
    answer = bench.vendor.answer

    def damaged(asked: api.Asked) -> api.Answer:
        told = answer(asked)
        told.body["data"].insert(0, profile)
        return told

    bench.vendor.answer = damaged  # type: ignore[method-assign]  # this vendor misbehaves
    reader = Reader(bench, "profiles")
    reader.read()

    assert [row["email"] for row in reader.table("customers")] == ["good@example.com"]
    assert reader.rejected == [api.Reject("customers", "profile P9", "the profile has no attributes", ANY)]


# Paging, killing, repeating.


def busy(bench: Bench, people: int, seconds: list[int]) -> None:
    """Let people read mails at moments of which several may be the same."""
    for number, ago in enumerate(seconds):
        email = f"p{number % people}@example.com"
        metric = ("Received Email", "Opened Email", "Clicked Email")[number % 3]
        bench.vendor.happen(metric, email, mail(f"Mail {number}"), ago=ago)
        bench.vendor.subscribe(email, consent=("SUBSCRIBED", "UNSUBSCRIBED")[number % 2])


@given(
    seconds=st.lists(st.one_of(st.integers(1, 9), st.integers(1, 40 * 86_400)), min_size=1, max_size=40),
    page=st.integers(1, 9),
    kills=st.lists(st.integers(0, 12), max_size=6),
    pause=st.integers(0, 30 * 86_400),
    stream=st.sampled_from(["engagement", "profiles"]),
)
@settings(max_examples=20, deadline=None)
def test_any_paging_and_any_kill_give_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory,
    seconds: list[int],
    page: int,
    kills: list[int],
    pause: int,
    stream: str,
) -> None:
    with serving(tmp_path_factory.mktemp("kills"), judged=False) as bench, pytest.MonkeyPatch.context() as patch:
        bench.vendor.world.activity.metric("Received Email", KLAVIYO, 0)
        busy(bench, 7, seconds)
        whole = Reader(bench, stream, pause="0s", history="3650d")
        whole.read()
        patch.setattr("hub_klaviyo.account.EVENTS_A_PAGE", page)
        patch.setattr("hub_klaviyo.feed.EVENTS_A_PAGE", page)
        patch.setattr("hub_klaviyo.account.PAGE", page)
        killed = Reader(bench, stream, pause="0s", history="3650d")
        for pages in kills:
            killed.read(pages=pages)
            bench.clock.go(pause)
        killed.read()
        bench.clock.go(pause)
        killed.read()

        assert plain(killed.stored) == plain(whole.stored)


def test_the_same_rows_after_a_second_pull(bench: Bench) -> None:
    busy(bench, 5, [3, 4, 5, 7_000, 9_000, 100_000])
    for stream in ("engagement", "profiles"):
        reader = Reader(bench, stream, pause="0s")
        reader.read()
        before = plain(reader.stored)
        reader.read()
        assert plain(reader.stored) == before


# Failures, limits.


@pytest.mark.parametrize("fault", ["rate-limit", "rate-limit-bare", "server-error", "drop-before"])
def test_a_read_that_failed_is_tried_again(bench: Bench, fault: str) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("Spring"), ago=5)
    reader = Reader(bench, "engagement")
    bench.vendor.fault(fault, path="/api/events")
    reader.read()

    assert len(reader.table("engagement")) == 1


@pytest.mark.parametrize(("stream", "path"), [("profiles", "/api/profiles"), ("engagement", "/api/events")])
def test_a_missing_scope_says_what_to_do(bench: Bench, stream: str, path: str) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("Spring"), ago=5)
    bench.vendor.fault("forbidden", path=path)

    with pytest.raises(api.AuthError) as caught:
        Reader(bench, stream).read()
    assert "read access to events, profiles and metrics" in str(caught.value.next_step)


def test_profiles_are_read_within_the_limits_and_hardly_ever_refused(tmp_path: Path) -> None:
    with serving(tmp_path, limits=True) as bench, pytest.MonkeyPatch.context() as patch:
        patch.setattr("hub_klaviyo.account.PAGE", 1)
        for number in range(800):
            bench.vendor.world.upsert({"attributes": {"email": f"p{number}@example.com"}}, bench.clock.seconds())
        bench.clock.go(60 - bench.clock.seconds() % 60)
        began = bench.clock.seconds()
        reader = Reader(bench, "profiles")
        reader.read()
        took = bench.clock.seconds() - began

        refused = sum(status == 429 for _, _, status in bench.vendor.requests)
        assert len(reader.table("customers")) == 800
        # 700 a minute: the last hundred calls wait for the second minute.
        assert 60 <= took < 70
        assert refused <= 8


# Check.


def test_check_finds_key_scopes_and_metrics(bench: Bench) -> None:
    for metric in ("Opened Email", "Received Email"):
        bench.vendor.happen(metric, "a@example.com", opened("Spring"))
    for metric in ("Checkout Started", "Placed Order", "Viewed Product"):
        bench.vendor.happen(metric, "a@example.com", {}, integration="Shopify")

    found = list(bench.source(views_allowed=True).check())

    assert {each.level for each in found} == {api.Level.OK}
    texts = [each.text for each in found]
    assert "engagement: Received Email, Opened Email" in texts
    assert "orders: Placed Order" in texts


def test_check_names_the_scopes_that_are_missing(bench: Bench) -> None:
    bench.vendor.fault("forbidden", path="/api/events")

    errors = [each for each in bench.source().check() if each.level is api.Level.ERROR]

    assert [(each.text, each.code) for each in errors] == [("the API key lacks events:read", "missing-scopes")]


def test_check_says_which_metrics_are_missing_and_what_to_set(bench: Bench) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("Spring"))
    bench.vendor.happen("Placed Order", "a@example.com", {}, integration="WooCommerce")
    bench.vendor.happen("Started Checkout", "a@example.com", {}, integration="Shopify")

    found = {each.text: each.next_step for each in bench.source().check() if each.level is api.Level.WARNING}

    assert found == {
        "there is no metric 'Viewed Product' of Shopify: nothing is read as views": "Shopify has Started Checkout: name the "
        "one that is meant, or take views out of parts.",
        "there is no metric 'Checkout Started' of Shopify: nothing is read as carts": "Shopify has Started Checkout: name the "
        "one that is meant, or take carts out of parts.",
        "there is no metric 'Placed Order' of Shopify: nothing is read as orders": "There is one of WooCommerce: set "
        'integration = "WooCommerce".',
    }


def test_a_refused_key_is_an_error_of_its_own(bench: Bench) -> None:
    bench.vendor.fault("expired-key")

    with pytest.raises(api.AuthError):
        list(bench.source().check())


def test_a_key_that_may_not_see_the_account_reads_all_the_same(bench: Bench) -> None:
    bench.vendor.happen("Opened Email", "a@example.com", opened("Spring"))
    bench.vendor.fault("forbidden", path="/api/accounts")

    found = list(bench.source(parts=["engagement"]).check())

    assert [each.level for each in found if each.level in {api.Level.ERROR, api.Level.WARNING}] == []
    assert "accounts:read" in found[0].text
