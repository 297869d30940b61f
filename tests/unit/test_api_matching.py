"""Identifiers are normalised as each ad platform wants them, hashed once, and nothing empty is hashed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api

MARY = "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"
PHONE = "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e"
NOTHING = sha256(b"").hexdigest()
HEX = re.compile(r"[0-9a-f]{64}")
NAMES = ("first_name", "last_name", "city", "region", "postcode", "country", "birth_date", "gender")
READABLE = {"region_code", "postal_code"}


def sha(text: str) -> str:
    return sha256(text.encode()).hexdigest() if text else ""


def meta(**attributes: Any) -> dict[str, str]:
    return api.meta_identifiers(api.Member("k", attributes=attributes))


def google(**attributes: Any) -> dict[str, str]:
    whole = {"first_name": "Ann", "last_name": "Ash", "country": "DK", "postcode": "1456"}
    return api.google_identifiers(api.Member("k", attributes=whole | attributes))


def test_the_vendors_own_vectors_hold() -> None:
    mary = api.Member("k", " Mary@Example.com ", "+1 (555) 987-6543")

    assert (api.meta_identifiers(mary)["email"], api.meta_identifiers(mary)["phone"]) == (MARY, PHONE)
    assert (api.google_identifiers(mary)["email"], api.google_identifiers(mary)["phone"]) == (MARY, sha("+15559876543"))


@pytest.mark.parametrize(
    ("email", "normal"),
    [
        (" Ma.Ry+x@Gmail.com ", "mary@gmail.com"),
        ("ma.ry+x@googlemail.com", "mary@googlemail.com"),
        ("Ma.Ry+x@example.com", "ma.ry+x@example.com"),
        ("ma ry@example.com", "mary@example.com"),
        ("+x@gmail.com", ""),
        ("mary", ""),
        ("@example.com", ""),
    ],
)
def test_google_knows_the_dots_and_plus_of_gmail(email: str, normal: str) -> None:
    assert api.google_identifiers(api.Member("k", email))["email"] == sha(normal)


@pytest.mark.parametrize(
    ("email", "normal"), [("Ma.Ry+x@Gmail.com", "ma.ry+x@gmail.com"), ("mary", ""), ("a b@example.com", "")]
)
def test_meta_knows_no_tricks_of_any_provider(email: str, normal: str) -> None:
    assert api.meta_identifiers(api.Member("k", email))["email"] == sha(normal)


@pytest.mark.parametrize(
    ("phone", "digits"),
    [
        ("+15559876543", "15559876543"),
        ("0045 12345678", "4512345678"),
        ("+45 12 34 56 78", "4512345678"),
        ("+", ""),
        ("12345", ""),
        ("+123456", ""),
        ("+1234567", "1234567"),
        ("+123456789012345", "123456789012345"),
        ("+1234567890123456", ""),
    ],
)
def test_a_phone_has_seven_to_fifteen_digits_and_is_left_out_otherwise(phone: str, digits: str) -> None:
    member = api.Member("k", "mary@example.com", phone)

    assert api.meta_identifiers(member)["phone"] == sha(digits)
    assert api.google_identifiers(member)["phone"] == sha(f"+{digits}" if digits else "")
    assert api.meta_identifiers(member)["email"] == api.google_identifiers(member)["email"] == MARY


@pytest.mark.parametrize(
    ("name", "normal"),
    [("Mary-Ann ", "maryann"), ("O'Néill", "onéill"), ("Ann  Lee", "ann lee"), ("王", "王"), ("_", "")],
)
def test_meta_takes_names_without_punctuation(name: str, normal: str) -> None:
    assert meta(first_name=name)["fn"] == meta(last_name=name)["ln"] == sha(normal)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("\u0930\u0935\u093f", "\u0930\u0935\u093f"),  # Hindi, Ravi: a vowel sign
        ("\u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd"),  # Tamil: a vowel sign and a virama
        ("\u0e01\u0e34\u0e48\u0e07!", "\u0e01\u0e34\u0e48\u0e07"),  # Thai: vowel and tone above a letter
        ("\u0645\u064f\u062d\u0651\u064e", "\u0645\u064f\u062d\u064e\u0651"),  # Arabic: vowels, in Unicode's order
        ("Ame\u0301lie", "am\u00e9lie"),  # an accent of its own becomes one sign with its letter
        ("O\u2019NE\u0301ILL", "on\u00e9ill"),
        ("Ann \u2764\ufe0f", "ann"),  # a heart, and the mark that gives it its colour
        ("A+n=n $ 2", "ann 2"),
    ],
)
def test_meta_takes_the_letters_of_every_script_with_their_marks(name: str, normal: str) -> None:
    found = meta(first_name=name, last_name=name, city=name, region=name)

    assert (found["fn"], found["ln"]) == (sha(normal), sha(normal))
    assert found["ct"] == found["st"] == sha(normal.replace(" ", ""))


@pytest.mark.parametrize(
    ("about", "zip_", "st_"),
    [
        ({"country": "us", "postcode": "94016-1234", "region": "CA"}, "94016", "ca"),
        ({"country": "US", "postcode": "94016", "region": "California"}, "94016", ""),
        ({"country": "GB", "postcode": "SW1A 1AA", "region": "Greater London"}, "sw1a1aa", "greaterlondon"),
        ({"postcode": "94016-1234"}, "94016-1234", ""),
    ],
)
def test_meta_takes_places_by_the_rules_of_their_country(about: dict[str, str], zip_: str, st_: str) -> None:
    found = meta(**about)

    assert (found["zip"], found["st"]) == (sha(zip_), sha(st_))


@pytest.mark.parametrize(
    ("value", "year"),
    [(date(1990, 5, 1), "1990"), (datetime(1990, 5, 1, tzinfo=UTC), "1990"), ("1990-05-01", "1990"), ("May", "")],
)
def test_meta_takes_the_year_of_birth(value: object, year: str) -> None:
    assert meta(birth_date=value)["doby"] == sha(year)


@pytest.mark.parametrize(("value", "normal"), [("Female", "f"), ("m", "m"), ("other", ""), (None, "")])
def test_meta_takes_a_gender_it_knows(value: str | None, normal: str) -> None:
    assert meta(gender=value)["gen"] == sha(normal)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Dr. Ann", "ann"),
        ("Herr Prof. Dr. Ann", "ann"),
        ("Miss", "miss"),
        ("Ann  Lee, PhD", "ann lee"),
        ("Ann Lee, MD, Jr.", "ann lee"),
        ("Émile", "émile"),
        ("E\u0301mile", "\u00e9mile"),
        ("Md Rahim", "md rahim"),
        ("Md. Rahim", "md. rahim"),
        ("Sr. Ana", "sr. ana"),
        ("Anh Dr", "anh dr"),
        ("Lin Miss", "lin miss"),
    ],
)
def test_google_takes_names_without_titles(name: str, normal: str) -> None:
    assert google(first_name=name)["given_name"] == google(last_name=name)["family_name"] == sha(normal)


@pytest.mark.parametrize("name", ["first_name", "last_name", "country", "postcode"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_google_gets_an_address_with_all_four_parts_or_none(name: str, value: str | None) -> None:
    assert google()["region_code"] == "DK"
    found = google(**{name: value})

    assert {found[part] for part in ("given_name", "family_name", "region_code", "postal_code")} == {""}


@pytest.mark.parametrize(
    ("country", "postcode"), [("Denmark", "1456"), ("D", "1456"), ("DK", "none?"), ("DK", "1" * 16)]
)
def test_google_gets_no_address_with_a_part_it_would_refuse(country: str, postcode: str) -> None:
    assert google(country=country, postcode=postcode)["postal_code"] == ""


@given(
    st.one_of(st.none(), st.text(max_size=30), st.emails()),
    st.one_of(st.none(), st.text(max_size=20), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)),
    st.dictionaries(st.sampled_from(NAMES), st.one_of(st.none(), st.text(max_size=20))),
)
def test_every_value_is_a_hash_of_something_or_empty(
    email: str | None, phone: str | None, attributes: dict[str, str | None]
) -> None:
    member = api.Member("k", email, phone, attributes=attributes)

    for found in (api.meta_identifiers(member), api.google_identifiers(member)):
        secret = {value for name, value in found.items() if name not in READABLE}
        assert NOTHING not in secret
        assert all(value == "" or HEX.fullmatch(value) for value in secret)


@given(st.binary(min_size=1, max_size=20), st.booleans())
def test_nothing_is_hashed_twice(value: bytes, upper: bool) -> None:
    once = sha256(value).hexdigest()
    given_ = once.upper() if upper else once
    member = api.Member("k", given_, given_, attributes={"first_name": given_, "last_name": given_, "city": given_})

    found, other = api.meta_identifiers(member), api.google_identifiers(member)
    assert {found["email"], found["phone"], found["fn"], found["ln"], found["ct"]} == {once}
    assert {other["email"], other["phone"]} == {once}
    assert api.hashed(given_) == once
