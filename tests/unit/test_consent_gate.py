"""What the gate makes of statements, blocks, addresses and times."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.errors import ConfigError
from tests.unit.consent_world import AS_OF, World, address_key

T1, T2, T3 = (datetime(2026, month, 1) for month in (1, 2, 3))
MAIL = "a@x.dk"
FILE = {"dated_by": "file"}


def shop(**settings: Any) -> World:
    return World(settings=settings).person(emails=(MAIL,))


def flags(user_data: bool | None = True, personalization: bool | None = True) -> dict[str, Any]:
    return {"ad_user_data": user_data, "ad_personalization": personalization}


# Statements on one channel as (status, time, columns), and what they come to in Denmark.
MERGING: list[tuple[str, list[tuple[str, datetime | None, dict[str, Any]]], str]] = [
    ("nothing said", [], "NO_CONSENT"),
    ("a yes", [("subscribed", T1, {})], "OPT_IN"),
    ("a yes dated by its file", [("subscribed", T1, FILE)], "OPT_IN"),
    ("a double yes", [("subscribed", T1, {"basis": "opt_in_double"})], "OPT_IN"),
    ("a yes without a basis", [("subscribed", T1, {"basis": None})], "NO_CONSENT"),
    ("a yes with basis none", [("subscribed", T1, {"basis": "none"})], "NO_CONSENT"),
    ("a yes on soft opt-in alone", [("subscribed", T1, {"basis": "soft_opt_in"})], "NO_CONSENT"),
    ("a yes implied by a purchase", [("subscribed", T1, {"basis": "implied_purchase"})], "NO_CONSENT"),
    ("a yes of no time at all", [("subscribed", None, {})], "NO_CONSENT"),
    ("a yes known since its loading", [("subscribed", None, {"loaded_at": T1})], "OPT_IN"),
    ("a yes that expired", [("subscribed", T1, {"expires_at": T2})], "NO_CONSENT"),
    ("a yes that will expire", [("subscribed", T1, {"expires_at": AS_OF + timedelta(days=1)})], "OPT_IN"),
    ("a yes that expires now", [("subscribed", T1, {"expires_at": AS_OF})], "NO_CONSENT"),
    ("a yes yet to come", [("subscribed", AS_OF + timedelta(seconds=1), {})], "NO_CONSENT"),
    ("a yes just now", [("subscribed", AS_OF, {})], "OPT_IN"),
    ("unconfirmed", [("pending", T1, {})], "PENDING_CONFIRMATION"),
    ("a shop's no", [("never", T1, {})], "NO_CONSENT"),
    ("an unknown status", [("unknown", T1, {})], "NO_CONSENT"),
    ("a status from the future", [("celebrated", T1, {})], "NO_CONSENT"),
    ("a dead address", [("invalid", T1, {})], "INVALID_ADDRESS"),
    ("a withdrawal", [("unsubscribed", T1, {})], "OPTED_OUT"),
    ("a withdrawal to come", [("unsubscribed", AS_OF + timedelta(days=9), {})], "OPTED_OUT"),
    ("a withdrawal of no time", [("unsubscribed", None, {}), ("subscribed", T3, {"source": "list"})], "OPTED_OUT"),
    # one source, several subjects
    ("one source: yes, then no", [("subscribed", T1, {}), ("never", T2, {})], "OPTED_OUT"),
    ("one source: no, then yes", [("never", T1, {}), ("subscribed", T2, {})], "OPT_IN"),
    ("one source: no and yes at once", [("never", T1, {}), ("subscribed", T1, {})], "OPT_IN"),
    ("one source: yes, then unknown", [("subscribed", T1, {}), ("unknown", T2, {})], "NO_CONSENT"),
    ("one source: pending, then yes", [("pending", T1, {}), ("subscribed", T2, {})], "OPT_IN"),
    ("one source: yes, then pending", [("subscribed", T1, {}), ("pending", T2, {})], "PENDING_CONFIRMATION"),
    ("one source: withdrawn, then yes", [("unsubscribed", T1, {}), ("subscribed", T2, {})], "OPT_IN"),
    ("one source: withdrawn, then a file's yes", [("unsubscribed", T1, {}), ("subscribed", T2, FILE)], "OPTED_OUT"),
    (
        "one source: yes, no, and elsewhere a later yes",
        [("subscribed", T1, {}), ("never", T2, {}), ("subscribed", T3, {"source": "list"})],
        "OPT_IN",
    ),
    (
        "one source: yes, no, no, and elsewhere a yes between the two",
        [
            ("subscribed", T1, {}),
            ("never", T1 + timedelta(days=1), {}),
            ("never", T3, {}),
            ("subscribed", T2, {"source": "list"}),
        ],
        "OPT_IN",
    ),
    # two sources
    ("elsewhere a later no", [("subscribed", T1, {}), ("never", T2, {"source": "list"})], "OPT_IN"),
    ("elsewhere a later unknown", [("subscribed", T1, {}), ("unknown", T2, {"source": "list"})], "OPT_IN"),
    (
        "elsewhere unconfirmed, earlier",
        [("subscribed", T2, {}), ("pending", T1, {"source": "list"})],
        "PENDING_CONFIRMATION",
    ),
    ("elsewhere a withdrawal, later", [("subscribed", T1, {}), ("unsubscribed", T2, {"source": "list"})], "OPTED_OUT"),
    (
        "elsewhere a withdrawal, at once",
        [("subscribed", T1, {}), ("unsubscribed", T1, {"source": "list"})],
        "OPTED_OUT",
    ),
    ("elsewhere a withdrawal, earlier", [("subscribed", T2, {}), ("unsubscribed", T1, {"source": "list"})], "OPT_IN"),
    (
        "elsewhere a withdrawal before a file's yes",
        [("subscribed", T2, FILE), ("unsubscribed", T1, {"source": "list"})],
        "OPTED_OUT",
    ),
    (
        "elsewhere a withdrawal before a yes without a basis",
        [("subscribed", T2, {"basis": None}), ("unsubscribed", T1, {"source": "list"})],
        "OPTED_OUT",
    ),
    (
        "elsewhere a withdrawal before a yes that expired",
        [("subscribed", T2, {"expires_at": T3}), ("unsubscribed", T1, {"source": "list"})],
        "OPTED_OUT",
    ),
    ("elsewhere dead, then a yes", [("subscribed", T2, {}), ("invalid", T1, {"source": "list"})], "OPT_IN"),
    ("elsewhere dead, later", [("subscribed", T1, {}), ("invalid", T2, {"source": "list"})], "INVALID_ADDRESS"),
    ("dead and withdrawn", [("unsubscribed", T1, {}), ("invalid", T1, {"source": "list"})], "INVALID_ADDRESS"),
]


@pytest.fixture(scope="module")
def merged() -> dict[int, str]:
    world = World()
    for person, (_, said, _) in enumerate(MERGING):
        mail = f"p{person}@x.dk"
        world.person(person, emails=(mail,))
        for number, (status, at, columns) in enumerate(said):
            world.says(mail, "email", status, at, **({"subject": str(number), "person_id": person} | columns))
    return world.clear("email_marketing")[0]


@pytest.mark.parametrize(
    ("person", "code"), [(person, case[2]) for person, case in enumerate(MERGING)], ids=[case[0] for case in MERGING]
)
def test_statements_merge(merged: dict[int, str], person: int, code: str) -> None:
    assert merged[person] == code


@pytest.mark.parametrize(
    ("reason", "newer_yes", "newer_file", "older_yes"),
    [
        ("unsubscribed", "OPT_IN", "OPTED_OUT", "OPTED_OUT"),
        ("soft_bounce", "OPT_IN", "SUPPRESSED", "SUPPRESSED"),
        ("hard_bounce", "SUPPRESSED", "SUPPRESSED", "SUPPRESSED"),
        ("complaint", "SUPPRESSED", "SUPPRESSED", "SUPPRESSED"),
        ("manual", "SUPPRESSED", "SUPPRESSED", "SUPPRESSED"),
        ("erasure", "SUPPRESSED", "SUPPRESSED", "SUPPRESSED"),
    ],
)
def test_a_newer_opt_in_of_its_own_time_lifts_an_opt_out_and_a_soft_bounce_only(
    reason: str, newer_yes: str, newer_file: str, older_yes: str
) -> None:
    def answer(at: datetime, dated_by: str) -> str:
        world = shop().blocked(MAIL, reason, T2, "email").says(MAIL, "email", "subscribed", at, dated_by=dated_by)
        return world.verdict("email_marketing")

    assert answer(T3, "record") == newer_yes
    assert answer(T3, "file") == newer_file
    assert answer(T2, "record") == older_yes
    assert answer(T1, "record") == older_yes


def test_a_block_without_a_time_is_never_lifted() -> None:
    world = shop().blocked(MAIL, "unsubscribed", None).says(MAIL, "email", "subscribed", T3)

    assert world.verdict("email_marketing") == "OPTED_OUT"


@pytest.mark.parametrize(("channel", "bars"), [("email", True), ("*", True), ("sms", False), ("ads", False)])
def test_a_block_bars_its_own_channel(channel: str, bars: bool) -> None:
    world = shop().says(MAIL, "email", "subscribed", T1).blocked(MAIL, "manual", T2, channel)

    assert world.verdict("email_marketing") == ("SUPPRESSED" if bars else "OPT_IN")


def test_an_erasure_bars_every_channel_and_the_shop_itself() -> None:
    world = shop().says(MAIL, "ads", "subscribed", T1, **flags()).blocked(MAIL, "erasure", T2, "email")

    assert world.verdict("ads") == "SUPPRESSED"
    assert world.verdict("own_shop") == "SUPPRESSED"


def test_an_opt_in_elsewhere_on_another_channel_lifts_nothing() -> None:
    world = shop().blocked(MAIL, "unsubscribed", T1).says(MAIL, "ads", "subscribed", T2, **flags())
    world.says(MAIL, "email", "subscribed", T1)

    assert world.verdict("ads") == "ADS_FLAGS"
    assert world.verdict("email_marketing") == "OPTED_OUT"


def two_addresses() -> World:
    return World().person(emails=("a@x.dk", "b@x.dk"))


def test_the_address_with_the_newest_clearing_record_is_used() -> None:
    world = two_addresses().says("a@x.dk", "email", "subscribed", T2).says("b@x.dk", "email", "subscribed", T1)

    [row] = world.cleared("email_marketing")

    assert (row["email"], row["member_key"]) == ("a@x.dk", address_key("email", "a@x.dk"))
    assert (row["record_source"], row["record_basis"], row["recorded_at"]) == ("shop", "opt_in_single", T2)


def test_of_two_equal_clearing_records_the_address_seen_last_is_used() -> None:
    world = World().person(emails=("a@x.dk",)).identity(1, "email", "b@x.dk", last_seen_at=T3)
    world.says("a@x.dk", "email", "subscribed", T1).says("b@x.dk", "email", "subscribed", T1)

    assert [row["email"] for row in world.cleared("email_marketing")] == ["b@x.dk"]


def test_permission_belongs_to_the_address_it_was_given_for() -> None:
    world = two_addresses().identity(1, "email", "c@x.dk", last_seen_at=T3).says("a@x.dk", "email", "subscribed", T1)

    assert [row["email"] for row in world.cleared("email_marketing")] == ["a@x.dk"]


@pytest.mark.parametrize(
    ("on_the_other", "code"),
    [
        ({"status": "unsubscribed"}, "OPTED_OUT"),
        ({"status": "invalid"}, "OPT_IN"),
        ({"status": "pending"}, "OPT_IN"),
        ({"reason": "unsubscribed"}, "OPTED_OUT"),
        ({"reason": "complaint"}, "SUPPRESSED"),
        ({"reason": "manual"}, "SUPPRESSED"),
        ({"reason": "erasure"}, "SUPPRESSED"),
        ({"reason": "hard_bounce"}, "OPT_IN"),
        ({"reason": "soft_bounce"}, "OPT_IN"),
    ],
)
def test_a_refusal_counts_for_the_person_and_a_dead_address_for_itself(on_the_other: dict[str, str], code: str) -> None:
    world = two_addresses().says("a@x.dk", "email", "subscribed", T3)
    if "status" in on_the_other:
        world.says("b@x.dk", "email", on_the_other["status"], T1)
    else:
        world.blocked("b@x.dk", on_the_other["reason"], T1)

    assert world.verdict("email_marketing") == code


def test_a_refusal_given_for_a_former_address_still_counts() -> None:
    world = shop().says(MAIL, "email", "subscribed", T2).says("old@x.dk", "email", "unsubscribed", T1)

    assert world.verdict("email_marketing") == "OPTED_OUT"


def test_nobody_is_contacted_at_a_former_address() -> None:
    world = shop().says("old@x.dk", "email", "subscribed", T2)

    assert world.verdict("email_marketing") == "NO_CONSENT"


def test_a_block_on_the_customer_id_withholds_the_person() -> None:
    world = shop().identity(1, "customer", "77").says(MAIL, "email", "subscribed", T2).blocked("77", "manual", T1)

    assert world.verdict("email_marketing") == "SUPPRESSED"


def test_of_several_addresses_the_one_that_came_furthest_gives_the_reason() -> None:
    world = two_addresses().says("a@x.dk", "email", "invalid", T1).says("b@x.dk", "email", "pending", T1)

    assert world.verdict("email_marketing") == "PENDING_CONFIRMATION"


@pytest.mark.parametrize(
    ("purpose", "identify_by"),
    [
        ("email_marketing", ("email",)),
        ("sms_marketing", ("phone",)),
        ("ads", ("phone", "email")),
        ("own_shop", ("email",)),
    ],
)
def test_a_member_without_an_address_has_none(purpose: str, identify_by: tuple[str, ...]) -> None:
    world = World().person()
    world.rows["members"].append({"person_id": 99})

    assert set(world.clear(purpose, identify_by)[0].values()) == {"NO_ADDRESS"}


def test_the_withheld_are_named_by_the_keyed_hash_of_their_reference() -> None:
    world = two_addresses().person(2, phones=("+4520000002",)).person(3)
    verdict = world.gate().clear("members", purpose="email_marketing", identify_by=("email",))

    keys = dict(world.con.execute(f"select person_id, person_key from {verdict.withheld}").fetchall())

    assert keys == {
        1: address_key("email", "a@x.dk"),
        2: address_key("phone", "+4520000002"),
        3: address_key("customer", "shop:3"),
    }


def test_two_people_on_one_phone_get_one_text() -> None:
    world = World().person(1, phones=("+4520000001",)).person(2, phones=("+4520000001",), emails=("b@x.dk",))
    world.says("+4520000001", "sms", "subscribed", T1, person_id=2)

    answers, rows = world.clear("sms_marketing", ("phone",))

    assert answers == {1: "SAME_ADDRESS", 2: "OPT_IN"}
    assert [row["phone"] for row in rows] == ["+4520000001"]


@pytest.mark.parametrize(
    ("as_of", "now", "code"),
    [(T1, T3, "NO_CONSENT"), (T2, T3, "OPT_IN"), (T2, T3 + timedelta(days=1), "NO_CONSENT"), (T3, T2, "OPT_IN")],
)
def test_a_past_as_of_knows_no_later_permission_and_forgets_no_expiry(
    as_of: datetime, now: datetime, code: str
) -> None:
    world = World(as_of=as_of, now=now).person(emails=(MAIL,))
    world.says(MAIL, "email", "subscribed", T2, expires_at=T3 + timedelta(hours=1))

    assert world.verdict("email_marketing") == code


def test_a_withdrawal_counts_for_a_past_as_of() -> None:
    world = World(as_of=T2, now=AS_OF).person(emails=(MAIL,)).says(MAIL, "email", "subscribed", T1)
    world.says(MAIL, "email", "unsubscribed", T3, source="list")

    assert world.verdict("email_marketing") == "OPTED_OUT"


# -- soft opt-in and implied consent


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"notice": True}, "SOFT_OPT_IN"),
        ({"notice": False}, "NO_CONSENT"),
        ({"notice": None}, "NO_CONSENT"),
        ({"notice": True, "at": AS_OF + timedelta(days=1)}, "NO_CONSENT"),
        ({"notice": True, "status": "unknown"}, "SOFT_OPT_IN"),
        ({"notice": True, "status": "pending"}, "PENDING_CONFIRMATION"),
        ({"notice": True, "status": "unsubscribed"}, "OPTED_OUT"),
        ({"notice": True, "basis": "soft_opt_in", "status": "subscribed"}, "SOFT_OPT_IN"),
    ],
)
def test_soft_opt_in_needs_the_notice_and_no_objection(columns: dict[str, Any], code: str) -> None:
    said = {"status": "never", "at": T1} | columns
    world = shop(soft_opt_in=True).buys(T1).says(MAIL, "email", said.pop("status"), said.pop("at"), **said)

    assert world.verdict("email_marketing") == code


@pytest.mark.parametrize(
    ("at", "counted", "code"),
    [
        (AS_OF - timedelta(seconds=1), True, "SOFT_OPT_IN"),
        (AS_OF, True, "NO_CONSENT"),
        (T1, False, "NO_CONSENT"),
    ],
)
def test_soft_opt_in_needs_a_counted_order_before_as_of(at: datetime, counted: bool, code: str) -> None:
    world = shop(soft_opt_in=True).buys(at, counted=counted).says(MAIL, "email", "never", T1, notice=True)

    assert world.verdict("email_marketing") == code


@pytest.mark.parametrize(("earlier", "later", "code"), [(True, False, "NO_CONSENT"), (False, True, "SOFT_OPT_IN")])
def test_the_latest_word_on_the_notice_counts(earlier: bool, later: bool, code: str) -> None:
    world = shop(soft_opt_in=True).buys(T1).says(MAIL, "email", "never", T1, notice=earlier)
    world.says(MAIL, "email", "unknown", T2, notice=later, source="till")

    assert world.verdict("email_marketing") == code


def canadian(**now: datetime) -> World:
    return World(country="CA", settings={"casl_implied": True}, **now).person(emails=(MAIL,))


@pytest.mark.parametrize(
    ("bought", "code"),
    [
        (datetime(2024, 11, 1, 12, 0, 1), "IMPLIED"),
        (datetime(2024, 11, 1, 12), "NO_CONSENT"),
    ],
)
def test_an_order_implies_consent_for_24_months(bought: datetime, code: str) -> None:
    world = canadian().buys(bought)

    assert world.verdict("email_marketing") == code


def test_an_order_that_implies_consent_is_the_clearing_record() -> None:
    [row] = canadian().buys(T1).cleared("email_marketing")

    assert (row["record_source"], row["record_basis"], row["recorded_at"]) == ("orders", "implied_purchase", T1)


@pytest.mark.parametrize(
    ("basis", "at", "columns", "code"),
    [
        ("implied_inquiry", T1, {"expires_at": AS_OF + timedelta(seconds=1)}, "IMPLIED"),
        ("implied_inquiry", T1, {"expires_at": AS_OF}, "NO_CONSENT"),
        ("implied_inquiry", datetime(2026, 5, 2), {}, "IMPLIED"),
        ("implied_inquiry", datetime(2026, 5, 1, 12), {}, "NO_CONSENT"),
        ("implied_inquiry", datetime(2026, 5, 2), FILE, "NO_CONSENT"),
        ("implied_purchase", datetime(2024, 11, 2), {}, "IMPLIED"),
        ("implied_purchase", datetime(2024, 11, 1), {}, "NO_CONSENT"),
        ("opt_in_single", T1, {}, "OPT_IN"),
    ],
)
def test_recorded_implied_consent_lasts_until_it_expires(
    basis: str, at: datetime, columns: dict[str, Any], code: str
) -> None:
    world = canadian().says(MAIL, "email", "subscribed", at, basis=basis, **columns)

    assert world.verdict("email_marketing") == code


def test_implied_consent_has_expired_when_it_is_delivered_late() -> None:
    world = canadian(now=datetime(2026, 12, 1)).buys(datetime(2024, 11, 15))

    assert world.verdict("email_marketing") == "NO_CONSENT"


def test_a_purchase_turns_no_withdrawal_into_anything() -> None:
    world = canadian().says(MAIL, "email", "unsubscribed", T1).buys(T2)
    world.says(MAIL, "email", "subscribed", T3, basis="implied_purchase", source="till")

    assert world.verdict("email_marketing") == "OPTED_OUT"


# -- ads


@pytest.mark.parametrize(
    ("country", "columns", "code"),
    [
        ("DK", flags(), "ADS_FLAGS"),
        ("DK", flags(True, None), "ADS_CONSENT_MISSING"),
        ("DK", flags(None, True), "ADS_CONSENT_MISSING"),
        ("DK", flags(True, False), "ADS_CONSENT_MISSING"),
        ("DK", flags(None, None), "ADS_CONSENT_MISSING"),
        ("DK", flags() | {"expires_at": T2}, "ADS_CONSENT_MISSING"),
        ("DK", flags() | {"status": "pending"}, "PENDING_CONFIRMATION"),
        ("DK", flags() | {"status": "unsubscribed"}, "OPTED_OUT"),
        ("DK", flags() | {"status": "invalid"}, "INVALID_ADDRESS"),
        ("DK", flags() | {"status": "never"}, "ADS_FLAGS"),
        ("DK", flags() | {"sale_opt_out": True}, "SALE_OPT_OUT"),
        ("AU", flags(True, None), "OPT_IN"),
        ("AU", flags(True, False), "NO_CONSENT"),
        ("AU", {"basis": None}, "OPT_IN"),
        ("AU", {"basis": "soft_opt_in"}, "NO_CONSENT"),
        ("AU", {"status": "never", "basis": None}, "NO_CONSENT"),
        ("AU", {"status": "never", "sale_opt_out": False, "basis": None}, "NO_CONSENT"),
        ("AU", {"sale_opt_out": True}, "SALE_OPT_OUT"),
        ("US", {"status": "never", "basis": None}, "OPT_OUT_REGIME"),
        ("US", {"status": "unknown", "sale_opt_out": False, "basis": None}, "OPT_OUT_REGIME"),
        ("US", {"sale_opt_out": True}, "SALE_OPT_OUT"),
        ("US", flags(False, None), "NO_CONSENT"),
        ("US", {"status": "unsubscribed"}, "OPTED_OUT"),
        (None, flags(), "ADS_FLAGS"),
        (None, {}, "REGION_UNKNOWN"),
    ],
)
def test_ads_need_their_own_consent(country: str | None, columns: dict[str, Any], code: str) -> None:
    world = World(country=country, settings={"us_ads_mode": "opt_out"}).person(emails=(MAIL,))
    said = {"status": "subscribed"} | columns
    world.says(MAIL, "ads", said.pop("status"), T1, **said)

    assert world.verdict("ads") == code


def test_permission_for_mail_is_none_for_ads() -> None:
    assert shop().says(MAIL, "email", "subscribed", T1).verdict("ads") == "ADS_CONSENT_MISSING"


def test_an_opt_out_of_mail_is_none_of_ads() -> None:
    world = shop().says(MAIL, "email", "unsubscribed", T1).says(MAIL, "ads", "subscribed", T1, **flags())

    assert world.verdict("ads") == "ADS_FLAGS"


def test_an_opt_out_of_sale_counts_from_any_channel_and_address() -> None:
    world = World().person(emails=(MAIL,), phones=("+4520000001",)).says(MAIL, "ads", "subscribed", T3, **flags())
    world.says("+4520000001", "sms", "subscribed", T1, sale_opt_out=True)

    assert world.verdict("ads") == "SALE_OPT_OUT"
    assert world.verdict("sms_marketing", ("phone",)) == "OPT_IN"


@pytest.mark.parametrize(
    ("refused", "granted", "dated_by", "code"),
    [
        (T1, T2, "record", "ADS_FLAGS"),
        (T1, T2, "file", "ADS_CONSENT_MISSING"),
        (T2, T2, "record", "ADS_CONSENT_MISSING"),
        (T2, T1, "record", "ADS_CONSENT_MISSING"),
    ],
)
def test_a_refused_flag_is_lifted_by_a_newer_grant_of_its_own_time(
    refused: datetime, granted: datetime, dated_by: str, code: str
) -> None:
    world = shop().says(MAIL, "ads", "unknown", refused, source="web", **flags(None, False))
    world.says(MAIL, "ads", "subscribed", granted, dated_by=dated_by, **flags())

    assert world.verdict("ads") == code


def test_the_two_flags_come_from_one_statement() -> None:
    world = shop().says(MAIL, "ads", "subscribed", T1, **flags(True, None))
    world.says(MAIL, "ads", "subscribed", T1, source="web", **flags(None, True))

    assert world.verdict("ads") == "ADS_CONSENT_MISSING"


def test_each_identifier_for_ads_is_itself_cleared() -> None:
    world = (
        World().person(emails=(MAIL,), phones=("+4520000001",)).says("+4520000001", "ads", "subscribed", T1, **flags())
    )

    [row] = world.cleared("ads", ("email", "phone"))

    assert (row["email"], row["phone"]) == (None, "+4520000001")
    assert row["member_key"] == address_key("phone", "+4520000001")


def test_the_kind_named_first_is_the_main_address() -> None:
    world = World().person(emails=(MAIL,), phones=("+4520000001",))
    for address in (MAIL, "+4520000001"):
        world.says(address, "ads", "subscribed", T1, **flags())

    for identify_by, main in (
        (("email", "phone"), address_key("email", MAIL)),
        (("phone", "email"), address_key("phone", "+4520000001")),
    ):
        [row] = world.cleared("ads", identify_by)
        assert (row["member_key"], row["email"], row["phone"]) == (main, MAIL, "+4520000001")


# Signals of web analytics as (time, ads_consent), the source of the ads consent, and the answer in Denmark and Australia.
@pytest.mark.parametrize(
    ("signals", "source", "strict", "elsewhere"),
    [
        ([], "shop", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, True)], "shop", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, False)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
        ([(T1, False), (T2, True)], "shop", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, True), (T2, False)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
        ([(T1, True), (T1, False)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
        ([(T1, False), (T2, None)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
        ([(T1, None)], "shop", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, None)], "web", "ADS_STORAGE_DENIED", "ADS_FLAGS"),
        ([(T1, True)], "web", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, True), (T2, None)], "web", "ADS_STORAGE_DENIED", "ADS_FLAGS"),
    ],
)
def test_the_latest_analytics_signal_may_deny_ads(
    signals: list[tuple[datetime, bool | None]], source: str, strict: str, elsewhere: str
) -> None:
    for country, code in (("DK", strict), ("AU", elsewhere)):
        world = (
            World(country=country).person(emails=(MAIL,)).says(MAIL, "ads", "subscribed", T1, source=source, **flags())
        )
        for at, ads_consent in signals:
            world.browses(at, ads_consent)
        assert world.verdict("ads") == code
        assert shop().says(MAIL, "email", "subscribed", T1).browses(T1, False).verdict("email_marketing") == "OPT_IN"


# What is attributed, what is only heard because it may not be, the source of the ads consent, the answers.
@pytest.mark.parametrize(
    ("signals", "heard", "source", "strict", "elsewhere"),
    [
        ([], [(T1, False)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
        ([(T1, True)], [(T2, False)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
        ([(T1, True)], [(T1, False)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
        ([(T2, True)], [(T1, False)], "shop", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, True)], [(T2, None)], "shop", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, True)], [(T2, None)], "web", "ADS_STORAGE_DENIED", "ADS_FLAGS"),
        ([(T2, True)], [(T1, None)], "web", "ADS_FLAGS", "ADS_FLAGS"),
        ([(T1, False)], [(T2, None)], "shop", "ADS_STORAGE_DENIED", "ADS_STORAGE_DENIED"),
    ],
)
def test_a_signal_of_an_event_that_is_nobodys_denies_and_never_permits(
    signals: list[tuple[datetime, bool | None]],
    heard: list[tuple[datetime, bool | None]],
    source: str,
    strict: str,
    elsewhere: str,
) -> None:
    for country, code in (("DK", strict), ("AU", elsewhere)):
        world = (
            World(country=country).person(emails=(MAIL,)).says(MAIL, "ads", "subscribed", T1, source=source, **flags())
        )
        for at, ads_consent in signals:
            world.browses(at, ads_consent)
        world.browses(T1, None, person_id=99)  # the source "web" is one of web analytics
        for at, ads_consent in heard:
            world.is_heard(at, ads_consent)
        assert world.verdict("ads") == code


# -- the shop itself, hints, explanations


def test_data_that_stays_in_the_shop_needs_no_consent() -> None:
    world = shop().says(MAIL, "email", "unsubscribed", T1).blocked(MAIL, "complaint", T1)
    world.person(2).identity(2, "customer", "77")

    answers, rows = world.clear("own_shop")

    assert answers == {1: "OWN_SHOP", 2: "OWN_SHOP"}
    assert [row["member_key"] for row in rows] == [address_key("email", MAIL), address_key("customer", "shop:77")]


def test_a_customer_id_is_that_of_the_shop_asked_for_and_of_the_account_seen_last() -> None:
    world = shop().says(MAIL, "email", "unsubscribed", T1)
    world.identity(1, "customer", "5", T3, system="till").identity(1, "customer", "7", T1)
    world.identity(1, "customer", "8", T2).identity(1, "customer", "9")
    world.person(2, emails=("b@example.com",)).identity(2, "customer", "6", T1, system="till")

    answers, rows = world.clear("own_shop", ("customer_id:shop",))

    assert answers == {1: "OWN_SHOP", 2: "NO_ADDRESS"}
    assert [(row["customer_id"], row["email"], row["member_key"]) for row in rows] == [
        ("8", None, address_key("customer", "shop:8"))
    ]


def test_an_erasure_of_any_address_bars_the_customer_id() -> None:
    world = shop().identity(1, "customer", "7").blocked(MAIL, "erasure", T1)

    assert world.verdict("own_shop", ("customer_id:shop",)) == "SUPPRESSED"


@pytest.mark.parametrize("purpose", ["email_marketing", "cart_reminder", "sms_marketing", "ads"])
def test_a_customer_id_is_cleared_for_nothing_but_the_shop_itself(purpose: str) -> None:
    world = shop().says(MAIL, "email", "subscribed", T1).identity(1, "customer", "7")

    with pytest.raises(ConfigError, match="knows people by customer id"):
        world.clear(purpose, ("customer_id:shop",))


@pytest.mark.parametrize(
    ("purpose", "channel"), [("ads", "ads"), ("sms_marketing", "sms"), ("email_marketing", "email")]
)
def test_a_consent_that_no_source_reports_is_said_with_what_to_do(purpose: str, channel: str) -> None:
    world = World().person(emails=(MAIL,), phones=("+4520000001",)).says(MAIL, "analytics", "subscribed", T1)

    hints = world.hints(purpose, ("phone",) if channel == "sms" else ("email",))

    assert f"no source reports {channel} consent" in hints
    assert "[[consent.from]]" in hints


def test_a_subscription_without_a_basis_and_a_missing_country_are_said() -> None:
    world = shop().says(MAIL, "email", "subscribed", T1, basis=None)
    assert "without a basis" in world.hints("email_marketing")

    world = World(country=None).person(emails=(MAIL,)).says(MAIL, "email", "never", T1)
    assert "set `country`" in world.hints("email_marketing")


def test_a_segment_that_is_cleared_gets_no_hints() -> None:
    assert shop().says(MAIL, "email", "subscribed", T1).hints("email_marketing") == ""


def test_explain_names_the_record_the_place_the_rule_and_the_blocks() -> None:
    world = shop().says(
        MAIL, "email", "subscribed", T2, evidence="footer form of 2026-01-01", country="NO", source="list"
    )
    world.blocked(MAIL, "unsubscribed", T1, "email")

    decision = world.explain("email_marketing")

    assert (decision.cleared, decision.code, decision.address_kind, decision.address) == (True, "OPT_IN", "email", MAIL)
    assert (decision.source, decision.status, decision.basis) == ("list", "subscribed", "opt_in_single")
    assert (decision.recorded_at, decision.dated_by) == (T2, "record")
    assert decision.evidence == "footer form of 2026-01-01"
    assert (decision.regime, decision.country, decision.place_from) == ("eu", "NO", "consent record")
    assert "a recorded opt-in" in decision.rule
    assert [(block.reason, block.origin, block.recorded_at) for block in decision.blocks] == [
        ("unsubscribed", "ledger", T1)
    ]


@pytest.mark.parametrize("purpose", ["email_marketing", "cart_reminder", "ads", "own_shop"])
def test_explain_knows_a_person_of_whom_nothing_is_known(purpose: str) -> None:
    decision = World(country=None).explain(purpose, person_id=404)

    assert (decision.cleared, decision.code, decision.address) == (False, "NO_ADDRESS", None)


def test_consent_state_has_one_row_per_address_and_channel_with_the_record_that_decides() -> None:
    world = shop().says(MAIL, "email", "subscribed", T1).says(MAIL, "email", "never", T2, source="list")
    world.says(MAIL, "ads", "unsubscribed", T1).blocked(MAIL, "hard_bounce", T3, "email")
    world.gate()

    rows = world.con.execute(
        "select channel, person_id, address, status, source, recorded_at, block_reason, block_recorded_at "
        "from consent_state order by channel"
    ).fetchall()

    assert rows == [
        ("ads", 1, MAIL, "unsubscribed", "shop", T1, None, None),
        ("email", 1, MAIL, "subscribed", "shop", T1, "hard_bounce", T3),
    ]


def test_a_second_question_leaves_the_first_answer_alone() -> None:
    world = shop().says(MAIL, "email", "subscribed", T1)
    gate = world.gate()
    mail = gate.clear("members", purpose="email_marketing", identify_by=("email",))

    ads = gate.clear("members", purpose="ads", identify_by=("email",))

    assert (len(mail.cleared), len(ads.cleared)) == (1, 0)
    assert mail.cleared.purpose == "email_marketing"


def test_only_names_of_tables_and_kinds_of_addresses_are_taken() -> None:
    gate = shop().gate()

    with pytest.raises(ValueError, match="not the name of a table"):
        gate.clear("members; drop table people", purpose="ads", identify_by=("email",))
    with pytest.raises(ValueError, match="identify_by"):
        gate.clear("members", purpose="ads", identify_by=("fax",))
