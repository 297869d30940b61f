"""Every strategy has the members that an independent calculation has, on generated shops of 5,000 people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hub.plugins import Plugins
from hub.segments import Definition, run_segments
from tests.generated_shop import generate, loaded
from tests.pandas_segments import InPandas

SEEDS = (20_260_301, 7)
PLUGINS = Plugins()
OWN = {entry.name for entry in PLUGINS.entries("segment") if entry.distribution == "audience-hub"}
# They need customers who buy as the models say: test_predictions_against_pandas.py.
PREDICTED = {"likely-lost", "likely-to-return", "top-predicted-value", "likely-to-recover"}

# name of the segment -> strategy, settings, calculation, its arguments
CASES: dict[str, tuple[str, dict[str, Any], str, tuple[Any, ...]]] = {
    name: (name, {}, name, ())
    for name in (
        "high-spenders", "one-time", "one-and-done", "first-time", "new-customers", "repeat", "frequent-buyers",
        "occasional-buyers", "coupon-lovers", "full-price", "high-value-items", "low-value-items", "seasonal",
        "cart-abandoners", "browse-abandoners", "time-on-site", "active", "at-risk", "inactive", "lapsed", "lost", "win-back",
        "never-purchased", "due-to-reorder", "engaged", "unengaged", "opened-not-clicked",
    )
}  # fmt: skip
CASES |= {
    "low-spenders": ("low-spenders", {"exclude_tags": ["staff"]}, "low-spenders", ({"staff"},)),
    "product-line": ("product-line", {"product_types": ["Shoes", "boots"]}, "product-line", ()),
    "never-line": ("product-line", {"product_types": ["shoes"], "bought": False}, "never-line", ()),
    "cross-sell": ("cross-sell", {"bought_types": ["boots"], "never_types": ["laces"]}, "cross-sell", ()),
    "prospects-with-carts": ("cart-abandoners", {"who": "prospects"}, "prospects-with-carts", ()),
    "viewed": ("viewed", {"pages": ["/Sale/"], "min_views": 2}, "viewed", ()),
    "acquisition-channel": ("acquisition-channel", {"sources": ["Google"]}, "acquisition-channel", ()),
    "at-risk-by-intervals": ("at-risk", {"by": "intervals"}, "at-risk-by-intervals", ()),
    "by-campaign": ("by-campaign", {"campaigns": ["spring"], "did": "not-opened"}, "by-campaign", ()),
    "demographic": (
        "demographic",
        {"min_age": 30, "max_age": 50, "genders": ["f"], "locales": ["de"]},
        "demographic",
        (),
    ),
    "geographic": ("geographic", {"countries": ["DK", "SE"], "postcodes": ["80"]}, "geographic", ()),
    "tags": ("tags", {"any_of": ["club"], "none_of": ["wholesale"]}, "tags", ()),
    "traits": ("traits", {"trait": "sport", "values": ["running", "chess"], "max_age": "90d"}, "traits", ()),
    "promoters": ("traits", {"trait": "nps", "min_value": 9, "max_value": 10}, "promoters", ()),
    "sql": (
        "sql",
        {"query": "select person_id from facts where orders >= $least", "parameters": {"least": 5}},
        "sql",
        (),
    ),
}
CASES |= {
    f"stopped-at-{stage}": ("funnel-stage", {"stages": [stage]}, "funnel-stage", (stage,))
    for stage in ("view", "cart", "checkout", "payment", "order")
}
CASES |= {
    f"stage-{stage}": ("journey-stage", {"stages": [stage]}, "journey-stage", (stage,))
    for stage in ("prospect", "first-time", "repeat", "loyal", "lapsed")
}
CASES |= {
    f"rfm-{group}": ("rfm", {"groups": [group]}, "rfm", (group,)) for group in ("champions", "at-risk", "dormant")
}


def definition(name: str) -> Definition:
    strategy = PLUGINS.load("segment", CASES[name][0])
    return Definition(name, strategy(strategy.Config.model_validate(CASES[name][1])))


Answers = tuple[dict[str, set[str]], InPandas]


@pytest.fixture(scope="module", params=SEEDS)
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Run all strategies together on one shop."""
    folder: Path = tmp_path_factory.mktemp("generated")
    frames = generate(request.param)
    found = {}
    with loaded(frames, folder) as session:
        for name, result in run_segments(session, [definition(name) for name in CASES]).items():
            assert result.error is None, result.error
            assert result.table is not None, result.refused
            members = session.con.execute(f"select customer_id from {result.table} join people using (person_id)")
            found[name] = {str(customer) for (customer,) in members.fetchall()}
    return found, InPandas(frames)


def test_no_strategy_of_hubs_own_is_left_out() -> None:
    assert {strategy for strategy, *_ in CASES.values()} | PREDICTED == OWN


@pytest.mark.parametrize("name", CASES)
def test_members_are_those_of_the_independent_calculation(answers: Answers, name: str) -> None:
    found, in_pandas = answers
    _, _, calculation, arguments = CASES[name]

    expected = in_pandas[calculation](*arguments)

    assert found[name] == expected
    assert expected, "a case that nobody is in shows nothing"
