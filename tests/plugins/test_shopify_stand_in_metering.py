"""The stand-in's metering: what queries cost, the bucket, and being throttled."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_shopify.stand_in import Limits, Shop
from hub_shopify.stand_in.bucket import Bucket
from tests.shopify_kit import NO_SPECS, SPECS, Client, Clock, serving

ROOMY = Limits(bucket=10**6, restore_rate=10**6, single_query=10**5)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving(size=40, now=Clock(), limits=ROOMY) as serving_client:
        yield serving_client


def cost(body: dict[str, Any]) -> tuple[int, int]:
    """Return the requested and the actual cost of a query."""
    said = body["extensions"]["cost"]
    return said["requestedQueryCost"], said["actualQueryCost"]


COSTS = [
    ("{ shop { name } }", 1),
    ("{ shop { name plan { publicDisplayName } primaryDomain { host } } }", 3),
    ("{ shop { name } also: shop { currencyCode } }", 2),
    ("{ shop { name } shop { currencyCode } }", 1),
    ("{ customersCount { count } }", 1),
    ("{ customers(first: 10) { nodes { id } } }", 2 + 10),
    ("{ customers(last: 10) { nodes { id } } }", 2 + 10),
    ("{ customers(first: 10) { edges { cursor node { id } } pageInfo { hasNextPage } } }", 2 + 10),
    (
        "{ customers(first: 10) { nodes { id amountSpent { amount } defaultEmailAddress { emailAddress } } } }",
        2 + 10 * 3,
    ),
    ("{ orders(first: 5) { nodes { id lineItems(first: 4) { nodes { id } } } } }", 2 + 5 * (1 + 2 + 4)),
    (
        "{ orders(first: 5) { nodes { totalPriceSet { shopMoney { amount } presentmentMoney { amount } } } } }",
        2 + 5 * (1 + 3),
    ),
    (
        "{ orders(first: 5) { nodes { lineItems(first: 4) { nodes { product { id } variant { id } } } } } }",
        2 + 5 * (1 + 2 + 4 * 3),
    ),
    ("{ customers(first: 0) { nodes { id } } }", 2),
    ('{ node(id: "gid://shopify/Customer/1") { id ... on Customer { amountSpent { amount } } } }', 2),
    (
        """{ node(id: "gid://shopify/Customer/1") { id ... on Customer { amountSpent { amount } defaultAddress { city } }
        ... on Order { customer { id } } } }""",
        3,
    ),
    ("fragment F on Customer { amountSpent { amount } } { customers(first: 3) { nodes { ...F } } }", 2 + 3 * 2),
    ("{ customers(first: 3) { nodes { __typename } } __typename }", 2 + 3),
    ("query($n: Int = 6) { customers(first: $n) { nodes { id } } }", 2 + 6),
    ('{ nodes(ids: ["gid://shopify/Customer/1", "gid://shopify/Customer/2"]) { id } }', 2),
    ('mutation { tagsAdd(id: "gid://shopify/Customer/1", tags: ["x"]) { node { id } userErrors { message } } }', 10),
    (
        """mutation { tagsAdd(id: "gid://shopify/Customer/1", tags: ["x"]) { userErrors { message } }
        tagsRemove(id: "gid://shopify/Customer/1", tags: ["x"]) { userErrors { message } } }""",
        20,
    ),
]


@pytest.mark.parametrize(("query", "requested"), COSTS)
def test_a_query_costs_what_the_published_rules_say(client: Client, query: str, requested: int) -> None:
    assert cost(client.said(query))[0] == requested


@pytest.mark.parametrize(("query", "requested"), COSTS)
def test_a_query_costs_the_same_by_shopifys_own_schema(query: str, requested: int) -> None:
    if SPECS is None:
        pytest.skip(NO_SPECS)
    with serving(Shop(now=Clock()), specs=SPECS, limits=ROOMY) as client:
        assert cost(client.said(query))[0] == requested


def test_a_variable_says_the_size_of_a_page(client: Client) -> None:
    text = "query($n: Int!) { customers(first: $n) { nodes { id } } }"

    assert [cost(client.said(text, n=size))[0] for size in (1, 25, 250)] == [3, 27, 252]


def test_the_actual_cost_is_that_of_what_was_found(clock: Clock) -> None:
    shop = Shop(now=clock)
    for lines in (1, 3):
        shop.add_order([shop.line("Boot", "10") for _ in range(lines)])
    text = "{ orders(first: 10) { nodes { customer { id } lineItems(first: 10) { nodes { id } } } } }"

    with serving(shop) as client:
        requested, actual = cost(client.said(text))

    assert requested == 2 + 10 * (1 + 1 + 2 + 10)
    assert actual == 2 + (1 + 1 + 2 + 1) + (1 + 1 + 2 + 3)


@pytest.mark.parametrize(("first", "served"), [(998, True), (999, False)])
def test_a_query_above_the_single_query_limit_is_refused_and_costs_nothing(
    clock: Clock, first: int, served: bool
) -> None:
    with serving(Shop(now=clock), limits=Limits(page=1000)) as client:
        body = client.said(f"{{ customers(first: {first}) {{ nodes {{ id }} }} }}")
        left = client.counts()["points_available"]

    assert ("data" in body) is served
    if not served:
        assert body["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"
        assert (body["errors"][0]["extensions"]["cost"], body["errors"][0]["extensions"]["maxCost"]) == (1001, 1000)
    assert left == (1998 if served else 2000)


def test_the_requested_points_must_be_there_and_what_was_not_needed_comes_back(clock: Clock) -> None:
    text = "{ customers(first: 98) { nodes { id } } }"  # 100 requested, 2 needed of an empty shop

    with serving(Shop(now=clock), limits=Limits(bucket=101, restore_rate=1)) as client:
        first, second = client.said(text), client.said(text)
        clock.pass_by(seconds=1)
        third = client.said(text)

    assert first["extensions"]["cost"] == {
        "requestedQueryCost": 100,
        "actualQueryCost": 2,
        "throttleStatus": {"maximumAvailable": 101.0, "currentlyAvailable": 99, "restoreRate": 1.0},
    }
    assert second["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert third["data"] == {"customers": {"nodes": []}}


def test_throttled_is_said_with_status_200_without_data_and_with_the_points_there_are(clock: Clock) -> None:
    with serving(Shop(now=clock), limits=Limits(bucket=5, restore_rate=2)) as client:
        reply = client.post("{ customers(first: 98) { nodes { id } } }")
        counts = client.counts()

    assert reply.status_code == 200
    assert reply.json()["errors"][0]["message"] == "Throttled"
    assert "data" not in reply.json()
    assert reply.json()["extensions"]["cost"] == {
        "requestedQueryCost": 100,
        "actualQueryCost": None,
        "throttleStatus": {"maximumAvailable": 5.0, "currentlyAvailable": 5, "restoreRate": 2.0},
    }
    assert (counts["throttled"], counts["refused"], counts["served"]) == (1, 1, 0)


def test_waiting_as_the_answer_says_is_just_long_enough(clock: Clock) -> None:
    text = "{ customers(first: 98) { nodes { id } } }"
    shop = Shop(now=clock)
    for _ in range(98):
        shop.add_customer()

    with serving(shop, limits=Limits(bucket=250, restore_rate=10)) as client:
        for _ in range(2):
            client.ask(text)
        said = client.said(text)["extensions"]["cost"]
        status = said["throttleStatus"]
        wait = (said["requestedQueryCost"] - status["currentlyAvailable"]) / status["restoreRate"]
        clock.pass_by(seconds=wait - 0.001)
        too_early = client.said(text)
        clock.pass_by(seconds=0.001)
        in_time = client.said(text)

    assert wait == 5.0
    assert "errors" in too_early
    assert "errors" not in in_time


def test_points_are_counted_for_the_sandboxs_page(clock: Clock) -> None:
    with serving(Shop(now=clock)) as client:
        client.ask("{ shop { name } }")
        client.ask("{ shop { name plan { shopifyPlus } } }")
        counts = client.counts()

    assert counts["points_used"] == 3
    assert counts["points_available"] == 1997
    assert counts["served"] == 2


steps = st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 130), st.integers(0, 130)), max_size=30)


@settings(deadline=None)
@given(size=st.integers(1, 200), rate=st.integers(1, 60), taken=steps)
def test_the_bucket_holds_exactly_what_refilling_and_taking_leaves(
    size: int, rate: int, taken: list[tuple[int, int, int]]
) -> None:
    clock = Clock()
    bucket = Bucket(size, rate, clock)
    level = Fraction(size)

    for milliseconds, points, given_back in taken:
        clock.pass_by(milliseconds=milliseconds)
        level = min(Fraction(size), level + Fraction(milliseconds, 1000) * rate)
        may = level >= points
        assert bucket.take(points) is may
        if may:
            bucket.give_back(min(given_back, points))
            level = min(Fraction(size), level - points + min(given_back, points))
        assert bucket.available == level


@settings(deadline=None)
@given(size=st.integers(1, 200), rate=st.integers(1, 60), taken=steps)
def test_nobody_gets_more_than_the_bucket_and_what_was_restored(
    size: int, rate: int, taken: list[tuple[int, int, int]]
) -> None:
    clock = Clock()
    start = clock()
    bucket = Bucket(size, rate, clock)
    used = 0

    for milliseconds, points, _ in taken:
        clock.pass_by(milliseconds=milliseconds)
        used += points if bucket.take(points) else 0

    assert used <= size + rate * Fraction((clock() - start) // timedelta(microseconds=1), 1_000_000)


def test_a_clock_that_goes_back_gives_and_takes_nothing(clock: Clock) -> None:
    bucket = Bucket(100, 10, clock)
    bucket.take(100)
    clock.pass_by(seconds=-5)

    assert bucket.available == 0
    clock.pass_by(seconds=7)
    assert bucket.available == 20
