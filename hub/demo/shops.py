"""Invented shops: Shopify-layout CSV exports from a seed.

Everybody in them is made up; addresses end in ``example.com`` and its sisters (RFC 2606), phones lie in ranges that
regulators set aside for fiction or in no range at all.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from hub.demo.answers import write_answers
from hub.demo.visits import Purchase, Web, write_visits

_TIME = "%Y-%m-%d %H:%M:%S %z"
_COUNTRY_NAMES = {"DK": "Denmark", "DE": "Germany"}
CUSTOMER_HEADER = [
    "Customer ID",
    "First Name",
    "Last Name",
    "Email",
    "Accepts Email Marketing",
    "Default Address Company",
    "Default Address Address1",
    "Default Address Address2",
    "Default Address City",
    "Default Address Province Code",
    "Default Address Country Code",
    "Default Address Zip",
    "Default Address Phone",
    "Phone",
    "Accepts SMS Marketing",
    "Total Spent",
    "Total Orders",
    "Note",
    "Tax Exempt",
    "Tags",
]
ORDER_HEADER = [
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Fulfillment Status",
    "Fulfilled at",
    "Accepts Marketing",
    "Currency",
    "Subtotal",
    "Shipping",
    "Taxes",
    "Total",
    "Discount Code",
    "Discount Amount",
    "Shipping Method",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem compare at price",
    "Lineitem sku",
    "Lineitem requires shipping",
    "Lineitem taxable",
    "Lineitem fulfillment status",
    "Billing Name",
    "Billing City",
    "Billing Zip",
    "Billing Province",
    "Billing Country",
    "Shipping Name",
    "Shipping City",
    "Shipping Zip",
    "Shipping Province",
    "Shipping Country",
    "Notes",
    "Cancelled at",
    "Payment Method",
    "Refunded Amount",
    "Vendor",
    "Id",
    "Tags",
    "Source",
    "Lineitem discount",
    "Phone",
]
CHECKOUT_HEADER = [
    "Id",
    "Email",
    "Created at",
    "Completed at",
    "Total",
    "Currency",
    "Abandoned Checkout URL",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
]

_FIRST = [
    "Ada",
    "Bo",
    "Cleo",
    "Dag",
    "Elin",
    "Finn",
    "Gry",
    "Hugo",
    "Ida",
    "Jens",
    "Kaja",
    "Liv",
    "Mads",
    "Nora",
    "Otto",
    "Pia",
    "Rune",
    "Siv",
    "Tove",
    "Ulla",
    "Vera",
    "Wim",
    "Ylva",
    "Zoe",
]
_LAST = [
    "Aspen",
    "Birk",
    "Cedar",
    "Dale",
    "Elm",
    "Fjord",
    "Grove",
    "Heath",
    "Isle",
    "Juniper",
    "Krog",
    "Linden",
    "Moss",
    "North",
    "Oak",
    "Pine",
    "Quarry",
    "Reed",
    "Stone",
    "Thorn",
    "Vale",
    "Wold",
]
_DOMAINS = ("example.com", "example.org", "example.net", "mail.example.com")


@dataclass(frozen=True, slots=True)
class ShopPlan:
    """How large and of what kind an invented shop is; ``prices`` are in its own currency."""

    client: str
    name: str
    country: str
    timezone: str
    currency: str
    prefix: str
    city: str
    products: tuple[tuple[str, str, int], ...]
    seed: int
    customers: int = 1_000
    orders: int = 3_000
    carts: int = 250


SHOPS = (
    ShopPlan(
        "acme", "Acme Shoes", "DK", "Europe/Copenhagen", "DKK", "#1", "Aarhus",
        (
            ("Trail runner", "AS-TR", 899), ("City sneaker", "AS-CS", 649),
            ("Rain boot", "AS-RB", 749), ("Wool insole", "AS-WI", 129),
        ),
        seed=11,
    ),
    ShopPlan(
        "birch", "Birch & Bean", "DE", "Europe/Berlin", "EUR", "BB-", "Leipzig",
        (
            ("House espresso 1 kg", "BB-ES", 24), ("Filter roast 500 g", "BB-FR", 14),
            ("Hand grinder", "BB-HG", 79), ("Paper filters", "BB-PF", 5),
        ),
        seed=12,
    ),
)  # fmt: skip


@dataclass(slots=True)
class _Person:
    number: int
    email: str
    first: str
    last: str
    habit: str
    consent: str
    tags: str
    spent: float = 0.0
    orders: int = 0


@dataclass(slots=True)
class _Shop:
    plan: ShopPlan
    now: datetime
    random: Random
    people: list[_Person] = field(default_factory=list)
    orders: list[dict[str, object]] = field(default_factory=list)
    carts: list[dict[str, object]] = field(default_factory=list)
    order_number: int = 1000


def write_shop(plan: ShopPlan, folder: Path, now: datetime) -> None:
    """Write ``customers_export.csv``, two parts of ``orders_export`` and ``checkouts_export.csv`` into a folder.

    Beside it, in folders whose names go on with ``-web`` and ``-tools``, lie the shop's visits, and what its mailing
    tool and a survey know. ``now`` is an aware time; everything lies in the three years before it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shop = _Shop(plan, now, Random(plan.seed))  # noqa: S311  # invented shops, no secrets
    shop.people = [_make_person(shop, number) for number in range(plan.customers)]
    _make_orders(shop)
    _make_carts(shop)
    _write(folder / "customers_export.csv", CUSTOMER_HEADER, [_customer_row(shop, person) for person in shop.people])
    _write_beside(shop, folder.parent)
    _break_rows(shop)
    middle = _order_border(shop.orders, len(shop.orders) // 2)
    _write(folder / "orders_export_1.csv", ORDER_HEADER, shop.orders[:middle])
    _write(folder / "orders_export_2.csv", ORDER_HEADER, shop.orders[middle:])
    _write(folder / "checkouts_export.csv", CHECKOUT_HEADER, shop.carts)


def _write_beside(shop: _Shop, folder: Path) -> None:
    """Write what others than the shop know of its customers."""
    plan, people = shop.plan, [(str(person.number), person.email) for person in shop.people]
    numbers = {email: number for number, email in people}
    purchases = [
        Purchase(
            numbers[str(row["Email"])],
            datetime.strptime(str(row["Created at"]), _TIME).astimezone(shop.now.tzinfo),
            str(row["Id"]),
        )
        for row in shop.orders
        if "Id" in row
    ]
    web = Web(plan.products, _COUNTRY_NAMES[plan.country], [number for number, _ in people], purchases)
    write_visits(folder / f"{plan.client}-web", shop.now, plan.seed, web)
    write_answers(folder / f"{plan.client}-tools", shop.now, plan.seed, people)


def _make_person(shop: _Shop, number: int) -> _Person:
    random = shop.random
    first, last = random.choice(_FIRST), random.choice(_LAST)
    habits = ("vip", "coupon", "regular", "small", "once", "gone", "never")
    habit = random.choices(habits, weights=(8, 12, 20, 12, 22, 14, 12))[0]
    consent = random.choices(("yes", "no", ""), weights=(62, 30, 8))[0]
    tags = ["ads-ok"] if random.random() < 0.45 else []
    tags += ["club"] if habit == "vip" else []
    email = f"{first}.{last}.{number}@{random.choice(_DOMAINS)}".lower()
    return _Person(
        7_000_000_000_000 + shop.plan.seed * 1_000_000 + number, email, first, last, habit, consent, ", ".join(tags)
    )


def _make_orders(shop: _Shop) -> None:
    weights = {"vip": 9, "coupon": 4, "regular": 4, "small": 4, "once": 0, "gone": 3, "never": 0}
    buyers = [person for person in shop.people if weights[person.habit]]
    for person in (person for person in shop.people if person.habit == "once"):
        _make_order(shop, person, shop.random.uniform(2, 500))
    chances = [weights[person.habit] for person in buyers]
    while len({row["Name"] for row in shop.orders}) < shop.plan.orders:
        for person in shop.random.choices(buyers, chances, k=200):
            days = shop.random.uniform(190, 900) if person.habit == "gone" else shop.random.triangular(0.5, 700, 30)
            _make_order(shop, person, days)


def _make_order(shop: _Shop, person: _Person, days_ago: float) -> None:
    random, plan = shop.random, shop.plan
    products = plan.products[2:] if person.habit == "small" else plan.products
    lines = [
        (random.choice(products), random.randint(1, 3 if person.habit == "vip" else 1))
        for _ in range(random.randint(1, 3))
    ]
    goods = sum(product[2] * quantity for product, quantity in lines)
    coupon = random.random() < (0.85 if person.habit == "coupon" else 0.08)
    discount = round(goods * 0.15, 2) if coupon else 0.0
    total = round(goods - discount, 2)
    refunded = total if random.random() < 0.03 else 0.0
    shop.order_number += 1
    name = f"{plan.prefix}{shop.order_number}"
    head: dict[str, object] = {
        "Financial Status": "refunded" if refunded else "paid",
        "Paid at": _stamp(shop, days_ago),
        "Accepts Marketing": person.consent,
        "Currency": plan.currency,
        "Subtotal": goods - discount,
        "Total": total,
        "Discount Code": "WELCOME15" if coupon else "",
        "Discount Amount": discount,
        "Refunded Amount": refunded,
        "Billing Name": f"{person.first} {person.last}",
        "Shipping City": plan.city,
        "Shipping Country": plan.country,
        "Id": 5_000_000_000_000 + plan.seed * 1_000_000 + shop.order_number,
        "Source": "web",
    }
    for position, ((title, sku, price), quantity) in enumerate(lines):
        row: dict[str, object] = {
            "Name": name,
            "Email": person.email,
            "Created at": _stamp(shop, days_ago),
            "Lineitem quantity": quantity,
            "Lineitem name": title,
            "Lineitem sku": sku,
            "Lineitem price": price,
            "Vendor": plan.name,
        }
        shop.orders.append(row | head if position == 0 else row)
    person.orders += 1
    person.spent += total - refunded


def _make_carts(shop: _Shop) -> None:
    random, plan = shop.random, shop.plan
    for number in range(plan.carts):
        person = random.choice(shop.people)
        recovered = random.random() < 0.3
        days = random.uniform(0.1, 12)
        title, _, price = random.choice(plan.products[:3])
        quantity = random.randint(1, 3)
        shop.carts.append(
            {
                "Id": 9_000_000_000_000 + plan.seed * 1_000_000 + number,
                "Email": person.email,
                "Created at": _stamp(shop, days),
                "Completed at": _stamp(shop, days * 0.8) if recovered else "",
                "Total": price * quantity,
                "Currency": plan.currency,
                "Abandoned Checkout URL": f"https://{plan.client}.example.com/recover/{random.getrandbits(48):012x}",
                "Lineitem quantity": quantity,
                "Lineitem name": title,
                "Lineitem price": price,
            }
        )
        if recovered:
            _make_order(shop, person, days * 0.8)


def _break_rows(shop: _Shop) -> None:
    """Break a few orders the way exports are broken: a time, an amount, a refund document, a missing total."""
    heads = [row for row in shop.orders if "Total" in row]
    for row, (column, value) in zip(
        shop.random.sample(heads, 4),
        (("Created at", "last Tuesday"), ("Total", "12,9O"), ("Total", "-149.00"), ("Total", "")),
        strict=True,
    ):
        row[column] = value


def _customer_row(shop: _Shop, person: _Person) -> dict[str, object]:
    return {
        "Customer ID": f"'{person.number}",
        "First Name": person.first,
        "Last Name": person.last,
        "Email": person.email,
        "Accepts Email Marketing": person.consent,
        "Default Address City": shop.plan.city,
        "Default Address Country Code": shop.plan.country,
        "Accepts SMS Marketing": "no",
        "Total Spent": round(person.spent, 2),
        "Total Orders": person.orders,
        "Tags": person.tags,
    }


def _order_border(rows: list[dict[str, object]], near: int) -> int:
    while near < len(rows) and rows[near]["Name"] == rows[near - 1]["Name"]:
        near += 1
    return near


def _stamp(shop: _Shop, days_ago: float) -> str:
    return (shop.now - timedelta(days=days_ago)).strftime(_TIME)


def _write(path: Path, header: list[str], rows: list[dict[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, header, restval="")
        writer.writeheader()
        writer.writerows(rows)
