"""Who is one person: the rules of identity, on any content in any order."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.catalog import Till
from tests.catalog_shop import NOW, Shop, a_shop, days, order


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_chain_of_customers_and_emails_is_one_person(shop: Shop) -> None:
    chain = [order(str(n), 1, customer_id=f"c{n}", email=f"e{n}@x.example") for n in range(40)]
    links = [order(f"l{n}", 1, customer_id=f"c{n}", email=f"e{n + 1}@x.example") for n in range(39)]

    shop.load({"orders": chain + links})

    assert len(shop.persons()) == 1
    assert len(shop.persons()[0]) == 80


def test_five_emails_are_a_person_and_six_are_a_till(shop: Shop) -> None:
    shop.load(
        {
            "orders": [order(f"p{n}", 1, customer_id="five", email=f"p{n}@x.example") for n in range(5)]
            + [order(f"t{n}", 1, customer_id="six", email=f"t{n}@x.example") for n in range(6)]
            + [order("bare", 1, customer_id="six")]
        }
    )

    with shop.session() as session:
        assert session.tills() == (Till("shop", "six", 6),)
        assert session.find("six") == []
    assert len(shop.persons()) == 7
    assert shop.ask("select person_id from orders where order_id = 'bare'") == [(None,)]


def test_a_family_that_shares_a_phone_stays_apart(shop: Shop) -> None:
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "a@x.example", "phone": "+4520123456"},
                {"customer_id": "2", "email": "b@x.example", "phone": "+4520123456"},
            ],
            "orders": [order("1", 1, phone="+4520123456")],
        }
    )

    assert len(shop.persons()) == 3
    assert shop.ask("select person_ref from people order by 1") == [
        ("email:a@x.example",),
        ("email:b@x.example",),
        ("phone:+4520123456",),
    ]


def test_a_phone_joins_a_record_without_email_to_the_one_person_who_has_it(shop: Shop) -> None:
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "a@x.example", "phone": "+4520123456"},
                {"customer_id": "2", "phone": "+4520123456"},
            ],
            "orders": [order("1", 1, phone="+4520123456")],
        }
    )

    assert len(shop.persons()) == 1


def test_a_record_whose_phones_lead_to_two_people_joins_neither(shop: Shop) -> None:
    shop.load(
        {
            "customers": [
                {"customer_id": "1", "email": "a@x.example", "phone": "+4520123451"},
                {"customer_id": "2", "email": "b@x.example", "phone": "+4520123452"},
            ],
            "orders": [
                order("1", 1, customer_id="3", phone="+4520123451"),
                order("2", 1, customer_id="3", phone="+4520123452"),
            ],
        }
    )

    assert len(shop.persons()) == 3


def test_a_visitor_joins_through_user_id_or_transaction_and_else_stands_alone(shop: Shop) -> None:
    event = {"name": "view_item", "happened_at": days(1), "analytics_consent": True}
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}],
            "orders": [order("77", 1, name="#1001", email="b@x.example")],
            "events": [
                event | {"event_id": "1", "visitor_id": "v1", "user_id": "1"},
                event | {"event_id": "2", "visitor_id": "v1"},
                event | {"event_id": "3", "visitor_id": "v2", "transaction_id": "1001"},
                event | {"event_id": "4", "visitor_id": "v2"},
                event | {"event_id": "5", "visitor_id": "v3"},
            ],
        }
    )

    rows = shop.ask("select event_id, person_ref from events join people using (person_id) order by 1")
    assert rows == [
        ("1", "email:a@x.example"),
        ("2", "email:a@x.example"),
        ("3", "email:b@x.example"),
        ("4", "email:b@x.example"),
        ("5", "visitor:shop:v3"),
    ]


def test_a_shared_browser_merges_nobody(shop: Shop) -> None:
    event = {"name": "view_item", "happened_at": days(1), "analytics_consent": True, "visitor_id": "v"}
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}, {"customer_id": "2", "email": "b@x.example"}],
            "events": [
                event | {"event_id": "1", "user_id": "1"},
                event | {"event_id": "2", "user_id": "2"},
                event | {"event_id": "3"},
            ],
        }
    )

    assert len(shop.persons()) == 2
    rows = shop.ask("select event_id, person_ref from events join people using (person_id) order by 1")
    assert rows == [("1", "email:a@x.example"), ("2", "email:b@x.example"), ("3", "visitor:shop:v")]


@pytest.mark.parametrize(
    ("said", "country", "attributed"),
    [
        (True, "DE", True),
        (False, "US", False),
        (None, "DE", False),
        (None, "CH", False),
        (None, "US", True),
        (None, None, False),
    ],
)
def test_an_event_is_attributed_only_where_analytics_may_be(
    shop: Shop, said: bool | None, country: str | None, attributed: bool
) -> None:
    event = {
        "event_id": "1",
        "name": "view_item",
        "happened_at": days(1),
        "user_id": "1",
        "country": country,
        "analytics_consent": said,
    }

    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}], "events": [event]})

    assert shop.ask("select person_id is not null from events") == [(attributed,)]


@settings(max_examples=8, deadline=None)
@given(order_of_arrival=st.permutations(range(5)))
def test_a_purchase_told_twice_counts_once_whatever_came_first(order_of_arrival: list[int]) -> None:
    bought = {"name": "purchase", "transaction_id": "T1", "value": "50"}
    events = [
        {"event_id": "1", "happened_at": days(5), "visitor_id": "v"} | bought,
        {"event_id": "2", "happened_at": days(3), "visitor_id": "w"} | bought,
        {"event_id": "3", "happened_at": days(5), "visitor_id": "v"} | bought,
        {"event_id": "4", "happened_at": days(1), "visitor_id": "v"} | bought | {"transaction_id": "T2"},
        {"event_id": "5", "happened_at": days(9), "visitor_id": "v"} | bought | {"transaction_id": None},
    ]

    with a_shop() as shop:
        shop.load(*({"events": [events[place]]} for place in order_of_arrival))

        rows = shop.ask("select event_id, value from events where name = 'purchase' order by 1")
        again = shop.ask("select event_id, value from events where name = 'repeated_purchase' order by 1")

    assert rows == [("1", Decimal(50)), ("4", Decimal(50)), ("5", Decimal(50))]
    assert again == [("2", None), ("3", None)]


def test_subjects_of_consents_engagement_and_traits_are_people_too(shop: Shop) -> None:
    shop.load(
        {
            "customers": [{"customer_id": "1", "email": "a@x.example"}],
            "consents": [{"subject": "new@x.example", "channel": "email", "status": "subscribed"}],
            "engagement": [{"subject": "A@x.example", "kind": "sent", "campaign": "c", "happened_at": days(1)}],
            "traits": [
                {"subject": "1", "name": "size", "value": "42"},
                {"subject": "+4520123456", "name": "size", "value": "43"},
            ],
        }
    )

    refs = [row[0] for row in shop.ask("select person_ref from people order by 1")]
    assert refs == ["email:a@x.example", "email:new@x.example", "phone:+4520123456"]
    assert shop.ask("select count(*) from traits join people using (person_id)") == [(2,)]


def test_find_knows_an_email_a_phone_and_a_customer_id(shop: Shop) -> None:
    shop.load(
        {"customers": [{"customer_id": "gid://shopify/Customer/9", "email": "a@x.example", "phone": "20 12 34 56"}]}
    )

    with shop.session() as session:
        answers = [
            session.find(text)
            for text in (" A@X.example", "+45 20 12 34 56", "20123456", "9", "gid://shopify/Customer/9", "nobody")
        ]
    assert answers == [[1], [1], [1], [1], [1], []]


def test_customer_ids_of_two_shops_are_different_people(tmp_path: Path) -> None:
    shop = Shop(tmp_path, [("a", "a"), ("b", "b")])

    shop.load({"customers": [{"customer_id": "1"}]}, source="a")
    shop.load({"customers": [{"customer_id": "1"}]}, source="b")

    assert len(shop.persons()) == 2


def test_one_customer_with_an_email_in_each_source_of_a_system_is_one_person_with_both(tmp_path: Path) -> None:
    shop = Shop(tmp_path, [("shop", "acme"), ("crm", "acme")])

    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}]}, source="shop")
    shop.load({"customers": [{"customer_id": "1", "email": "b@x.example"}]}, source="crm")

    assert shop.persons() == [
        frozenset({("customer", "acme", "1"), ("email", None, "a@x.example"), ("email", None, "b@x.example")})
    ]
    assert shop.ask("select email from customers") == [("a@x.example",)]


CONTACTS = st.lists(
    st.tuples(
        st.sampled_from(["customers", "orders", "carts"]),
        st.one_of(st.none(), st.integers(0, 6)),
        st.one_of(st.none(), st.integers(0, 8)),
        st.one_of(st.none(), st.integers(0, 3)),
    ),
    max_size=25,
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(contacts=CONTACTS, seed=st.randoms(use_true_random=False))
def test_persons_are_the_components_that_an_independent_union_find_makes(contacts: list[Any], seed: Any) -> None:
    rows = [_row(number, *contact) for number, contact in enumerate(contacts)]
    shuffled = list(rows)
    seed.shuffle(shuffled)

    with a_shop() as shop, a_shop() as other:
        shop.load(_page(rows))
        other.load(_page(shuffled[:3]), _page(shuffled[3:]))
        found, again = shop.persons(), other.persons()
        ids = [
            x.ask("select person_id, person_ref, email, phone, customer_id from people order by 1")
            for x in (shop, other)
        ]

    assert found == again
    assert ids[0] == ids[1]
    assert set(found) == _expected(rows)
    assert len({row[1] for row in ids[0]}) == len(ids[0])


def _page(rows: list[tuple[str, dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [row for table, row in rows if table == name] for name in ("customers", "orders", "carts")}


def _row(
    number: int, table: str, customer: int | None, email: int | None, phone: int | None
) -> tuple[str, dict[str, Any]]:
    row: dict[str, Any] = {
        "customer_id": None if customer is None else f"c{customer}",
        "email": None if email is None else f"e{email}@x.example",
        "phone": None if phone is None else f"+452012345{phone}",
    }
    if table == "orders":
        row |= order(f"o{number}", 1)
    elif table == "carts":
        row |= {"cart_id": f"k{number}", "created_at": NOW}
    elif customer is None:
        row["customer_id"] = f"own{number}"
    else:
        # One row per customer and table: a later one would replace the earlier, which order must not decide here.
        row |= {"customer_id": f"own{number}"}
    return table, row


class _Union:
    def __init__(self) -> None:
        self.parent: dict[Any, Any] = {}

    def find(self, node: Any) -> Any:
        self.parent.setdefault(node, node)
        while self.parent[node] != node:
            node = self.parent[node]
        return node

    def join(self, one: Any, other: Any) -> None:
        self.parent[self.find(one)] = self.find(other)


def _expected(rows: list[tuple[str, dict[str, Any]]]) -> set[frozenset[tuple[str, str | None, str]]]:
    """Resolve persons by the words of the design, record by record."""
    records = [(row.get("customer_id"), row.get("email"), row.get("phone")) for _, row in rows]
    emails_of: dict[str, set[str]] = {}
    for customer, email, _ in records:
        if customer and email:
            emails_of.setdefault(customer, set()).add(email)
    tills = {customer for customer, emails in emails_of.items() if len(emails) > 5}
    records = [(None if c in tills else c, e, p) for c, e, p in records]
    union = _Union()
    for customer, email, _ in records:
        nodes = [
            node for node in (customer and ("customer", "shop", customer), email and ("email", None, email)) if node
        ]
        for node in nodes:
            union.join(nodes[0], node)
    holders, mailed = _holders(records, union)
    joins = _phone_joins(holders, mailed)
    people: dict[Any, set[Any]] = {}
    for customer, email, phone in records:
        root = _home(customer, email, phone, union, holders, mailed, joins)
        if root is None:
            continue
        people.setdefault(root, set()).update(
            node
            for node in (
                customer and ("customer", "shop", customer),
                email and ("email", None, email),
                phone and ("phone", None, phone),
            )
            if node
        )
    return {frozenset(nodes) for nodes in people.values()}


def _root(customer: str | None, email: str | None, union: _Union) -> Any:
    if customer:
        return union.find(("customer", "shop", customer))
    return union.find(("email", None, email)) if email else None


def _holders(records: list[Any], union: _Union) -> tuple[dict[str, set[Any]], set[Any]]:
    holders: dict[str, set[Any]] = {}
    mailed = {union.find(("email", None, email)) for _, email, _ in records if email}
    for customer, email, phone in records:
        root = _root(customer, email, union)
        if phone and root:
            holders.setdefault(phone, set()).add(root)
    return holders, mailed


def _phone_joins(holders: dict[str, set[Any]], mailed: set[Any]) -> dict[Any, Any]:
    targets: dict[Any, set[Any]] = {}
    for roots in holders.values():
        with_mail = roots & mailed
        if len(with_mail) == 1:
            for root in roots - mailed:
                targets.setdefault(root, set()).update(with_mail)
    return {root: next(iter(found)) for root, found in targets.items() if len(found) == 1}


def _home(
    customer: str | None, email: str | None, phone: str | None, union: _Union, holders: Any, mailed: Any, joins: Any
) -> Any:
    root = _root(customer, email, union)
    if root:
        return joins.get(root, root)
    if not phone:
        return None
    roots = holders.get(phone, set())
    if len(roots & mailed) == 1:
        return next(iter(roots & mailed))
    if not roots & mailed and len(roots) == 1:
        only = next(iter(roots))
        return joins.get(only, only)
    return ("phone", phone)
