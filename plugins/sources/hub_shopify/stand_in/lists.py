"""The lists of the Admin API: what each can be filtered and sorted by.

Source: the descriptions of the ``query`` and ``sortKey`` arguments in Shopify's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from hub_shopify.stand_in.records import Address, Customer, Product
from hub_shopify.stand_in.sales import Checkout, Order
from hub_shopify.stand_in.search import Filter, Kind
from hub_shopify.stand_in.shop import Shop

Value = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class SortKey:
    """What a list is sorted by, before the id, and how its value is read back from a cursor."""

    value: Value
    parse: Callable[[str], Any] = str


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of records of one type."""

    typename: str
    filters: Mapping[str, Filter]
    sort_keys: Mapping[str, SortKey]
    anywhere: Filter


def _attribute(kind: Kind) -> Callable[[str], Filter]:
    return lambda name: Filter(kind, attrgetter(name))


_time, _number, _word, _text, _flag = (
    _attribute(kind) for kind in (Kind.TIME, Kind.NUMBER, Kind.WORD, Kind.TEXT, Kind.FLAG)
)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _by_time(name: str) -> SortKey:
    return SortKey(lambda record: getattr(record, name) or _LONG_AGO, datetime.fromisoformat)


_BY_ID = {"ID": SortKey(lambda record: record.number, int), "RELEVANCE": SortKey(lambda record: record.number, int)}


def _country(address: Address | None) -> list[str]:
    return [word for word in (address.country, address.country_code_v2) if word] if address else []


def _place(address: Address | None) -> str:
    return " ".join([*_country(address), (address.city if address else None) or ""]).lower()


def _order_status(order: Order) -> list[str]:
    if order.cancelled_at is not None:
        return ["any", "cancelled"]
    return ["any", "closed"] if order.closed else ["any", "open", "not_closed"]


def lists_of(shop: Shop) -> dict[str, ListOf]:
    """Return the lists of a shop by type."""
    made = (_customers(shop), _orders(shop), _checkouts(shop), _products(), _collections(), _bulk_operations())
    return {each.typename: each for each in made}


def _customers(shop: Shop) -> ListOf:
    def placed(customer: Customer) -> list[datetime]:
        return [order.processed_at for order in shop.orders_of(customer.number)]

    return ListOf(
        "Customer",
        {
            "id": _number("number"),
            "created_at": _time("created_at"),
            "customer_date": _time("created_at"),
            "updated_at": _time("updated_at"),
            "order_date": Filter(Kind.TIME, placed),
            "email": _text("email"),
            "phone": _text("phone"),
            "first_name": _text("first_name"),
            "last_name": _text("last_name"),
            "state": _word("state"),
            "tag": _word("tags"),
            "country": Filter(Kind.WORD, lambda customer: _country(customer.default_address)),
            "accepts_marketing": Filter(Kind.FLAG, lambda customer: customer.email_consent.state == "SUBSCRIBED"),
            "orders_count": Filter(Kind.NUMBER, lambda customer: len(shop.orders_of(customer.number))),
            "total_spent": Filter(Kind.NUMBER, lambda customer: amount_spent(shop, customer)),
        },
        {
            **_BY_ID,
            "CREATED_AT": _by_time("created_at"),
            "UPDATED_AT": _by_time("updated_at"),
            "NAME": SortKey(lambda customer: customer.display_name.lower()),
            "LOCATION": SortKey(lambda customer: _place(customer.default_address)),
        },
        Filter(Kind.TEXT, lambda customer: [customer.email, customer.phone, customer.display_name, *customer.tags]),
    )


def _orders(shop: Shop) -> ListOf:
    return ListOf(
        "Order",
        {
            "id": _number("number"),
            "created_at": _time("created_at"),
            "updated_at": _time("updated_at"),
            "processed_at": _time("processed_at"),
            "customer_id": _number("customer"),
            "name": Filter(Kind.WORD, lambda order: [order.name, str(order.order_number)]),
            "email": _text("email"),
            "test": _flag("test"),
            "status": Filter(Kind.WORD, _order_status),
            "financial_status": _word("display_financial_status"),
            "fulfillment_status": _word("display_fulfillment_status"),
            "source_name": _word("source_name"),
            "tag": _word("tags"),
            "discount_code": _word("discount_code"),
            "cart_token": _word("cart_token"),
            "checkout_token": _word("checkout_token"),
            "sku": Filter(Kind.WORD, lambda order: [line.sku for line in order.lines]),
            "current_total_price": _number("current_total_price"),
        },
        _order_sort_keys(shop),
        Filter(Kind.TEXT, lambda order: [order.name, order.email, order.phone, *order.tags]),
    )


