"""The rule table: every place, purpose and code, and what the settings switch on."""

from __future__ import annotations

from datetime import datetime

import phonenumbers
import pytest

from hub.consent.rules import CHANNELS, GROUNDS, Permission, prefixes, rulebook
from hub.errors import ConfigError
from tests.unit.consent_world import AS_OF, World

YES = datetime(2026, 5, 1)
EU = [
    "AT",
    "BE",
    "BG",
    "CY",
    "CZ",
    "DE",
    "DK",
    "EE",
    "ES",
    "FI",
    "FR",
    "GR",
    "HR",
    "HU",
    "IE",
    "IT",
    "LT",
    "LU",
    "LV",
    "MT",
    "NL",
    "PL",
    "PT",
    "RO",
    "SE",
    "SI",
    "SK",
]
EEA = ["IS", "LI", "NO"]

# A permission, and the purposes and places where it clears when every setting is switched on.
PLACES = [
    ("DE", None, "eu"),
    ("IS", None, "eu"),
    ("RE", None, "eu"),
    ("GB", None, "uk"),
    ("JE", None, "uk"),
    ("CH", None, "ch"),
    ("US", None, "us"),
    ("US", "WA", "us"),
    ("PR", None, "us"),
    ("US", "CA", "us-ca"),
    ("US", "california", "us-ca"),
    ("US", "TX", "us-signal"),
    ("US", "New Hampshire", "us-signal"),
    ("US", "MD", "us-teens"),
    ("CA", "ON", "ca"),
    ("CA", "QC", "ca-qc"),
    ("AU", None, "au"),
    ("BR", None, "br"),
    ("JP", None, "other"),
    ("XX", None, "unknown"),
    (None, None, "unknown"),
]
EVERYTHING = {
    "soft_opt_in": True,
    "cart_soft_opt_in": True,
    "casl_implied": True,
    "us_email_mode": "opt_out",
    "us_ads_mode": "opt_out",
}


MAIL, PHONE = "{}@x.dk", "+999{}"


def everywhere(**settings: object) -> World:
    """Put one person with an e-mail and a phone in every place."""
    world = World(country=None, settings=EVERYTHING | settings)
    for person, (country, region, _) in enumerate(PLACES):
        addresses = {"emails": (MAIL.format(person),), "phones": (PHONE.format(person),)}
        world.person(person, **addresses, country=country, region=region)
    return world


def everybody_says(world: World, channel: str, status: str, **columns: object) -> World:
    pattern = PHONE if channel == "sms" else MAIL
    for person in range(len(PLACES)):
        world.says(pattern.format(person), channel, status, YES, person_id=person, **columns)
    return world


def answers(world: World, purpose: str) -> dict[str, str]:
    """Return every regime's answer; places of one regime must agree."""
    found = world.clear(purpose, ("phone",) if purpose == "sms_marketing" else ("email",))[0]
    by_regime: dict[str, set[str]] = {}
    for person, code in found.items():
        by_regime.setdefault(PLACES[person][2], set()).add(code)
    return {regime: "|".join(codes) for regime, codes in by_regime.items()}


def expected(purpose: str, cleared: dict[str, str]) -> dict[str, str]:
    """Return the answers where the families of regimes named are cleared and all others denied."""
    return {
        regime: cleared.get(regime, cleared.get(family(regime), denial(regime, purpose))) for _, _, regime in PLACES
    }


def family(regime: str) -> str:
    return regime.split("-", maxsplit=1)[0]


def denial(regime: str, purpose: str) -> str:
    if regime == "unknown":
        return "REGION_UNKNOWN"
    return "ADS_CONSENT_MISSING" if purpose == "ads" and regime in {"eu", "uk", "ch"} else "NO_CONSENT"


def test_a_place_belongs_to_its_regime() -> None:
    gate = everywhere().gate()

    found = [gate.explain(person, "email_marketing", ("email",)).regime for person in range(len(PLACES))]

    assert found == [regime for _, _, regime in PLACES]


