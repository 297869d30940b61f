"""Merge fields: what an attribute is called at Mailchimp, and that a wrong value costs nothing but itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from hub_mailchimp.fields import LONGEST_TEXT, Field, tag_of, tags_of, value_of, values_of
from hub_mailchimp.stand_in.contacts import World, wrong_field
from tests.mailchimp_kit import TAG, Bench, batch, member, serving

CHOICES = ("Gold", "Silver")
FIELDS = {
    "text": Field("A"),
    "number": Field("A", "number"),
    "zip": Field("A", "zip"),
    "url": Field("A", "url"),
    "imageurl": Field("A", "imageurl"),
    "date": Field("A", "date"),
    "birthday": Field("A", "birthday"),
    "phone": Field("A", "phone"),
    "us phone": Field("A", "phone", us_phone=True),
    "radio": Field("A", "radio", CHOICES),
    "dropdown": Field("A", "dropdown", CHOICES),
    "address": Field("A", "address"),
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("first_name", "FNAME"),
        ("last_name", "LNAME"),
        ("birth_date", "BIRTHDAY"),
        ("phone", "PHONE"),
        ("cart_url", "CARTURL"),
        ("cart_value", "CARTVALUE"),
        ("median_days_between_orders", "MEDIANDAYS"),
        ("MMERGE7", "MMERGE7"),
        ("MY_FIELD", "MY_FIELD"),
        ("TENLETTERS", "TENLETTERS"),
        ("ELEVENCHARS", "ELEVENCHAR"),
        ("e-mail opens", "EMAILOPENS"),
    ],
)
def test_an_attribute_is_a_merge_tag(name: str, tag: str) -> None:
    assert tag_of(name) == tag


@pytest.mark.parametrize("name", ["email", "EMAIL", "status", "", "æøå", "_", "7days", "42"])
def test_an_attribute_that_can_be_no_field_is_a_matter_for_the_user(name: str) -> None:
    with pytest.raises(api.ConfigError, match="cannot be a merge field"):
        tag_of(name)


def test_two_attributes_with_one_tag_are_named() -> None:
    with pytest.raises(api.ConfigError, match="'first_name' and 'FNAME' would both be"):
        tags_of(["first_name", "FNAME"])


@given(st.text(max_size=30))
def test_a_tag_is_always_one_that_mailchimp_takes(name: str) -> None:
    try:
        tag = tag_of(name)
    except api.ConfigError:
        return
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{0,9}", tag)
    assert tag_of(tag) == tag


DAY = date(1990, 2, 3)
MOMENT = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        ("text", "Ann", "Ann"),
        ("text", Decimal("19.50"), "19.50"),
        ("text", True, "yes"),
        ("text", ["a", "b"], "a, b"),
        ("text", MOMENT, "2026-02-03T04:05:00+00:00"),
        ("text", "x" * 255, "x" * 255),
        ("text", "x" * 256, "x" * 255),
        ("text", "https://a.example/" + "x" * 237, "https://a.example/" + "x" * 237),
        ("text", "https://a.example/" + "x" * 238, None),
        ("number", Decimal("19.50"), 19.5),
        ("number", "7", 7.0),
        ("number", "seven", None),
        ("number", "NaN", None),
        ("zip", "80100", "80100"),
        ("zip", "80100-1234", "80100-1234"),
        ("zip", "8010", None),
        ("zip", "SW1A 1AA", None),
        ("url", "https://a.example", "https://a.example"),
        ("url", "a.example", None),
        ("imageurl", "https://a.example/a b.png", None),
        ("date", DAY, "1990-02-03"),
        ("date", MOMENT, "2026-02-03"),
        ("date", "2026-02-03 04:05:00", "2026-02-03"),
        ("date", "03/02/2026", None),
        ("birthday", DAY, "02/03"),
        ("birthday", "someday", None),
        ("phone", "+4520304050", "+4520304050"),
        ("us phone", "+12125550123", "212-555-0123"),
        ("us phone", "(212) 555-0123", "212-555-0123"),
        ("us phone", "+4520304050", None),
        ("radio", "Gold", "Gold"),
        ("dropdown", "gold", None),
        ("address", "Main Street 1", None),
    ],
)
def test_a_value_is_written_as_its_field_takes_it_or_left_out(kind: str, value: Any, taken: Any) -> None:
    assert value_of(FIELDS[kind], value) == taken


VALUES = (
    st.text(max_size=300)
    | st.integers()
    | st.floats()
    | st.decimals(places=2)
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.none()
    | st.lists(st.text(max_size=5), max_size=3)
    | st.sampled_from(["Gold", "80100", "https://a.example", "+4520304050", "", "2026-02-03"])
)


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["city", "score", "first_name"]), VALUES),
    st.sampled_from(list(FIELDS)),
    st.booleans(),
)
def test_whatever_the_shop_has_mailchimp_never_refuses_the_row_for_it(
    attributes: dict[str, Any], kind: str, new: bool
) -> None:
    """Held against the stand-in's own idea of what fits, written from Mailchimp's docs."""
    world = World()
    audience = world.audience("l1")
    about = FIELDS[kind]
    options = {"choices": list(about.choices), "phone_format": "US" if about.us_phone else "International"}
    known = {}
    for tag in ("CITY", "SCORE", "FNAME"):
        told = world.add_field(audience, tag, tag, about.type, options)
        known[tag] = Field.of(told)

    made = values_of(attributes, known, new=new)

    assert wrong_field(audience, made) is None
    assert set(made) <= {tag_of(name) for name in attributes}
    assert all(len(str(value)) <= LONGEST_TEXT or isinstance(value, float) for value in made.values())
    if new:
        assert "" not in made.values()


def test_fields_are_made_once_and_their_types_asked_for_once(bench: Bench) -> None:
    for _ in range(2):
        destination = bench.destination()
        destination.prepare(["first_name", "cart_url", "score"])
    audience = destination.ensure_audience(TAG)
    bench.know("p1@example.com", "p2@example.com")
    list(destination.push(batch(api.Op.ADD, audience, [member(1, score=1), member(2, score=2)])))

    made = [path for method, path in bench.calls() if method == "POST" and path == "/merge-fields"]
    asked = [path for method, path, _ in bench.vendor.requests if method == "GET" and path.endswith("/merge-fields")]
    assert (len(made), len(asked)) == (2, 2)
    assert {tag: each["type"] for tag, each in bench.audience.fields.items() if tag in {"CARTURL", "SCORE"}} == {
        "CARTURL": "text",
        "SCORE": "text",
    }


def test_a_field_beyond_what_mailchimp_allows_is_a_matter_for_the_user(bench: Bench) -> None:
    destination = bench.destination()
    for number in range(76):
        bench.vendor.world.add_field(bench.audience, f"F{number}", "", "text")

    with pytest.raises(api.ConfigError, match="refuses to make the merge field CARTURL"):
        destination.prepare(["cart_url"])


def test_an_address_is_no_field_of_one_value(bench: Bench) -> None:
    bench.vendor.world.add_field(bench.audience, "ADDRESS", "Address", "address")

    with pytest.raises(api.ConfigError, match="ADDRESS is an address"):
        bench.destination().prepare(["ADDRESS"])
