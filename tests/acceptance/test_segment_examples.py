"""Tests of segments in a client's file, which ``hub check`` runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.kit import Agency, Done

SEGMENTS = """
[segments.repeat]
plugin = "repeat"

[segments.carts]
plugin = "cart-abandoners"
min_value = 100

[segments.both]
all = ["repeat", "carts"]
"""


@pytest.fixture
def agency(tmp_path: Path, empty_keyring: None) -> Agency:
    made = Agency(tmp_path / "agency")
    made.add(SEGMENTS)
    made.shop.people(1).write()
    return made


def check(agency: Agency, text: str, expect: int = 0) -> Done:
    agency.add(text)
    return agency.hub("check", "acme", "--offline", "--json", expect=expect)


def errors(done: Done) -> list[str]:
    return [each["text"] for each in done.json if each["level"] == "error"]


def test_an_example_that_holds_is_counted(agency: Agency) -> None:
    done = check(
        agency,
        """
        [[segments.repeat.tests]]
        name = "two counted orders, a refunded one is none"
        orders = [
            { email = "ann@example.com", placed_at = "10d", total = 20 },
            { email = "ann@example.com", placed_at = 2026-02-01T10:00:00Z, total = 30.5 },
            { email = "bob@example.com", placed_at = "10d", total = 20 },
            { email = "bob@example.com", placed_at = "20d", total = 20, status = "refunded" },
        ]
        members = ["ann@example.com"]

        [[segments.both.tests]]
        name = "a combination, by customer id and phone"
        people = [{ customer_id = "7", email = "ann@example.com", phone = "+4532123456" }]
        orders = [{ customer_id = "7", placed_at = "9d", total = 1 }, { customer_id = "7", placed_at = "8d", total = 1 }]
        carts = [
            { customer_id = "7", created_at = "2h", lines = [{ quantity = 3, unit_price = 50 }] },
            { email = "eve@example.com", created_at = "2h", total = 500 },
        ]
        members = ["7"]
        """,
    )
    assert any(each["level"] == "ok" and "2 tests of segments passed" in each["text"] for each in done.json)


def test_an_example_that_does_not_hold_names_line_person_and_reason(agency: Agency) -> None:
    done = check(
        agency,
        """
        [[segments.carts.tests]]
        name = "who is in"
        carts = [
            { email = "ann@example.com", created_at = "2h", total = 99 },
            { email = "bob@example.com", created_at = "2h", total = 101 },
        ]
        members = ["ann@example.com"]
        """,
        expect=2,
    )
    first, second = errors(done)
    line = (agency.folder / "clients" / "acme.toml").read_text().splitlines().index("[[segments.carts.tests]]") + 1
    assert first.startswith(
        f"clients/acme.toml:{line}: segments.carts.tests[0]: test 'who is in': ann@example.com is not in"
    )
    assert "needs more than 100" in first
    assert "bob@example.com is in and should not be" in second


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ('orders = [{ email = "ann@example.com", placed_at = "1d" }]', "total is missing"),
        ('orders = [{ email = "ann@example.com", placed_at = "1d", totl = 3 }]', 'did you mean "total"?'),
        ('orders = [{ placed_at = "1d", total = 3, lines = [{ titel = "Boot" }] }]', 'did you mean "title"?'),
        ('carts = [{ email = "ann@example.com", created_at = "1d", total = "much" }]', "much"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_used_is_told(agency: Agency, row: str, says: str) -> None:
    done = check(agency, f'[[segments.repeat.tests]]\nname = "wrong"\n{row}\nmembers = []\n', expect=2)
    (told,) = errors(done)
    assert says in told


def test_a_member_who_is_nobody_is_told(agency: Agency) -> None:
    done = check(agency, '[[segments.repeat.tests]]\nname = "wrong"\nmembers = ["4711"]\n', expect=2)
    (told,) = errors(done)
    assert "'4711', who is nobody" in told


def test_what_an_example_cannot_say_is_an_error_of_the_file(agency: Agency) -> None:
    done = agency.hub("check", "acme", "--offline")
    assert "tests of segments" not in done.stdout
    told = check(agency, '[[segments.repeat.tests]]\nname = "wrong"\nmember = []\n', expect=2)
    assert any('did you mean "members"?' in each for each in errors(told))


def test_every_table_can_be_told(agency: Agency) -> None:
    check(
        agency,
        """
        [segments.viewed]
        plugin = "viewed"
        products = ["p1"]

        [[segments.viewed.tests]]
        name = "a visit"
        events = [
            { user_id = "ann@example.com", name = "view_item", happened_at = "3h", product_id = "p1" },
            { user_id = "bob@example.com", name = "view_item", happened_at = "3h", product_id = "p1", analytics_consent = false },
        ]
        products = [{ product_id = "p1", title = "Boot" }]
        engagement = [{ subject = "ann@example.com", kind = "sent", campaign = "spring", happened_at = "3h" }]
        traits = [{ subject = "ann@example.com", name = "size", value = "42", recorded_at = "3d" }]
        members = ["ann@example.com"]
        """,
    )


def test_a_segment_that_is_switched_off_is_not_tried(agency: Agency) -> None:
    agency.change(
        '[segments.repeat]\nplugin = "repeat"',
        '[segments.off]\nplugin = "repeat"\nenabled = false\n\n[segments.repeat]\nplugin = "repeat"',
    )
    check(agency, '[[segments.off.tests]]\nname = "would fail"\nmembers = ["zoe@example.com"]\n')


def test_a_test_does_not_change_the_definition(agency: Agency) -> None:
    agency.add('[syncs.again]\nsegment = "repeat"\ndestination = "list"\n')
    agency.sync("--force")
    plan = agency.folder / "plan.json"
    agency.hub("plan", "acme", "--out", str(plan))
    agency.add('[[segments.repeat.tests]]\nname = "nobody"\nmembers = []\n')
    agency.hub("apply", str(plan))