@pytest.mark.parametrize("country", [*EU, *EEA])
def test_every_country_of_the_eu_and_eea_is_under_its_rules(country: str) -> None:
    assert rulebook().places[country, ""] == "eu"


def test_the_rulebook_knows_every_country_that_phones_belong_to() -> None:
    ascension, tristan = "AC", "TA"

    assert set(phonenumbers.SUPPORTED_REGIONS) - {ascension, tristan} <= {country for country, _ in rulebook().places}


@pytest.mark.parametrize("state", ["CA", "CO", "CT", "DE", "MD", "MN", "MT", "NE", "NH", "NJ", "OR", "TX"])
def test_states_with_a_mandatory_opt_out_signal_have_a_row_of_their_own(state: str) -> None:
    assert rulebook().places["US", state] in {"us-ca", "us-signal", "us-teens"}


EUROPE = ("eu", "uk", "ch")
US_OPT_OUT = {"us": "OPT_OUT_REGIME"}


def test_a_recorded_opt_in_clears_mail_reminders_and_texts_everywhere() -> None:
    world = everybody_says(everybody_says(everywhere(), "email", "subscribed"), "sms", "subscribed")

    for purpose in ("email_marketing", "cart_reminder", "sms_marketing"):
        assert set(answers(world, purpose).values()) == {"OPT_IN"}


def test_soft_opt_in_clears_mail_in_europe_only_and_never_texts_or_ads() -> None:
    world = everywhere()
    for channel in ("email", "sms", "ads"):
        everybody_says(world, channel, "never", notice=True)
    for person in range(len(PLACES)):
        world.buys(datetime(2023, 1, 1), person)

    soft = dict.fromkeys(EUROPE, "SOFT_OPT_IN")
    for purpose, cleared in {
        "email_marketing": soft | US_OPT_OUT,
        "cart_reminder": soft | US_OPT_OUT,
        "sms_marketing": {},
        "ads": US_OPT_OUT,
    }.items():
        assert answers(world, purpose) == expected(purpose, cleared)


def test_a_purchase_implies_consent_in_canada_only() -> None:
    world = everywhere()
    for person in range(len(PLACES)):
        world.buys(datetime(2025, 12, 1), person)

    implied = {"ca": "IMPLIED"}
    for purpose, cleared in {
        "email_marketing": implied | US_OPT_OUT,
        "cart_reminder": implied | US_OPT_OUT,
        "sms_marketing": implied,
        "ads": US_OPT_OUT,
    }.items():
        assert answers(world, purpose) == expected(purpose, cleared)


def test_ads_need_both_flags_in_europe_and_a_yes_or_both_flags_elsewhere() -> None:
    subscribed = everybody_says(everywhere(), "ads", "subscribed")
    granted = everybody_says(everywhere(), "ads", "unknown", ad_user_data=True, ad_personalization=True)

    yes = dict.fromkeys(("us", "ca", "au", "br", "other"), "OPT_IN")
    assert answers(subscribed, "ads") == expected("ads", yes)
    assert set(answers(granted, "ads").values()) == {"ADS_FLAGS"}


def test_silence_clears_nobody_unless_the_shop_chose_the_american_opt_out_rule() -> None:
    for purpose in ("email_marketing", "cart_reminder", "ads"):
        assert answers(everywhere(), purpose) == expected(purpose, US_OPT_OUT)
        chosen_nothing = everywhere(us_email_mode="opt_in", us_ads_mode="opt_in")
        assert answers(chosen_nothing, purpose) == expected(purpose, {})


