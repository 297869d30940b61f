"""Where silence about analytics means no: one list, told the same by the catalog and by the consent gate."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.consent.rules import rulebook
from hub.places import places, silence_permits
from tests.catalog_shop import Shop, days

UNION = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
REST_OF_THE_EEA = "IS LI NO"
TERRITORIES = "AX GF GP MF MQ RE SJ YT"
BRITAIN_AND_SWITZERLAND = "GB GG GI IM JE CH"
NEVER_BY_SILENCE = f"{UNION} {REST_OF_THE_EEA} {TERRITORIES} {BRITAIN_AND_SWITZERLAND}"


def test_silence_permits_nothing_in_the_eea_the_uk_and_switzerland_and_their_territories() -> None:
    everywhere = {country for place in places() for country in place.countries}

    assert everywhere - silence_permits() == set(NEVER_BY_SILENCE.split())


@pytest.mark.parametrize("code", ["ZZ", "XX", "UK", "EU"])
def test_a_code_that_is_no_country_permits_nothing_by_silence(code: str) -> None:
    assert code not in silence_permits()


def test_every_country_stands_in_one_place_apart_from_its_regions() -> None:
    whole = [country for place in places() if not place.regions for country in place.countries]

    assert len(whole) == len(set(whole))


def test_the_catalog_attributes_a_silent_event_exactly_where_the_gate_takes_silence_for_consent(tmp_path: Path) -> None:
    book = rulebook()
    regimes = {country: regime for (country, region), regime in book.places.items() if region == ""} | {"ZZ": "unknown"}
    customers = [{"customer_id": country, "email": f"{country.lower()}@shop.example"} for country in regimes]
    events = [
        {"event_id": country, "name": "view_item", "happened_at": days(1), "user_id": country, "country": country}
        for country in regimes
    ]
    shop = Shop(tmp_path, country="US")

    shop.load({"customers": customers, "events": events})

    attributed = {row[0] for row in shop.ask("select country from events where person_id is not null")}
    strict = {rule.regime for rule in book.of("ads") if rule.analytics_unset_is_no}
    assert attributed == {country for country, regime in regimes.items() if regime not in strict}


@pytest.mark.parametrize(("country", "attributed"), [("US", True), ("DK", False), (None, False)])
def test_an_event_without_a_country_is_judged_by_the_shops(
    tmp_path: Path, country: str | None, attributed: bool
) -> None:
    shop = Shop(tmp_path, country=country)
    event = {"event_id": "1", "name": "view_item", "happened_at": days(1), "user_id": "1"}

    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}], "events": [event]})

    assert shop.ask("select person_id is not null from events") == [(attributed,)]
