"""The stand-in's search: Shopify's syntax, its traps with times, and what it cannot filter by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub_shopify.stand_in import Shop
from hub_shopify.stand_in.records import Consent
from hub_shopify.stand_in.schema import own_schema
from tests.shopify_kit import NOW, Client, Clock, serving

MICRO = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
DENMARK = ZoneInfo("Europe/Copenhagen")  # the time zone of the shop


@pytest.fixture
def clock() -> Clock:
    return Clock()


def changed_at(*times: datetime) -> Shop:
    """A shop with a customer for each time, first_name its place in the list."""
    shop = Shop(now=Clock())
    for number, at in enumerate(times):
        shop.add_customer(first_name=str(number), created_at=at, updated_at=at)
    return shop


def found(client: Client, query: str, root: str = "customers") -> list[int]:
    """Return the places of the customers a search finds."""
    text = f"query($q: String) {{ {root}(first: 250, query: $q) {{ nodes {{ firstName }} }} }}"
    return [int(node["firstName"]) for node in client.ask(text, q=query)[root]["nodes"]]


T = datetime(2026, 10, 5, 12, 30, 15, tzinfo=UTC)
AROUND = (T - MICRO, T, T + MICRO, T + SECOND - MICRO, T + SECOND)


@pytest.mark.parametrize(
    ("comparator", "version", "expected"),
    [
        (">=", "2026-10", [1, 2, 3, 4]),
        (">=", "2026-01", [1, 2, 3, 4]),
        (">", "2026-10", [4]),
        (">", "2026-07", [2, 3, 4]),
        ("<", "2026-10", [0]),
        ("<", "2026-01", [0]),
        ("<=", "2026-10", [0, 1]),
        ("", "2026-10", [1, 2, 3]),
    ],
)
def test_a_quoted_time_compares_to_the_second_and_finer(comparator: str, version: str, expected: list[int]) -> None:
    with serving(changed_at(*AROUND), version=version) as client:
        assert found(client, f"updated_at:{comparator}'2026-10-05T12:30:15Z'") == expected


def test_a_quoted_time_may_carry_an_offset_or_double_quotes() -> None:
    with serving(changed_at(*AROUND)) as client:
        assert found(client, "updated_at:>='2026-10-05T14:30:15+02:00'") == [1, 2, 3, 4]
        assert found(client, 'updated_at:>="2026-10-05T12:30:15Z"') == [1, 2, 3, 4]
        assert found(client, "updated_at:>='2026-10-05T14:30:15'") == [1, 2, 3, 4]


DAY = datetime(2026, 10, 5, tzinfo=DENMARK)
AROUND_DAY = (DAY - MICRO, DAY, T, DAY + timedelta(days=1) - MICRO, DAY + timedelta(days=1))


@pytest.mark.parametrize("written", ["2026-10-05T12:30:15Z", "2026-10-05", "'2026-10-05'"])
@pytest.mark.parametrize(
    ("comparator", "expected"), [("", [1, 2, 3]), (">=", [1, 2, 3, 4]), (">", [4]), ("<", [0]), ("<=", [0, 1, 2, 3])]
)
def test_a_time_without_quotes_is_only_its_day_in_the_shops_time_zone(
    written: str, comparator: str, expected: list[int]
) -> None:
    with serving(changed_at(*AROUND_DAY)) as client:
        assert found(client, f"updated_at:{comparator}{written}") == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("updated_at:<=2025", [0]),
        ("updated_at:2026-10", [1, 2]),
        ("updated_at:>'2026-10'", [3]),
        ("updated_at:<now", [0, 1, 2, 3]),
        ("updated_at:>now", []),
    ],
)
def test_months_years_and_now_are_times_too(query: str, expected: list[int]) -> None:
    months = [datetime(2025, 12, 31, 22, 59, 59, tzinfo=UTC), *(datetime(2026, 10, day, tzinfo=UTC) for day in (1, 31))]

    with serving(changed_at(*months, datetime(2026, 11, 2, tzinfo=UTC))) as client:
        assert found(client, query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [0, 1, 2, 3]),
        ("first_name:0 OR first_name:2", [0, 2]),
        ("first_name:0 AND first_name:2", []),
        ("first_name:0 first_name:0", [0]),
        ("-first_name:0", [1, 2, 3]),
        ("NOT first_name:0 AND NOT first_name:1", [2, 3]),
        ("NOT (first_name:0 OR first_name:1)", [2, 3]),
        ("first_name:0 OR first_name:1 AND first_name:2", [0]),
        ("(first_name:0 OR first_name:1) AND -first_name:0", [1]),
        ("  first_name:3  ", [3]),
        ("first_name: 3", [3]),
    ],
)
def test_terms_are_joined_by_and_or_not_and_brackets(query: str, expected: list[int]) -> None:
    with serving(changed_at(*[T] * 4)) as client:
        assert found(client, query) == expected


@pytest.fixture
def people() -> Iterator[Client]:
    shop = Shop(now=Clock())
    shop.add_customer(first_name="0", email="bo.wang@example.com", tags=["VIP", "trade fair"], state="ENABLED")
    shop.add_customer(first_name="1", email="bo@example.com", tags=["vip-gold"], email_consent=Consent("SUBSCRIBED"))
    shop.add_customer(first_name="2", phone="+4520123456", default_address=shop.address(country_code_v2="DK"))
    with serving(shop) as client:
        yield client


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('email:"bo.wang@example.com"', [0]),
        ("email:bo", [0, 1]),
        ("email:wan*", [0]),
        ("email:*", [0, 1]),
        ("phone:*", [2]),
        ("phone:+4520123456", [2]),
        ("tag:vip", [0]),
        ("tag:'trade fair'", [0]),
        ("tag:'vip,vip-gold'", [0, 1]),
        ("tag_not:vip", [1, 2]),
        ("-tag_not:vip", [0]),
        ("state:enabled", [0]),
        ("country:DK", [2]),
        ("accepts_marketing:true", [1]),
        ("accepts_marketing:false", [0, 2]),
        ("wang", [0]),
        ("orders_count:0", [0, 1, 2]),
        ("orders_count:>0", []),
        ("total_spent:>=0", [0, 1, 2]),
    ],
)
def test_customers_are_found_by_what_they_are(people: Client, query: str, expected: list[int]) -> None:
    assert found(people, query) == expected


@pytest.mark.parametrize(
    ("comparator", "expected"), [("", [1]), (">", [2]), (">=", [1, 2]), ("<", [0]), ("<=", [0, 1])]
)
def test_ids_are_compared_as_numbers(people: Client, comparator: str, expected: list[int]) -> None:
    number = sorted(people.shop.customers)[1]

    assert found(people, f"id:{comparator}{number}") == expected


def test_customers_are_found_by_when_they_ordered_and_what_they_spent(clock: Clock) -> None:
    shop = changed_at(T, T)
    first, _ = shop.customers.values()
    shop.add_order([shop.line("Boot", "99.95")], first, created_at=T)

    with serving(shop) as client:
        assert found(client, "order_date:>='2026-10-05T12:30:15Z'") == [0]
        assert found(client, "order_date:>'2026-10-05T12:30:15Z'") == []
        assert found(client, "total_spent:99.95") == [0]
        assert found(client, "orders_count:1") == [0]


def test_orders_are_found_by_status_customer_and_tokens(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    paid = shop.add_order([shop.line("Boot", "10", sku="B-1")], ada, cart_token="c1", tags=["gift"])
    pending = shop.add_order([shop.line("Sandal", "5")], display_financial_status="PENDING", test=True)
    cancelled = shop.cancel_order(shop.add_order([shop.line("Boot", "10")], ada))
    closed = shop.add_order([shop.line("Boot", "10")], closed_at=NOW)
    shop.discount(paid, "WELCOME10", "1")
    queries = {
        "status:open": [paid, pending],
        "status:closed": [closed],
        "status:cancelled": [cancelled],
        "status:not_closed": [paid, pending],
        "status:any": [paid, pending, cancelled, closed],
        "financial_status:paid": [paid, closed],
        "financial_status:'pending,voided'": [pending, cancelled],
        f"customer_id:{ada.number}": [paid, cancelled],
        "test:true": [pending],
        "name:#1002": [pending],
        "name:1002": [pending],
        "cart_token:c1": [paid],
        "sku:b-1": [paid],
        "discount_code:welcome10": [paid],
        "tag:gift": [paid],
        "email:'ada@example.com'": [paid, cancelled],
        "current_total_price:>=9 current_total_price:<10": [paid],
        "processed_at:>='2026-11-20T12:00:00Z'": [paid, pending, cancelled, closed],
        "created_at:>'2026-11-20T12:00:00Z'": [],
    }

    with serving(shop) as client:
        answers = {query: client.ids("orders", query) for query in queries}

    assert answers == {query: [order.id for order in orders] for query, orders in queries.items()}


def test_checkouts_are_found_by_whether_they_were_finished(clock: Clock) -> None:
    shop = Shop(now=clock)
    left, finished = (shop.add_checkout([shop.checkout_line("Boot", "10")]) for _ in range(2))
    clock.pass_by(hours=1)
    shop.complete_checkout(finished)
    queries = {
        "status:open": [left],
        "status:closed": [finished],
        "recovery_state:recovered": [finished],
        "recovery_state:not_recovered": [left],
        "updated_at:>='2026-11-20T13:00:00Z'": [finished],
        "created_at:>='2026-11-20T13:00:00Z'": [],
        f"id:>{left.number}": [finished],
    }

    with serving(shop) as client:
        answers = {query: client.ids("abandonedCheckouts", query) for query in queries}

    assert answers == {query: [each.id for each in checkouts] for query, checkouts in queries.items()}


def test_products_are_found_by_title_type_stock_and_collection(clock: Clock) -> None:
    shop = Shop(now=clock)
    sale = shop.add_collection("Sale")
    boot = shop.add_product("Trail Boot", "200", product_type="Boots", vendor="Acme", inventory=0, sku="TB")
    cream = shop.add_product("Shoe Cream", "20", product_type="Care", collections=[sale.number], status="DRAFT")
    queries = {
        "title:boot": [boot],
        "title:'Trail Boot'": [boot],
        "product_type:Boots": [boot],
        "vendor:acme": [boot],
        "inventory_total:0": [boot],
        "inventory_total:>0": [cream],
        f"collection_id:{sale.number}": [cream],
        "status:draft": [cream],
        "sku:tb": [boot],
        "price:>=100": [boot],
        "handle:shoe-cream": [cream],
    }

    with serving(shop) as client:
        answers = {query: client.ids("products", query) for query in queries}
        collections = client.ids("collections", "title:sale")

    assert answers == {query: [each.id for each in products] for query, products in queries.items()}
    assert collections == [sale.id]


@pytest.mark.parametrize(
    ("root", "query", "field", "code"),
    [
        ("customers", "nonsense:1", "nonsense", "invalid_field"),
        ("abandonedCheckouts", "email:'a@example.com'", "email", "invalid_field"),
        ("customers", "updated_at:>='yesterday'", "updated_at", "invalid_value"),
        ("customers", "id:abc", "id", "invalid_value"),
        ("customers", "accepts_marketing:perhaps", "accepts_marketing", "invalid_value"),
    ],
)
def test_a_filter_that_makes_no_sense_is_left_out_with_a_warning_only(
    root: str, query: str, field: str, code: str
) -> None:
    with serving(size=20) as client:
        everything = client.ids(root, "")
        body = client.said(f"query($q: String) {{ {root}(first: 250, query: $q) {{ nodes {{ id }} }} }}", q=query)

    assert [node["id"] for node in body["data"][root]["nodes"]] == everything
    assert [(each["field"], each["code"]) for each in body["extensions"]["search"][0]["warnings"]] == [(field, code)]


@pytest.mark.parametrize(
    ("root", "sort_key", "value"),
    [
        ("customers", "UPDATED_AT", lambda each: each.updated_at),
        ("customers", "CREATED_AT", lambda each: each.created_at),
        ("customers", "NAME", lambda each: each.display_name.lower()),
        ("customers", "RELEVANCE", lambda each: each.number),
        ("orders", "UPDATED_AT", lambda each: each.updated_at),
        ("orders", "PROCESSED_AT", lambda each: each.processed_at),
        ("orders", "TOTAL_PRICE", lambda each: each.total_price),
        ("orders", "ORDER_NUMBER", lambda each: each.order_number),
        ("abandonedCheckouts", "CREATED_AT", lambda each: each.created_at),
        ("abandonedCheckouts", "TOTAL_PRICE", lambda each: each.total_price),
        ("products", "TITLE", lambda each: each.title.lower()),
        ("products", "INVENTORY_TOTAL", lambda each: each.total_inventory),
        ("collections", "TITLE", lambda each: each.title.lower()),
    ],
)
def test_lists_are_sorted_by_their_keys_then_by_id_across_pages(root: str, sort_key: str, value: Any) -> None:
    text = f"""query($after: String) {{ {root}(first: 7, after: $after, sortKey: {sort_key}) {{
        nodes {{ id }} pageInfo {{ hasNextPage endCursor }} }} }}"""
    with serving(size=15) as client:
        shop = client.shop
        records = {
            "customers": shop.customers,
            "orders": shop.orders,
            "abandonedCheckouts": shop.checkouts,
            "products": shop.products,
            "collections": shop.collections,
        }[root]
        found_ids, after = [], None
        while True:
            page = client.ask(text, after=after)[root]
            found_ids += [node["id"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break

    assert found_ids == [each.id for each in sorted(records.values(), key=lambda each: (value(each), each.number))]


LISTS = {
    "customers": "CustomerSortKeys",
    "orders": "OrderSortKeys",
    "abandonedCheckouts": "AbandonedCheckoutSortKeys",
    "products": "ProductSortKeys",
    "collections": "CollectionSortKeys",
    "bulkOperations": "BulkOperationsSortKeys",
}


@pytest.mark.parametrize("root", LISTS)
def test_every_sort_key_that_shopify_has_sorts_and_pages(root: str) -> None:
    text = f"""query($after: String) {{ {root}(first: 2, after: $after, sortKey: %s) {{
        nodes {{ id }} pageInfo {{ endCursor }} }} }}"""
    keys = own_schema("2026-10").type_map[LISTS[root]].values  # type: ignore[attr-defined]
    with serving(size=12, seed=3) as client:
        run = 'mutation { bulkOperationRunQuery(query: "{ customers { edges { node { id } } } }") { userErrors { code } } }'
        for _ in range(4):
            client.ask(run)
        pages = {}
        for key in keys:
            first = client.ask(text % key)[root]
            second = client.ask(text % key, after=first["pageInfo"]["endCursor"])[root]
            pages[key] = [node["id"] for page in (first, second) for node in page["nodes"]]

    assert {key: len(set(ids)) for key, ids in pages.items()} == dict.fromkeys(keys, 4)


@pytest.mark.parametrize(
    ("root", "sort_key"), [("abandonedCheckouts", "UPDATED_AT"), ("customers", "TOTAL_SPENT"), ("collections", "ID_")]
)
def test_a_sort_key_that_a_list_has_not_is_an_error(root: str, sort_key: str) -> None:
    with serving(size=1) as client:
        errors = client.said(f"{{ {root}(first: 1, sortKey: {sort_key}) {{ nodes {{ id }} }} }}")["errors"]

    assert sort_key in errors[0]["message"]


@dataclass(frozen=True)
class Term:
    """A condition as text, and what it means, worked out in another way."""

    text: str
    numbers: frozenset[int]


TIMES = [T + timedelta(hours=hours, microseconds=micro) for hours in range(8) for micro in (0, 400_000)]
EVERYONE = frozenset(range(len(TIMES)))


@st.composite
def terms(draw: st.DrawFn) -> Term:
    """Draw a comparison of updated_at with a whole second, or of the first name."""
    if draw(st.booleans()):
        number = draw(st.integers(0, len(TIMES) - 1))
        return Term(f"first_name:{number}", frozenset({number}))
    edge = draw(st.sampled_from([at.replace(microsecond=0) for at in TIMES]))
    after = frozenset(number for number, at in enumerate(TIMES) if int(at.timestamp()) > int(edge.timestamp()))
    within = frozenset(number for number, at in enumerate(TIMES) if int(at.timestamp()) == int(edge.timestamp()))
    before = EVERYONE - after - within
    meant = {">": after, ">=": after | within, "<": before, "": within}
    comparator = draw(st.sampled_from(sorted(meant)))
    return Term(f"updated_at:{comparator}'{edge.isoformat().replace('+00:00', 'Z')}'", meant[comparator])


def joined(parts: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    pairs = st.tuples(parts, parts)
    return st.one_of(
        pairs.map(lambda pair: Term(f"({pair[0].text}) AND ({pair[1].text})", pair[0].numbers & pair[1].numbers)),
        pairs.map(lambda pair: Term(f"({pair[0].text}) ({pair[1].text})", pair[0].numbers & pair[1].numbers)),
        pairs.map(lambda pair: Term(f"({pair[0].text}) OR ({pair[1].text})", pair[0].numbers | pair[1].numbers)),
        parts.map(lambda part: Term(f"NOT ({part.text})", EVERYONE - part.numbers)),
        parts.map(lambda part: Term(f"-({part.text})", EVERYONE - part.numbers)),
    )


@pytest.fixture(scope="module")
def hours() -> Iterator[Client]:
    with serving(changed_at(*TIMES)) as client:
        yield client


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=st.recursive(terms(), joined, max_leaves=6))
def test_a_search_finds_what_set_arithmetic_finds(hours: Client, asked: Term) -> None:
    with_points(hours)

    assert frozenset(found(hours, asked.text)) == asked.numbers


def with_points(client: Client) -> None:
    """Let the bucket fill: no example waits for another."""
    client.shop.now.pass_by(minutes=1)  # type: ignore[attr-defined]
