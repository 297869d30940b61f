"""A shop made from a seed: the same size, seed and clock make the same shop."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from hub_shopify.stand_in.records import Consent, Customer, Product
from hub_shopify.stand_in.sales import Checkout, Line, Order, Visit
from hub_shopify.stand_in.shop import Shop

_HISTORY_DAYS = 400
_CHECKOUTS_LISTED = timedelta(days=90)
_IS_GUEST = 0.05
_LEAVES_CHECKOUT = 0.3
_FIRST = ("Ada", "Bo", "Cleo", "Dag", "Eli", "Fie", "Gus", "Hedda", "Ida", "Jon", "Kaya", "Liv", "Mio", "Nora", "Otto")
_LAST = ("Ask", "Birk", "Dahl", "Elm", "Fjord", "Gran", "Holm", "Lind", "Mark", "Nor", "Rask", "Skov", "Toft", "Vang")
_DOMAINS = ("example.com", "example.net", "example.org")
_PLACES = (
    ("DK", "Denmark", "København", "2100", "+45 20 10 {:02} {:02}"),
    ("DK", "Denmark", "Aarhus", "8000", "+45 20 11 {:02} {:02}"),
    ("SE", "Sweden", "Malmö", "211 18", "+46 70 174 06 {:02}"),
    ("DE", "Germany", "Hamburg", "20095", "+49 1512 345 {:02}{:02}"),
)
_LOCALES = {"DK": "da", "SE": "sv", "DE": "de"}
_GOODS = {
    "Boots": ("Trail Boot", "City Boot", "Winter Boot", "Rain Boot"),
    "Sneakers": ("Canvas Sneaker", "Court Sneaker", "Running Sneaker"),
    "Sandals": ("Beach Sandal", "Cork Sandal"),
    "Care": ("Shoe Cream", "Waterproof Spray", "Laces"),
}
_CODES = ("WELCOME10", "SUMMER20", "FRIEND15")
_SOURCES = (("google", "cpc"), ("newsletter", "email"), ("instagram", "social"))


def generate(shop: Shop, *, size: int, seed: int) -> Shop:
    """Fill a shop with ``size`` customers, about twice as many orders and a third as many abandoned checkouts."""
    dice = random.Random(seed)  # noqa: S311 - invented shops, no secrets
    now = shop.now().replace(microsecond=0)
    _stock(shop, dice, now)
    joined = sorted(_moment(dice, now, _HISTORY_DAYS) for _ in range(size))
    customers = [_customer(shop, dice, created, number) for number, created in enumerate(joined)]
    for placed, buyer in sorted(_purchases(dice, now, customers), key=lambda each: each[0]):
        _order(shop, dice, now, placed, buyer)
    for customer in customers:
        if dice.random() < _LEAVES_CHECKOUT:
            _checkout(shop, dice, now, customer)
    return shop


def _purchases(
    dice: random.Random, now: datetime, customers: list[Customer]
) -> Iterator[tuple[datetime, Customer | None]]:
    """Return who buys when; some are guests."""
    for customer in customers:
        for _ in range(dice.choice((0, 0, 1, 1, 1, 2, 2, 3, 4, 6))):
            yield _between(dice, customer.created_at, now), customer
        if dice.random() < _IS_GUEST:
            yield _moment(dice, now, _HISTORY_DAYS), None


def _stock(shop: Shop, dice: random.Random, now: datetime) -> None:
    sale = shop.add_collection("Sale")
    for kind, titles in _GOODS.items():
        collection = shop.add_collection(kind)
        for title in titles:
            price = Decimal(dice.randrange(50, 1500))
            reduced = dice.random() < 0.2
            shop.add_product(
                title,
                price,
                product_type=kind,
                vendor="Sandbox Shoes",
                sku=title.upper().replace(" ", "-"),
                compare_at_price=price * 2 if reduced else None,
                inventory=dice.choice((0, 3, 12, 40)),
                collections=[collection.number, *([sale.number] if reduced else [])],
                image_url=f"https://cdn.example.com/{title.lower().replace(' ', '-')}.jpg",
                created_at=now - timedelta(days=_HISTORY_DAYS + 30),
                published_at=now - timedelta(days=_HISTORY_DAYS + 29),
            )


def _customer(shop: Shop, dice: random.Random, created: datetime, number: int) -> Customer:
    first, last = dice.choice(_FIRST), dice.choice(_LAST)
    code, country, city, postcode, phone = dice.choice(_PLACES)
    has_email = dice.random() < 0.96
    has_phone = dice.random() < 0.4 or not has_email
    address = shop.address(
        first_name=first, last_name=last, city=city, zip=postcode, country=country, country_code_v2=code
    )
    return shop.add_customer(
        email=f"{first}.{last}.{number}@{dice.choice(_DOMAINS)}".lower() if has_email else None,
        phone=_phone(phone, number) if has_phone else None,
        first_name=first,
        last_name=last,
        locale=_LOCALES[code],
        tags=sorted(tag for tag in ("newsletter", "vip", "wholesale") if dice.random() < 0.08),
        email_consent=_consent(
            dice, created, ("SUBSCRIBED",) * 6 + ("NOT_SUBSCRIBED",) * 3 + ("UNSUBSCRIBED", "PENDING")
        ),
        sms_consent=_consent(dice, created, ("NOT_SUBSCRIBED",) * 3 + ("SUBSCRIBED",)) if has_phone else Consent(),
        data_sale_opt_out=dice.random() < 0.03,
        default_address=address,
        created_at=created,
    )


def _phone(pattern: str, number: int) -> str:
    return "".join(pattern.format(number // 100 % 100, number % 100).split())


def _consent(dice: random.Random, created: datetime, states: tuple[str, ...]) -> Consent:
    state = dice.choice(states)
    if state == "NOT_SUBSCRIBED":
        return Consent(state)
    level = dice.choice(("SINGLE_OPT_IN", "CONFIRMED_OPT_IN"))
    return Consent(state, level, created + timedelta(minutes=dice.randrange(1, 600)), "SHOPIFY")


def _order(shop: Shop, dice: random.Random, now: datetime, placed: datetime, customer: Customer | None) -> Order:
    products = list(shop.products.values())
    lines = [_line(shop, dice, dice.choice(products)) for _ in range(dice.randrange(1, 4))]
    order = shop.add_order(
        lines,
        customer,
        created_at=placed,
        display_financial_status="PENDING" if dice.random() < 0.03 else "PAID",
        display_fulfillment_status="FULFILLED" if placed < now - timedelta(days=3) else "UNFULFILLED",
        test=dice.random() < 0.01,
        total_shipping_price=Decimal(dice.choice((0, 39))),
        total_tax=Decimal(dice.randrange(10, 90)),
        cart_token=f"c1-{dice.getrandbits(64):016x}",
        checkout_token=f"{dice.getrandbits(64):016x}",
        **({"shipping_address": customer.default_address} if customer else {"email": _guest(dice)}),
    )
    _journey(shop, dice, order)
    if dice.random() < 0.25:
        shop.discount(order, dice.choice(_CODES), (order.subtotal_price / 10).quantize(Decimal("0.01")))
    if dice.random() < 0.05:
        shop.refund(order, order.lines[0].net, [(order.lines[0], order.lines[0].quantity)])
    elif dice.random() < 0.02:
        shop.cancel_order(order)
    return _settle(order, now)


def _guest(dice: random.Random) -> str:
    return f"guest.{dice.getrandbits(24):x}@example.com"


def _settle(order: Order, now: datetime) -> Order:
    """Let what happened to an order have happened soon after it was placed, not now."""
    after = min(now, order.created_at + timedelta(days=2))
    order.updated_at = order.created_at if not (order.refunds or order.cancelled_at) else after
    for refund in order.refunds:
        refund.created_at = after
    if order.cancelled_at:
        order.cancelled_at = order.closed_at = after
    return order


def _line(shop: Shop, dice: random.Random, product: Product) -> Line:
    variant = product.variants[0]
    return shop.line(
        product.title,
        variant.price,
        dice.choice((1, 1, 1, 2)),
        sku=variant.sku,
        vendor=product.vendor,
        product=product.number,
        variant=variant.number,
    )


def _journey(shop: Shop, dice: random.Random, order: Order) -> None:
    if dice.random() < 0.3:
        return
    source, medium = dice.choice(_SOURCES)
    visit = Visit(
        shop.new_number(),
        order.created_at - timedelta(minutes=dice.randrange(5, 5000)),
        source,
        landing_page=f"https://{shop.about.domain}/",
        utm={"source": source, "medium": medium, "campaign": "season"},
    )
    order.journey_ready, order.first_visit, order.last_visit = True, visit, visit


def _checkout(shop: Shop, dice: random.Random, now: datetime, customer: Customer) -> Checkout:
    """Leave a checkout of the last three months, as older ones are no more listed; a fifth was finished later."""
    created = _between(dice, max(customer.created_at, now - _CHECKOUTS_LISTED), now)
    products = list(shop.products.values())
    chosen = [dice.choice(products) for _ in range(dice.randrange(1, 4))]
    lines = [
        shop.checkout_line(
            product.title,
            product.variants[0].price,
            dice.choice((1, 1, 2)),
            sku=product.variants[0].sku,
            product=product.number,
            variant=product.variants[0].number,
        )
        for product in chosen
    ]
    checkout = shop.add_checkout(lines, customer, created_at=created, shipping_address=customer.default_address)
    if dice.random() < 0.2:
        finished = min(now, created + timedelta(hours=dice.randrange(1, 40)))
        shop.complete_checkout(checkout, created_at=finished)
        checkout.updated_at = finished
    return checkout


def _moment(dice: random.Random, now: datetime, days: float) -> datetime:
    return _between(dice, now - timedelta(days=days), now)


def _between(dice: random.Random, start: datetime, end: datetime) -> datetime:
    """Return a time with a fraction of a second, as Shopify keeps and does not show."""
    return start + (end - start) * dice.random()