@pytest.mark.parametrize(
    ("region", "born", "code"),
    [
        ("CA", datetime(2010, 11, 1), "OPT_OUT_REGIME"),
        ("CA", datetime(2010, 11, 2), "NO_CONSENT"),
        ("WA", datetime(2010, 11, 2), "NO_CONSENT"),
        ("MD", datetime(2010, 11, 1), "NO_CONSENT"),
        ("MD", datetime(2008, 11, 1), "OPT_OUT_REGIME"),
        ("NJ", datetime(2008, 11, 2), "NO_CONSENT"),
        ("NJ", None, "OPT_OUT_REGIME"),
    ],
)
def test_minors_need_an_opt_in_for_ads_in_the_us(region: str, born: datetime | None, code: str) -> None:
    world = World(settings={"us_ads_mode": "opt_out"})
    world.person(emails=("a@x.dk",), country="US", region=region, birth_date=born)

    assert world.verdict("ads") == code


@pytest.mark.parametrize(
    ("setting", "purpose", "country", "ground"),
    [
        ({"soft_opt_in": True}, "email_marketing", "DK", "SOFT_OPT_IN"),
        ({"cart_soft_opt_in": True}, "cart_reminder", "DK", "SOFT_OPT_IN"),
        ({"casl_implied": True}, "email_marketing", "CA", "IMPLIED"),
        ({"casl_implied": True}, "cart_reminder", "CA", "IMPLIED"),
        ({"us_email_mode": "opt_out"}, "email_marketing", "US", "OPT_OUT_REGIME"),
        ({"us_email_mode": "opt_out"}, "cart_reminder", "US", "OPT_OUT_REGIME"),
        ({"us_ads_mode": "opt_out"}, "ads", "US", "OPT_OUT_REGIME"),
    ],
)
def test_each_setting_switches_on_exactly_its_own_permission(
    setting: dict[str, object], purpose: str, country: str, ground: str
) -> None:
    world = World().person(emails=("a@x.dk",), country=country)
    world.buys(datetime(2026, 1, 1)).says("a@x.dk", "email", "never", YES, notice=True)
    name = next(iter(setting))

    world.settings = setting
    assert world.verdict(purpose) == ground
    world.settings = {key: value for key, value in EVERYTHING.items() if key != name}
    assert world.verdict(purpose) == "NO_CONSENT"


@pytest.mark.parametrize(
    ("country", "basis", "code"),
    [
        ("DE", "opt_in_single", "SINGLE_OPT_IN"),
        ("DE", "opt_in_double", "OPT_IN"),
        ("DK", "opt_in_single", "OPT_IN"),
        (None, "opt_in_single", "REGION_UNKNOWN"),
        (None, "opt_in_double", "OPT_IN"),
    ],
)
def test_a_country_in_double_opt_in_needs_a_confirmed_one(country: str | None, basis: str, code: str) -> None:
    world = World(country=None, settings={"double_opt_in": ("DE",), "soft_opt_in": True})
    world.person(emails=("a@x.dk",), country=country).buys(YES)
    world.says("a@x.dk", "email", "subscribed", YES, basis=basis, notice=True)

    assert world.verdict("email_marketing") == code


def test_a_double_opt_in_counts_although_a_single_one_is_newer() -> None:
    world = World(settings={"double_opt_in": ("DK",)}).person(emails=("a@x.dk",))
    world.says("a@x.dk", "email", "subscribed", YES, basis="opt_in_double", source="list")
    world.says("a@x.dk", "email", "subscribed", datetime(2026, 6, 1))

    [row] = world.cleared("email_marketing")

    assert (row["record_source"], row["record_basis"], row["recorded_at"]) == ("list", "opt_in_double", YES)


