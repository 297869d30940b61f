"""The Shopify stand-in over HTTP: records and lists, versions, tokens, scopes, tags, what a shop lives through."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import shopify
from graphql import GraphQLInterfaceType, GraphQLObjectType, GraphQLUnionType, get_named_type, is_leaf_type

from hub.sandbox import Sandbox
from hub_shopify.stand_in import ACCESS_TOKEN, ALL_SCOPES, CLIENT_SECRET, Limits, Shop, ShopifyStandIn
from hub_shopify.stand_in.schema import VERSIONS, own_schema
from tests.shopify_kit import NOW, Client, Clock, serving

CUSTOMERS = "query($first: Int!, $after: String) { customers(first: $first, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } }"
COUNT = "{ customersCount { count precision } }"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def small_shop(clock: Clock) -> Shop:
    """One of everything."""
    shop = Shop(now=clock)
    shoes = shop.add_collection("Shoes")
    boot = shop.add_product("Boot", "200.00", collections=[shoes.number], image_url="https://cdn.example.com/boot.jpg")
    variant = boot.variants[0].number
    ada = shop.add_customer(email="ada@example.com", phone="+4520123456", default_address=shop.address(city="Aarhus"))
    order = shop.add_order([shop.line("Boot", "200.00", 2, product=boot.number, variant=variant)], ada)
    shop.discount(order, "WELCOME10", "40.00")
    shop.refund(order, "90.00", [(order.lines[0], 1)])
    line = shop.checkout_line("Boot", "200.00", product=boot.number, variant=variant)
    shop.add_checkout([line], ada, shipping_address=ada.default_address)
    return shop


def selection(kind: Any, depth: int, seen: tuple[str, ...] = ()) -> str:
    """Select every field of a type, connections and objects included."""
    if isinstance(kind, GraphQLUnionType):
        return f"{{ {' '.join(f'... on {each.name} {selection(each, depth, seen)}' for each in kind.types)} }}"
    fields = []
    for name, field in kind.fields.items():
        returned = get_named_type(field.type)
        paged = "(first: 5)" if "first" in field.args else ""
        if is_leaf_type(returned):
            fields.append(name)
        elif depth and returned.name not in seen:
            fields.append(f"{name}{paged} {selection(returned, depth - 1, (*seen, kind.name))}")
    if isinstance(kind, GraphQLInterfaceType) and kind.name == "DiscountApplication":
        fields.append("... on DiscountCodeApplication { code }")
    return f"{{ {' '.join(fields)} }}"


@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
@pytest.mark.parametrize("root", ["customers", "orders", "abandonedCheckouts", "products", "collections", "shop"])
def test_every_field_the_stand_in_knows_can_be_read(version: str, root: str) -> None:
    schema = own_schema(version)
    assert isinstance(schema.query_type, GraphQLObjectType)
    paged = "" if root == "shop" else "(first: 5)"
    whole = selection(get_named_type(schema.query_type.fields[root].type), 5)

    with serving(small_shop(Clock()), version=version, limits=Limits(single_query=10**9, bucket=10**9)) as client:
        data = client.ask(f"{{ {root}{paged} {whole} }}")

    assert data[root]


def test_an_order_says_what_was_bought_discounted_and_given_back() -> None:
    with serving(small_shop(Clock())) as client:
        order = client.ask(
            """{ orders(first: 1) { nodes {
                name email discountCodes displayFinancialStatus createdAt
                totalPriceSet { shopMoney { amount currencyCode } } currentTotalPriceSet { shopMoney { amount } }
                totalRefundedSet { shopMoney { amount } } totalDiscountsSet { shopMoney { amount } }
                customer { email numberOfOrders amountSpent { amount } }
                lineItems(first: 5) { nodes { quantity currentQuantity originalUnitPriceSet { shopMoney { amount } }
                    discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount } } product { title } } }
                discountApplications(first: 5) { nodes { index ... on DiscountCodeApplication { code } } }
                refunds(first: 5) { totalRefundedSet { shopMoney { amount } } }
            } } }"""
        )["orders"]["nodes"][0]

    assert order == {
        "name": "#1001",
        "email": "ada@example.com",
        "discountCodes": ["WELCOME10"],
        "displayFinancialStatus": "PARTIALLY_REFUNDED",
        "createdAt": "2026-11-20T12:00:00Z",
        "totalPriceSet": {"shopMoney": {"amount": "360.0", "currencyCode": "DKK"}},
        "currentTotalPriceSet": {"shopMoney": {"amount": "180.0"}},
        "totalRefundedSet": {"shopMoney": {"amount": "90.0"}},
        "totalDiscountsSet": {"shopMoney": {"amount": "40.0"}},
        "customer": {"email": "ada@example.com", "numberOfOrders": "1", "amountSpent": {"amount": "270.0"}},
        "lineItems": {
            "nodes": [
                {
                    "quantity": 2,
                    "currentQuantity": 1,
                    "originalUnitPriceSet": {"shopMoney": {"amount": "200.0"}},
                    "discountedTotalSet": {"shopMoney": {"amount": "360.0"}},
                    "product": {"title": "Boot"},
                }
            ]
        },
        "discountApplications": {"nodes": [{"index": 0, "code": "WELCOME10"}]},
        "refunds": [{"totalRefundedSet": {"shopMoney": {"amount": "90.0"}}}],
    }


def test_money_is_shown_in_the_shops_currency_and_in_the_customers() -> None:
    shop = Shop(now=Clock(), presentment=("EUR", Decimal("0.134")))
    shop.add_order([shop.line("Boot", "199.99")])

    with serving(shop) as client:
        text = "{ orders(first: 1) { nodes { totalPriceSet { shopMoney { amount } presentmentMoney { amount currencyCode } } } } }"
        money = client.ask(text)["orders"]["nodes"][0]["totalPriceSet"]

    assert money == {"shopMoney": {"amount": "199.99"}, "presentmentMoney": {"amount": "26.8", "currencyCode": "EUR"}}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [1, 3, 7, 250])
def test_pages_put_together_are_the_list(size: int, reverse: bool) -> None:
    text = """query($n: Int!, $after: String, $r: Boolean) {
        customers(first: $n, after: $after, reverse: $r, sortKey: UPDATED_AT) {
            edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
    with serving(size=17, seed=5) as client:
        by_time = sorted(client.shop.customers.values(), key=lambda each: (each.updated_at, each.number))
        found: list[str] = []
        after = None
        while True:
            page = client.ask(text, n=size, after=after, r=reverse)["customers"]
            assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
            assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
            found += [edge["node"]["id"] for edge in page["edges"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break

    assert found == [each.id for each in (reversed(by_time) if reverse else by_time)]


@pytest.mark.parametrize("reverse", [False, True])
def test_pages_can_be_read_backwards(reverse: bool) -> None:
    text = """query($before: String, $r: Boolean) { customers(last: 4, before: $before, reverse: $r) {
        nodes { id } pageInfo { hasPreviousPage startCursor } } }"""
    with serving(size=10) as client:
        found: list[str] = []
        before = None
        while True:
            page = client.ask(text, before=before, r=reverse)["customers"]
            found = [node["id"] for node in page["nodes"]] + found
            before = page["pageInfo"]["startCursor"]
            if not page["pageInfo"]["hasPreviousPage"]:
                break
        by_number = [each.id for each in sorted(client.shop.customers.values(), key=lambda each: each.number)]

    assert found == (by_number[::-1] if reverse else by_number)


def test_a_customer_that_changes_while_somebody_pages_is_seen_again_and_none_is_lost(clock: Clock) -> None:
    text = """query($after: String) { customers(first: 2, after: $after, sortKey: UPDATED_AT) {
        nodes { id } pageInfo { hasNextPage endCursor } } }"""
    shop = Shop(now=clock)
    people = [shop.add_customer(first_name=str(number)) for number in range(5) if clock.pass_by(minutes=1) is None]

    with serving(shop) as client:
        first = client.ask(text)["customers"]
        clock.pass_by(minutes=1)
        shop.update_customer(people[0], note="called")
        second = client.ask(text, after=first["pageInfo"]["endCursor"])["customers"]
        third = client.ask(text, after=second["pageInfo"]["endCursor"])["customers"]

    seen = [node["id"] for page in (first, second, third) for node in page["nodes"]]
    assert seen == [people[number].id for number in (0, 1, 2, 3, 4, 0)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "you must provide one of first or last"),
        ("(first: 251)", "first must be between 0 and 250"),
        ("(last: 251)", "last must be between 0 and 250"),
        ("(first: 1, last: 1)", "providing both first and last is not supported"),
        ('(first: 1, after: "x")', "Invalid cursor for current pagination sort."),
    ],
)
def test_pages_that_shopify_refuses_are_refused(arguments: str, message: str) -> None:
    with serving(size=3) as client:
        said = client.said(f"{{ customers{arguments} {{ nodes {{ id }} }} }}")

    assert [error["message"] for error in said["errors"]] == [message]
    assert said["data"] is None


def test_a_page_of_250_is_served_and_a_cursor_of_another_order_is_not() -> None:
    with serving(size=260) as client:
        page = client.ask(CUSTOMERS, first=250)["customers"]
        by_time = "query($after: String) { customers(first: 1, after: $after, sortKey: UPDATED_AT) { nodes { id } } }"
        codes = client.codes(by_time, after=page["pageInfo"]["endCursor"])

    assert len(page["nodes"]) == 250
    assert codes == ["BAD_REQUEST"]


@pytest.mark.parametrize(("customers", "pages"), [(19, [10, 9]), (20, [10, 10]), (21, [10, 10]), (40, [10, 10])])
def test_a_list_ends_at_the_depth_nobody_can_page_beyond(customers: int, pages: list[int]) -> None:
    with serving(size=customers, limits=Limits(depth=20)) as client:
        sizes, after = [], None
        while True:
            page = client.ask(CUSTOMERS, first=10, after=after)["customers"]
            sizes.append(len(page["nodes"]))
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break

    assert sizes == pages


@pytest.mark.parametrize(
    ("customers", "limit", "said"),
    [
        (9, 10, {"count": 9, "precision": "EXACT"}),
        (10, 10, {"count": 10, "precision": "EXACT"}),
        (11, 10, {"count": 10, "precision": "AT_LEAST"}),
        (11, None, {"count": 11, "precision": "EXACT"}),
    ],
)
def test_a_count_above_its_limit_says_at_least(customers: int, limit: int | None, said: dict[str, Any]) -> None:
    with serving(size=customers) as client:
        answer = client.ask("query($n: Int) { customersCount(limit: $n) { count precision } }", n=limit)

    assert answer["customersCount"] == said


@pytest.mark.parametrize(
    ("customers", "said"),
    [
        (20, {"count": 20, "precision": "EXACT"}),
        (21, {"count": 21, "precision": "AT_LEAST"}),
        (30, {"count": 21, "precision": "AT_LEAST"}),
    ],
)
def test_a_count_goes_one_further_than_pages_do(customers: int, said: dict[str, Any]) -> None:
    with serving(size=customers, limits=Limits(depth=20)) as client:
        assert client.ask("{ customersCount(limit: null) { count precision } }")["customersCount"] == said


def test_lines_beyond_the_first_page_are_on_the_next(clock: Clock) -> None:
    shop = Shop(now=clock)
    order = shop.add_order([shop.line(str(number), "1") for number in range(5)])
    text = """query($id: ID!, $after: String) { order(id: $id) { lineItems(first: 2, after: $after) {
        nodes { title } pageInfo { hasNextPage endCursor } } } }"""

    with serving(shop) as client:
        titles, after = [], None
        while True:
            lines = client.ask(text, id=order.id, after=after)["order"]["lineItems"]
            titles.append([node["title"] for node in lines["nodes"]])
            after = lines["pageInfo"]["endCursor"]
            if not lines["pageInfo"]["hasNextPage"]:
                break

    assert titles == [["0", "1"], ["2", "3"], ["4"]]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2026-10", "2026-10"),
        ("2026-07", "2026-07"),
        ("2026-01", "2026-01"),
        ("2025-10", "2026-01"),
        ("2019-04", "2026-01"),
        ("unstable", "2026-10"),
    ],
)
def test_a_version_that_is_gone_falls_forward_to_the_oldest_one(asked: str, answered: str) -> None:
    with serving(size=1, version=asked) as client:
        reply = client.post(COUNT)

    assert reply.status_code == 200
    assert reply.headers["X-Shopify-API-Version"] == answered


