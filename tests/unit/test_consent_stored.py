"""Verdicts kept in the catalog hold only as long as what they rest on."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from hub.consent.gate import Gate
from tests.unit.consent_world import AS_OF, World

MAIL = "ann@example.com"
EARLIER = AS_OF - timedelta(days=30)
EMAIL = ("email_marketing", ("email",))
ADS = ("ads", ("email",))


def shop(**columns: object) -> World:
    return World().person(1, emails=(MAIL,), **columns)


def stored(world: World, at: datetime = EARLIER, wanted: tuple[str, tuple[str, ...]] = EMAIL) -> World:
    """Store everybody's verdict as of a month ago; nothing was blocked then."""
    world.gate()
    world.store(at, [wanted])
    return world


def answer(world: World, wanted: tuple[str, tuple[str, ...]] = EMAIL) -> str:
    world.look()
    return world.ask(*wanted)[0][1]


def merged_addresses(world: World) -> int:
    return int(world.con.execute("select count(*) from consent_merged").fetchall()[0][0])


def test_a_stored_verdict_is_answered_without_merging_a_statement() -> None:
    world = stored(shop().says(MAIL, "email", "subscribed", EARLIER))

    assert answer(world) == "OPT_IN"
    assert merged_addresses(world) == 0


@pytest.mark.parametrize("reason", ["unsubscribed", "hard_bounce", "complaint", "manual", "erasure"])
def test_a_block_overrides_the_verdict_stored_before_it(reason: str) -> None:
    world = stored(shop().says(MAIL, "email", "subscribed", EARLIER))
    world.blocked(MAIL, reason, AS_OF)

    assert answer(world) == ("OPTED_OUT" if reason == "unsubscribed" else "SUPPRESSED")


def test_a_block_on_an_address_that_two_people_share_overrides_both() -> None:
    phone = "+4520000001"
    world = World().person(1, emails=(MAIL,), phones=(phone,)).person(2, emails=("bob@example.com",), phones=(phone,))
    world.says(MAIL, "email", "subscribed", EARLIER)
    world.says("bob@example.com", "email", "subscribed", EARLIER, person_id=2)
    stored(world).blocked(phone, "manual", AS_OF)
    world.look()

    assert world.ask(*EMAIL)[0] == {1: "SUPPRESSED", 2: "SUPPRESSED"}


def test_a_block_on_an_address_that_a_record_once_showed_overrides_the_verdict() -> None:
    world = shop().says(MAIL, "email", "subscribed", EARLIER).says("old@example.com", "email", "unknown", EARLIER)
    stored(world).blocked("old@example.com", "manual", AS_OF)

    assert answer(world) == "SUPPRESSED"


@pytest.mark.parametrize(
    ("columns", "lasts", "ends"),
    [
        ({"expires_at": AS_OF + timedelta(days=1)}, AS_OF, AS_OF + timedelta(days=1)),
        ({"status": "unknown", "basis": "implied_purchase"}, datetime(2028, 10, 1), datetime(2028, 10, 3)),
        ({"status": "unknown", "basis": "implied_inquiry"}, datetime(2027, 4, 1), datetime(2027, 4, 3)),
    ],
)
def test_a_permission_that_ends_is_judged_at_every_run(
    columns: dict[str, object], lasts: datetime, ends: datetime
) -> None:
    world = shop(country="CA")
    world.settings = {"casl_implied": True}
    world.says(MAIL, "email", **({"status": "subscribed", "at": datetime(2026, 10, 2, 12)} | columns))
    stored(world, datetime(2026, 10, 2, 12))

    world.as_of = lasts
    assert answer(world) in {"OPT_IN", "IMPLIED"}
    world.as_of = ends
    assert answer(world) == "NO_CONSENT"


def test_a_permission_that_begins_later_counts_from_then_on() -> None:
    world = stored(shop().says(MAIL, "email", "subscribed", AS_OF))

    world.as_of = AS_OF - timedelta(seconds=1)
    assert answer(world) == "NO_CONSENT"
    world.as_of = AS_OF
    assert answer(world) == "OPT_IN"


