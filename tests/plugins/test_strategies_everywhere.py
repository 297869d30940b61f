"""Every strategy of hub's own, with its example's settings, on shops that have nothing, one person, or odd days."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from typing import Any

import pytest

from hub.api import TABLES
from hub.cli.plugin_info import example
from hub.plugins import Plugins
from hub.segments import Definition, explain, run_segments
from tests.strategy_shop import DAY, HOUR, Shop, a_shop, line

PLUGINS = Plugins()
NEEDS_MANY = {"rfm", "likely-lost", "likely-to-recover", "likely-to-return", "top-predicted-value"}


def definitions() -> list[Definition]:
    made = []
    for entry in PLUGINS.entries("segment"):
        if entry.distribution == "audience-hub":
            strategy: Any = PLUGINS.load("segment", entry.name)
            settings = tomllib.loads(example(entry.name, strategy.Config))["segments"][entry.name]
            settings.pop("plugin")
            made.append(Definition(entry.name, strategy(strategy.Config.model_validate(settings))))
    return made


def sizes(shop: Shop) -> dict[str, int]:
    """Run all of them; none may fail, and only rankings may refuse."""
    results = run_segments(shop.session, definitions())
    assert {name: str(result.error) for name, result in results.items() if result.error} == {}
    assert {name for name, result in results.items() if result.refused} <= NEEDS_MANY
    return {name: result.members for name, result in results.items() if result.table}


def test_a_shop_that_gives_nothing_has_no_members_and_every_need_is_named(shop: Shop) -> None:
    shop.gives("customers")
    results = run_segments(shop.session, definitions())

    assert set(sizes(shop).values()) == {0}
    for definition in definitions():
        needs = {str(need) for need in definition.strategy.needs if str(need) in TABLES}  # type: ignore[union-attr]
        named = {
            need
            for need in needs
            for note in results[definition.name].notes
            if note.startswith(f"no source gives {need},")
        }
        assert named == needs, definition.name


def test_a_shop_without_rows_has_no_members(shop: Shop) -> None:
    shop.gives(*TABLES)

    assert set(sizes(shop).values()) == {0}


def test_one_person_who_did_nothing_is_only_in_what_absence_makes(shop: Shop) -> None:
    shop.gives(*TABLES)
    shop.people("ann")

    assert {name for name, members in sizes(shop).items() if members} == {"never-purchased"}


@pytest.mark.parametrize(
    ("as_of", "timezone"),
    [
        ("2026-03-29T01:00+00:00", "Europe/Copenhagen"),
        ("2026-10-25T00:30+00:00", "Europe/Copenhagen"),
        ("2024-02-29T23:59:59+00:00", "America/New_York"),
        ("2025-12-31T23:59:59+00:00", "Asia/Tokyo"),
    ],
)
def test_odd_days_trouble_nobody_and_everybody_can_be_explained(as_of: str, timezone: str) -> None:
    with a_shop(as_of=datetime.fromisoformat(as_of), timezone=timezone) as shop:
        shop.gives(*TABLES)
        shop.person("ann", birth_date="1990-02-28", country="DK", locale="da-DK", tags=["club"])
        shop.order("ann", 30 * DAY, 0, line("coffee machine", 0), refunded="0")
        shop.order("ann", 365 * DAY, 50, line("coffee machine", 50), line(None, None), refunded="50")
        shop.cart("ann", 2 * HOUR, None, line("boots", None), step="payment")
        shop.event("ann", timedelta(0), url="https://x.example/sale/1", traffic_source="newsletter", engagement_ms=1)
        shop.mail("ann", DAY, "opened", "Spring sale")
        shop.trait("ann", "favourite sport", "running; hiking")
        made = definitions()
        results = run_segments(shop.session, made)

        sizes(shop)
        for person, member in ((1, None), (99, False)):
            for definition in made:
                told = explain(shop.session, made, definition.name, person)
                result = results[definition.name]
                if result.table is None:
                    assert told.member is None
                else:
                    assert told.member == (bool(result.members) if member is None else member), told.reason
                assert told.reason