def test_a_double_opt_in_from_before_a_withdrawal_does_not_count() -> None:
    world = World(settings={"double_opt_in": ("DK",)}).person(emails=("a@x.dk",))
    world.says("a@x.dk", "email", "subscribed", YES, basis="opt_in_double", source="list")
    world.blocked("a@x.dk", "unsubscribed", datetime(2026, 5, 2))
    world.says("a@x.dk", "email", "subscribed", datetime(2026, 6, 1))

    assert world.verdict("email_marketing") == "SINGLE_OPT_IN"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("OPT_IN", GROUNDS["OPT_IN"]),
        ("SOFT_OPT_IN if soft_opt_in", f"{GROUNDS['SOFT_OPT_IN']} (only with soft_opt_in = true)"),
        (
            "OPT_OUT_REGIME if us_ads_mode = opt_out from 16",
            "no opt-out (only with us_ads_mode = opt_out), not for people known to be under 16",
        ),
    ],
)
def test_a_permission_reads_as_words(text: str, words: str) -> None:
    assert Permission.parse(text).words() == words


@pytest.mark.parametrize("text", ["", "opt_in", "HOPE", "OPT_IN if", "OPT_IN from birth"])
def test_a_permission_that_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a permission"):
        Permission.parse(text)


def test_every_regime_answers_every_purpose_in_the_order_in_which_the_gate_asks() -> None:
    order = list(GROUNDS)
    codes = {code.name for code in rulebook().codes}

    for purpose in CHANNELS:
        rules = rulebook().of(purpose)
        assert {rule.regime for rule in rules} == {*rulebook().places.values(), "unknown"}
        for rule in rules:
            asked = [order.index(permission.ground) for permission in rule.accepts]
            assert asked == sorted(asked)
            assert rule.denied in codes


def test_an_unknown_purpose_is_named_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match="unknown purpose 'post'") as caught:
        World().person(emails=("a@x.dk",)).verdict("post")

    assert "email_marketing" in str(caught.value.next_step)


def test_phone_prefixes_agree_with_the_numbers_that_countries_give_out() -> None:
    known = dict(prefixes())
    wrong = {}
    for country in phonenumbers.SUPPORTED_REGIONS - {"AC", "TA"}:
        number = phonenumbers.example_number(country)
        digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
        found = next((known[digits[:length]] for length in (4, 3, 2, 1) if digits[:length] in known), None)
        if found != country:
            wrong[country] = found

    # Places that share a calling code with a larger neighbour count as that neighbour.
    shared = {"GG": "GB", "IM": "GB", "JE": "GB", "SJ": "NO", "VA": "IT", "AX": "FI", "CC": "AU", "CX": "AU"}
    islands = {"EH": "MA", "YT": "RE", "BL": "GP", "MF": "GP", "BQ": "CW"}
    assert wrong == shared | islands


@pytest.mark.parametrize(
    ("phone", "country"),
    [("+4520123456", "DK"), ("+14165550100", "CA"), ("+12125550100", "US"), ("+77012345678", "KZ"), ("+8009", None)],
)
def test_a_phone_prefix_says_where_somebody_is_when_nothing_better_does(phone: str, country: str | None) -> None:
    decision = World(country=None).person(phones=(phone,)).explain("sms_marketing", ("phone",))

    assert decision.country == country
    assert decision.place_from == ("phone prefix" if country else None)


def test_the_place_is_the_records_else_the_latest_orders_else_the_profiles_else_the_phones_else_the_shops() -> None:
    world = World(country="SE").person(emails=("a@x.dk",))
    found = [world.explain("email_marketing")]
    world.rows["people"][0]["phone"] = "+4520123456"
    world.identity(1, "phone", "+4520123456")
    found.append(world.explain("email_marketing"))
    world.rows["people"][0] |= {"country": "US", "region": "CA"}
    found.append(world.explain("email_marketing"))
    world.buys(datetime(2026, 1, 1), country="CA", region="QC").buys(AS_OF.replace(day=1, hour=1), country="CH")
    found.append(world.explain("email_marketing"))
    world.says("a@x.dk", "email", "never", YES, country="NO")
    found.append(world.explain("email_marketing"))

    assert [(each.country, each.region, each.place_from) for each in found] == [
        ("SE", None, "shop"),
        ("DK", None, "phone prefix"),
        ("US", "CA", "customer"),
        ("CH", None, "order"),
        ("NO", None, "consent record"),
    ]