def test_consent_implied_by_a_purchase_lapses_after_24_months() -> None:
    world = shop(country="CA").buys(datetime(2026, 9, 1))
    world.settings = {"casl_implied": True}
    stored(world)

    assert answer(world) == "IMPLIED"
    world.as_of = datetime(2028, 9, 1)
    assert answer(world) == "NO_CONSENT"


def test_an_order_dated_later_implies_consent_once_it_was_placed() -> None:
    world = shop(country="CA").buys(AS_OF - timedelta(days=1))
    world.settings = {"casl_implied": True}
    stored(world)

    assert answer(world) == "IMPLIED"


def test_somebody_who_comes_of_age_needs_no_record_where_silence_permits_ads() -> None:
    world = shop(country="US", birth_date=datetime(2010, 11, 15))
    world.settings = {"us_ads_mode": "opt_out"}
    stored(world, wanted=ADS)

    assert answer(world, ADS) == "NO_CONSENT"
    world.as_of = datetime(2026, 11, 15)
    assert answer(world, ADS) == "OPT_OUT_REGIME"


def test_ads_storage_denied_after_the_verdict_was_stored_counts() -> None:
    world = shop().says(MAIL, "ads", "subscribed", EARLIER, ad_user_data=True, ad_personalization=True)
    world.browses(AS_OF - timedelta(days=1), ads_consent=False)
    stored(world, wanted=ADS)

    assert answer(world, ADS) == "ADS_STORAGE_DENIED"


def test_other_settings_or_an_earlier_instant_make_stored_verdicts_worthless() -> None:
    world = stored(shop().says(MAIL, "email", "subscribed", EARLIER))

    world.settings = {"double_opt_in": ("DK",)}
    assert answer(world) == "SINGLE_OPT_IN"
    world.settings, world.country = {}, "CA"
    assert (answer(world), merged_addresses(world)) == ("OPT_IN", 1)
    world.country, world.as_of = "DK", EARLIER - timedelta(seconds=1)
    assert answer(world) == "NO_CONSENT"


def test_a_purpose_nobody_stored_is_judged_anew_beside_one_that_is_stored() -> None:
    world = shop().says(MAIL, "email", "subscribed", EARLIER)
    world.says(MAIL, "ads", "subscribed", EARLIER, ad_user_data=True, ad_personalization=True)
    stored(world)

    world.look()

    assert world.ask(*ADS)[0] == {1: "ADS_FLAGS"}
    assert world.ask(*EMAIL)[0] == {1: "OPT_IN"}


def test_a_person_who_came_after_the_verdicts_is_judged_anew() -> None:
    world = stored(shop().says(MAIL, "email", "subscribed", EARLIER))
    other = (
        World()
        .person(2, emails=("bob@example.com",))
        .says("bob@example.com", "email", "subscribed", EARLIER, person_id=2)
    )
    for name, rows in other.rows.items():
        world.rows[name] = rows
        world.fill(name)
    world.rows["members"] = [{"person_id": 1}, {"person_id": 2}]
    world.look()

    assert world.ask(*EMAIL)[0] == {1: "OPT_IN", 2: "OPT_IN"}


def test_explain_of_somebody_whose_verdict_is_stored_names_the_record() -> None:
    world = stored(shop().says(MAIL, "email", "subscribed", EARLIER, evidence="footer form"))

    decision = world.look().explain(1, *EMAIL)

    assert (decision.code, decision.evidence) == ("OPT_IN", "footer form")


def test_hints_are_the_same_with_stored_verdicts() -> None:
    world = shop().says(MAIL, "email", "subscribed", EARLIER, basis=None)
    fresh = world.gate().clear("members", purpose="email_marketing", identify_by=("email",)).hints
    world.store(EARLIER, [EMAIL])

    kept: Gate = world.look()

    assert fresh
    assert kept.clear("members", purpose="email_marketing", identify_by=("email",)).hints == fresh


def test_two_people_cleared_at_one_address_are_contacted_once_whether_stored_or_not() -> None:
    phone, sms = "+4520000001", ("sms_marketing", ("phone",))
    world = World().person(1, phones=(phone,)).person(2, phones=(phone,))
    world.says(phone, "sms", "subscribed", EARLIER, person_id=2)
    stored(world, wanted=sms)
    world.look()

    assert world.ask(*sms)[0] == {1: "SAME_ADDRESS", 2: "OPT_IN"}