@pytest.mark.parametrize("asked", ["2027-01", "latest", "2026"])
def test_a_version_that_never_was_is_not_found(asked: str) -> None:
    with serving(size=1, version=asked) as client:
        assert client.post(COUNT).status_code == 404


def test_an_older_version_lacks_what_came_later() -> None:
    text = "{ customers(first: 1) { nodes { defaultPhoneNumber { smsMarketingConsent { state } } } } }"

    with serving(size=1, version="2026-07") as client:
        errors = client.said(text)["errors"]
        client.version = "2026-10"
        later = client.said(text)

    assert "smsMarketingConsent" in errors[0]["message"]
    assert "errors" not in later


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"no json", 400), (b"[]", 400), (b'{"query": 1}', 400), (b'{"query": "{ shop { nope } }"}', 200)],
)
def test_what_is_no_valid_query_is_refused(body: bytes, status: int) -> None:
    with serving(size=1) as client:
        headers = {"X-Shopify-Access-Token": ACCESS_TOKEN}
        reply = client.http.post("/admin/api/2026-10/graphql.json", content=body, headers=headers)

    assert reply.status_code == status
    assert reply.json()["errors"]


def token_for(client: Client, **fields: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": "app", "client_secret": CLIENT_SECRET, **fields}
    return client.http.post("/admin/oauth/access_token", data=form)


def test_client_id_and_secret_give_a_token_for_24_hours(clock: Clock) -> None:
    with serving(Shop(now=clock)) as client:
        given = token_for(client).json()
        client.token = given["access_token"]
        clock.pass_by(seconds=given["expires_in"] - 1)
        before = client.post(COUNT).status_code
        clock.pass_by(seconds=1)
        after = client.post(COUNT)

    assert given["expires_in"] == 86_399
    assert set(given["scope"].split(",")) == set(ALL_SCOPES)
    assert before == 200
    assert after.status_code == 401
    assert "Invalid API key or access token" in after.json()["errors"]


def test_a_token_can_be_asked_for_in_json_too() -> None:
    with serving(size=1) as client:
        body = {"grant_type": "client_credentials", "client_id": "app", "client_secret": CLIENT_SECRET}
        client.token = client.http.post("/admin/oauth/access_token", json=body).json()["access_token"]

        assert client.post(COUNT).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"client_secret": "another"}, "invalid_client"),
        ({"client_id": ""}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_wrong_credentials_give_no_token(wrong: dict[str, str], code: str) -> None:
    with serving(size=1) as client:
        page = token_for(client, **wrong)
        client.http.headers["Accept"] = "application/json"
        said = token_for(client, **wrong)

    assert (page.status_code, said.status_code) == (400, 400)
    assert page.text.startswith(f"Oauth error {code}: ")
    assert said.json()["error"] == code


@pytest.mark.parametrize("token", ["", "shpat_unknown"])
def test_no_token_no_data(token: str) -> None:
    with serving(size=1, token=token) as client:
        assert client.post(COUNT).status_code == 401


@pytest.mark.parametrize(
    ("scopes", "query", "denied"),
    [
        (["read_orders"], "{ customers(first: 1) { nodes { id } } }", "read_customers"),
        (["read_orders"], COUNT, "read_customers"),
        (["read_customers"], "{ orders(first: 1) { nodes { id } } }", "read_orders"),
        (["read_customers"], "{ abandonedCheckouts(first: 1) { nodes { id } } }", "read_orders"),
        (["read_orders"], "{ orders(first: 1) { nodes { customer { id } } } }", "read_customers"),
        (
            ["read_orders"],
            "{ orders(first: 1) { nodes { lineItems(first: 1) { nodes { product { id } } } } } }",
            "read_products",
        ),
        (
            ["read_customers"],
            "{ customers(first: 1) { nodes { defaultEmailAddress { marketingUnsubscribeUrl } } } }",
            "write_customers",
        ),
        (["write_customers"], "{ products(first: 1) { nodes { id } } }", "read_products"),
    ],
)
def test_a_field_without_its_scope_is_denied(scopes: list[str], query: str, denied: str) -> None:
    with serving(small_shop(Clock()), scopes=scopes) as client:
        errors = client.said(query)["errors"]

    assert {error["extensions"]["code"] for error in errors} == {"ACCESS_DENIED"}
    assert denied in errors[0]["extensions"]["requiredAccess"]


def test_the_app_says_its_scopes_and_writing_includes_reading() -> None:
    with serving(size=1, scopes=["write_customers"]) as client:
        handles = client.ask("{ currentAppInstallation { accessScopes { handle } } }")["currentAppInstallation"]

        assert handles == {"accessScopes": [{"handle": "write_customers"}]}
        assert client.ask(COUNT)["customersCount"]["count"] == 1


@pytest.mark.parametrize(
    ("scopes", "days", "seen"),
    [
        (["read_orders", "read_customers"], 60, True),
        (["read_orders", "read_customers"], 61, False),
        (["read_orders", "read_customers", "read_all_orders"], 61, True),
    ],
)
def test_orders_older_than_60_days_need_a_scope_of_their_own(
    clock: Clock, scopes: list[str], days: int, seen: bool
) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    order = shop.add_order([shop.line("Boot", "10")], ada, created_at=NOW - timedelta(days=days))
    text = """query($id: ID!) { order(id: $id) { id } orders(first: 9) { nodes { id } } ordersCount { count }
        customers(first: 1) { nodes { numberOfOrders orders(first: 9) { nodes { id } } lastOrder { id } } } }"""

    with serving(shop, scopes=scopes) as client:
        data = client.ask(text, id=order.id)

    shown = {"id": order.id} if seen else None
    assert data["order"] == shown
    assert data["orders"]["nodes"] == ([shown] if seen else [])
    assert data["ordersCount"]["count"] == int(seen)
    assert data["customers"]["nodes"] == [
        {"numberOfOrders": "1", "orders": {"nodes": [shown] if seen else []}, "lastOrder": shown}
    ]


def test_tags_are_added_and_removed_and_shown(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com", tags=["vip"])
    text = """mutation($id: ID!, $add: [String!]!, $remove: [String!]!) {
        tagsAdd(id: $id, tags: $add) { node { id ... on Customer { tags } } userErrors { message } }
        tagsRemove(id: $id, tags: $remove) { node { ... on Customer { tags } } userErrors { field message } } }"""

    with serving(shop) as client:
        clock.pass_by(hours=1)
        done = client.ask(text, id=ada.id, add=["Carts, VIP", "carts"], remove=["vip"])
        shown = client.counts()["tagged_customers"]

    assert done["tagsAdd"] == {"node": {"id": ada.id, "tags": ["Carts", "vip"]}, "userErrors": []}
    assert done["tagsRemove"] == {"node": {"tags": ["Carts"]}, "userErrors": []}
    assert shown == [{"id": ada.id, "name": "ada@example.com", "tags": ["Carts"]}]
    assert ada.updated_at == clock()


def test_tags_need_the_scope_to_write_and_a_record_that_exists(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    text = 'mutation($id: ID!) { tagsAdd(id: $id, tags: ["x"]) { node { id } userErrors { field message } } }'

    with serving(shop, scopes=["read_customers"]) as client:
        denied = client.codes(text, id=ada.id)
        unknown = client.ask(text, id="gid://shopify/Customer/1")["tagsAdd"]

    assert denied == ["ACCESS_DENIED"]
    assert unknown == {"node": None, "userErrors": [{"field": ["id"], "message": "invalid id"}]}
    assert ada.tags == []


def test_a_deleted_customer_is_gone_and_the_orders_stay_without_one(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    order = shop.add_order([shop.line("Boot", "10")], ada)
    clock.pass_by(minutes=1)
    shop.delete_customer(ada)

    with serving(shop) as client:
        text = "query($c: ID!, $o: ID!) { customer(id: $c) { id } node(id: $o) { ... on Order { customer { id } updatedAt } } }"
        data = client.ask(text, c=ada.id, o=order.id)

    assert data == {"customer": None, "node": {"customer": None, "updatedAt": "2026-11-20T12:01:00Z"}}


def test_merged_customers_share_orders_checkouts_and_tags_under_one_id(clock: Clock) -> None:
    shop = Shop(now=clock)
    kept = shop.add_customer(email="ada@example.com", tags=["a"])
    gone = shop.add_customer(phone="+4520123456", tags=["b"])
    order = shop.add_order([shop.line("Boot", "10")], gone)
    checkout = shop.add_checkout([shop.checkout_line("Boot", "10")], gone)
    shop.merge_customers(kept, gone)

    text = """query($ids: [ID!]!) {
        customers(first: 9) { nodes { id tags phone numberOfOrders } }
        nodes(ids: $ids) { ... on Order { customer { id } } ... on Customer { id } } }"""

    with serving(shop) as client:
        data = client.ask(text, ids=[order.id, gone.id])
        recovered = client.ask("{ abandonedCheckouts(first: 1) { nodes { id customer { id } } } }")

    assert data["customers"]["nodes"] == [
        {"id": kept.id, "tags": ["a", "b"], "phone": "+4520123456", "numberOfOrders": "1"}
    ]
    assert data["nodes"] == [{"customer": {"id": kept.id}}, None]
    assert recovered["abandonedCheckouts"]["nodes"] == [{"id": checkout.id, "customer": {"id": kept.id}}]


def test_a_redacted_customer_keeps_the_id_and_loses_the_person(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com", phone="+4520123456", first_name="Ada", tags=["vip"])
    shop.set_consent(ada, "email", "SUBSCRIBED")
    order = shop.add_order([shop.line("Boot", "10")], ada)
    shop.redact_customer(ada)
    text = """query($c: ID!, $o: ID!) { order(id: $o) { email phone totalPriceSet { shopMoney { amount } } }
        customer(id: $c) { id firstName email tags defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } } }"""

    with serving(shop) as client:
        data = client.ask(text, c=ada.id, o=order.id)

    assert data["order"] == {"email": None, "phone": None, "totalPriceSet": {"shopMoney": {"amount": "10.0"}}}
    assert data["customer"] == {
        "id": ada.id,
        "firstName": None,
        "email": None,
        "tags": [],
        "defaultEmailAddress": None,
        "defaultPhoneNumber": None,
    }


@pytest.mark.parametrize("vanish", [False, True])
def test_a_line_removed_from_an_order_counts_no_more(clock: Clock, vanish: bool) -> None:
    shop = Shop(now=clock)
    order = shop.add_order([shop.line("Boot", "10"), shop.line("Sandal", "5")])
    clock.pass_by(minutes=1)
    shop.remove_line(order, order.lines[0], vanish=vanish)
    text = "{ orders(first: 1) { nodes { updatedAt edited currentTotalPriceSet { shopMoney { amount } } lineItems(first: 5) { nodes { title currentQuantity } } } } }"

    with serving(shop) as client:
        node = client.ask(text)["orders"]["nodes"][0]

    left = [{"title": "Sandal", "currentQuantity": 1}]
    assert node["lineItems"]["nodes"] == (left if vanish else [{"title": "Boot", "currentQuantity": 0}, *left])
    assert node["currentTotalPriceSet"] == {"shopMoney": {"amount": "5.0"}}
    assert node["updatedAt"] == "2026-11-20T12:01:00Z"
    assert node["edited"] is True


def test_a_finished_checkout_stays_listed_beside_its_order(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")
    line = shop.checkout_line("Boot", "10", 2, discount=Decimal(4))
    checkout = shop.add_checkout([line], ada, discount_codes=["FOUR"])
    clock.pass_by(hours=2)
    order = shop.complete_checkout(checkout)
    text = """{ abandonedCheckouts(first: 5) { nodes { id completedAt updatedAt totalPriceSet { shopMoney { amount } } } }
        orders(first: 5) { nodes { id checkoutToken discountCodes totalPriceSet { shopMoney { amount } } } } }"""

    with serving(shop) as client:
        data = client.ask(text)

    paid = {"shopMoney": {"amount": "16.0"}}
    finished = "2026-11-20T14:00:00Z"
    assert data["abandonedCheckouts"]["nodes"] == [
        {"id": checkout.id, "completedAt": finished, "updatedAt": finished, "totalPriceSet": paid}
    ]
    assert data["orders"]["nodes"] == [
        {"id": order.id, "checkoutToken": checkout.token, "discountCodes": ["FOUR"], "totalPriceSet": paid}
    ]


def test_an_attribute_that_does_not_exist_is_a_mistake_of_the_test(clock: Clock) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer()

    with pytest.raises(TypeError, match="emial"):
        shop.update_customer(ada, emial="x@example.com")


def test_the_same_seed_makes_the_same_shop_and_another_one_another() -> None:
    def emails(seed: int) -> list[str | None]:
        return [
            each.email for each in ShopifyStandIn(size=30, seed=seed, now=Clock(), specs=None).shop.customers.values()
        ]

    assert emails(1) == emails(1)
    assert emails(1) != emails(2)
    assert all(email is None or email.endswith(("@example.com", "@example.net", "@example.org")) for email in emails(1))


def test_a_made_shop_has_a_bit_of_everything() -> None:
    shop = ShopifyStandIn(size=400, now=Clock(), specs=None).shop
    orders = shop.orders.values()

    assert {each.display_financial_status for each in orders} >= {"PAID", "PENDING", "VOIDED", "REFUNDED"}
    assert any(each.test for each in orders)
    assert any(each.customer is None for each in orders)
    assert any(each.discount_codes for each in orders)
    assert any(each.completed_at for each in shop.checkouts.values())
    assert any(each.email is None for each in shop.customers.values())
    assert all(each.updated_at <= NOW and each.processed_at <= NOW for each in orders)


def test_shopifys_own_client_library_reads_the_shop(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(now=clock)
    ada = shop.add_customer(email="ada@example.com")

    with serving(shop) as client:
        # The library puts the shop's name in front of a domain: this spells 127.0.0.1.
        for name, value in {"protocol": "http", "myshopify_domain": "0.0.1", "port": client.http.base_url.port}.items():
            monkeypatch.setattr(shopify.Session, name, value)
        with shopify.Session.temp("127", "2026-10", ACCESS_TOKEN):
            read = "query($n: Int!) { customers(first: $n) { nodes { email } } }"
            found = json.loads(shopify.GraphQL().execute(read, {"n": 5}))
            tag = 'mutation Tag($id: ID!) { tagsAdd(id: $id, tags: ["vip"]) { userErrors { message } } }'
            done = json.loads(shopify.GraphQL().execute(tag, {"id": ada.id}, "Tag"))

    assert found["data"] == {"customers": {"nodes": [{"email": "ada@example.com"}]}}
    assert done["data"] == {"tagsAdd": {"userErrors": []}}
    assert ada.tags == ["vip"]


def test_the_sandbox_shows_the_shop_and_switches_its_faults(tmp_path: Path) -> None:
    with Sandbox([ShopifyStandIn], tmp_path) as sandbox:
        control, address = sandbox.running.control, sandbox.running.addresses["shopify"]
        page = httpx.get(control)
        httpx.post(f"{control}faults", json={"plugin": "shopify", "fault": "server-error", "status": "503"})
        broken = httpx.post(f"{address}/admin/api/2026-10/graphql.json", json={"query": COUNT})
        state = httpx.get(f"{control}state").json()["shopify"]

    assert page.status_code == 200
    assert broken.status_code == 503
    assert state["state"]["refused"] == 1
    assert {fault["name"] for fault in state["can_fail"]} >= {"throttled", "expired-token", "redacted", "bulk-failed"}


def test_nobody_is_answered_after_the_end(clock: Clock) -> None:
    stand_in = ShopifyStandIn(Shop(now=clock), specs=None)
    kept = httpx.Client(base_url=stand_in.start(), headers={"X-Shopify-Access-Token": ACCESS_TOKEN})
    path, body = "/admin/api/2026-10/graphql.json", {"query": COUNT}
    before = kept.post(path, json=body).status_code
    stand_in.stop()
    stand_in.stop()

    assert before == 200
    with pytest.raises(httpx.TransportError):
        kept.post(path, json=body)