def _order_sort_keys(shop: Shop) -> dict[str, SortKey]:
    return {
        **_BY_ID,
        "CREATED_AT": _by_time("created_at"),
        "UPDATED_AT": _by_time("updated_at"),
        "PROCESSED_AT": _by_time("processed_at"),
        "ORDER_NUMBER": SortKey(lambda order: order.order_number, int),
        "TOTAL_PRICE": SortKey(lambda order: order.total_price, Decimal),
        "CURRENT_TOTAL_PRICE": SortKey(lambda order: order.current_total_price, Decimal),
        "CUSTOMER_NAME": SortKey(_customers_name(shop)),
        "FINANCIAL_STATUS": SortKey(lambda order: order.display_financial_status),
        "FULFILLMENT_STATUS": SortKey(lambda order: order.display_fulfillment_status),
        "TOTAL_ITEMS_QUANTITY": SortKey(lambda order: sum(line.quantity for line in order.lines), int),
        "DESTINATION": SortKey(lambda order: _place(order.shipping_address)),
        "PO_NUMBER": SortKey(lambda _: ""),  # this shop's orders have none
    }


def _customers_name(shop: Shop) -> Value:
    """Return what finds the name of the customer of an order or checkout."""

    def name(record: Order | Checkout) -> str:
        customer = shop.customers.get(record.customer or 0)
        return customer.display_name.lower() if customer else ""

    return name


def _checkouts(shop: Shop) -> ListOf:
    name = _customers_name(shop)
    return ListOf(
        "AbandonedCheckout",
        {
            "id": _number("number"),
            "created_at": _time("created_at"),
            "updated_at": _time("updated_at"),
            "status": Filter(Kind.WORD, lambda checkout: "closed" if checkout.completed_at else "open"),
            "recovery_state": Filter(
                Kind.WORD, lambda checkout: "recovered" if checkout.completed_at else "not_recovered"
            ),
        },
        {
            **_BY_ID,
            "CHECKOUT_ID": SortKey(lambda checkout: checkout.number, int),
            "CREATED_AT": _by_time("created_at"),
            "TOTAL_PRICE": SortKey(lambda checkout: checkout.total_price, Decimal),
            "CUSTOMER_NAME": SortKey(name),
        },
        Filter(Kind.TEXT, lambda checkout: [checkout.name, name(checkout)]),
    )


def _products() -> ListOf:
    def prices(product: Product) -> list[Decimal]:
        return [variant.price for variant in product.variants]

    return ListOf(
        "Product",
        {
            "id": _number("number"),
            "created_at": _time("created_at"),
            "updated_at": _time("updated_at"),
            "published_at": _time("published_at"),
            "title": _text("title"),
            "handle": _word("handle"),
            "vendor": _word("vendor"),
            "product_type": _word("product_type"),
            "status": _word("status"),
            "tag": _word("tags"),
            "sku": Filter(Kind.WORD, lambda product: [variant.sku for variant in product.variants]),
            "price": Filter(Kind.NUMBER, prices),
            "inventory_total": _number("total_inventory"),
            "collection_id": _number("collections"),
            "gift_card": _flag("is_gift_card"),
        },
        {
            **_BY_ID,
            "CREATED_AT": _by_time("created_at"),
            "UPDATED_AT": _by_time("updated_at"),
            "PUBLISHED_AT": _by_time("published_at"),
            "TITLE": SortKey(lambda product: product.title.lower()),
            "VENDOR": SortKey(lambda product: product.vendor.lower()),
            "PRODUCT_TYPE": SortKey(lambda product: product.product_type.lower()),
            "INVENTORY_TOTAL": SortKey(lambda product: product.total_inventory, int),
        },
        Filter(Kind.TEXT, lambda product: [product.title, product.vendor, product.product_type, *product.tags]),
    )


def _collections() -> ListOf:
    return ListOf(
        "Collection",
        {
            "id": _number("number"),
            "title": _text("title"),
            "handle": _word("handle"),
            "updated_at": _time("updated_at"),
        },
        {
            **_BY_ID,
            "TITLE": SortKey(lambda collection: collection.title.lower()),
            "UPDATED_AT": _by_time("updated_at"),
        },
        _text("title"),
    )


def _bulk_operations() -> ListOf:
    return ListOf(
        "BulkOperation",
        {
            "id": _number("number"),
            "created_at": _time("created_at"),
            "status": _word("status"),
            "operation_type": _word("type"),
        },
        {"CREATED_AT": _by_time("created_at"), "COMPLETED_AT": _by_time("completed_at")},
        _word("status"),
    )


def amount_spent(shop: Shop, customer: Customer) -> Decimal:
    """Return what a customer paid, less what they got back, over all orders that count."""
    kept = (order for order in shop.orders_of(customer.number) if not order.test and order.cancelled_at is None)
    return sum((order.net_payment for order in kept), Decimal(0))
