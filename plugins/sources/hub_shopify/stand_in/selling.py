"""How the fields of orders and abandoned checkouts are read."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub_shopify.stand_in.context import Arguments, Context, Field
from hub_shopify.stand_in.lists import SortKey
from hub_shopify.stand_in.paging import Page, sort
from hub_shopify.stand_in.records import Customer, Product, Variant
from hub_shopify.stand_in.sales import Checkout, Discount, Line, Order, Refund, Visit

_BY_NUMBER = SortKey(lambda record: record.number, int)


def _children(name: str) -> Field:
    """Answer a connection with the records in an attribute of its parent."""

    def answer(parent: Any, context: Context, arguments: Arguments) -> Page:
        found = sort(getattr(parent, name), _BY_NUMBER, reverse=bool(arguments.get("reverse")))
        return context.page(found, arguments)

    return answer


def _customer(record: Order | Checkout, context: Context, _arguments: Arguments) -> Customer | None:
    return context.shop.customers.get(record.customer or 0)


def product_of(record: Any, context: Context, _arguments: Arguments) -> Product | None:
    """Return the product of a line or variant, unless it was deleted."""
    return context.shop.products.get(record.product or 0)


def _variant(line: Any, context: Context, arguments: Arguments) -> Variant | None:
    product = product_of(line, context, arguments)
    return next((each for each in product.variants if each.number == line.variant), None) if product else None


def _refunds(order: Order, _context: Context, arguments: Arguments) -> list[Refund]:
    return order.refunds[: arguments.get("first", len(order.refunds))]


def _allocations(line: Line, context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    applications = {each.index: each for each in context.shop.order_of(line).discounts}
    return [
        {"allocatedAmountSet": amount, "discountApplication": applications[index]}
        for index, amount in sorted(line.discounts.items())
    ]


def _discounted_total(line: Line, context: Context, arguments: Arguments) -> Decimal:
    """Return a line's price less its own discounts: those of the whole order only if a code brought them."""
    taken = sum(
        (
            line.discounts.get(each.index, Decimal(0))
            for each in context.shop.order_of(line).discounts
            if (each.kind == "code" and arguments.get("withCodeDiscounts"))
            or (each.kind != "code" and each.target_selection != "ALL")
        ),
        Decimal(0),
    )
    return line.original_total - taken


def _total_discount(line: Line, context: Context, _arguments: Arguments) -> Decimal:
    own = (each.index for each in context.shop.order_of(line).discounts if each.target_selection != "ALL")
    return sum((line.discounts.get(index, Decimal(0)) for index in own), Decimal(0))


def _value(discount: Discount, context: Context, _arguments: Arguments) -> dict[str, Any]:
    if discount.percentage is not None:
        return {"typename": "PricingPercentageValue", "percentage": float(discount.percentage)}
    return {
        "typename": "MoneyV2",
        "amount": discount.amount or Decimal(0),
        "currencyCode": context.shop.about.currency,
    }


def _journey(order: Order, context: Context, _arguments: Arguments) -> dict[str, Any] | None:
    if not order.journey_ready:
        return {"ready": False}
    earlier = context.shop.orders_of(order.customer) if order.customer else []
    visits = [visit for visit in (order.first_visit, order.last_visit) if visit]
    first = min((visit.occurred_at for visit in visits), default=order.processed_at)
    return {
        "ready": True,
        "customerOrderIndex": sum(each.processed_at < order.processed_at for each in earlier),
        "daysToConversion": (order.processed_at - first).days,
        "firstVisit": order.first_visit,
        "lastVisit": order.last_visit,
        "momentsCount": {"count": len(visits), "precision": "EXACT"},
    }


def _utm(visit: Visit, _context: Context, _arguments: Arguments) -> dict[str, Any] | None:
    return {name: (visit.utm or {}).get(name) for name in _UTM} if visit.utm else None


def _recovery_url(checkout: Checkout, context: Context, _arguments: Arguments) -> str:
    about = context.shop.about
    return f"https://{about.domain}/{about.number}/checkouts/ac/{checkout.token}/recover?key={checkout.number:032x}"


def _image(line: Any, context: Context, arguments: Arguments) -> dict[str, Any] | None:
    product = product_of(line, context, arguments)
    return image_of(product) if product else None


def image_of(product: Product) -> dict[str, Any] | None:
    """Return a product's picture."""
    if product.image_url is None:
        return None
    gid = f"gid://shopify/ProductImage/{product.number}"
    return {"id": gid, "url": product.image_url, "altText": product.title, "width": 1200, "height": 1200}


_UTM = ("campaign", "content", "medium", "source", "term")

FIELDS: Mapping[str, Field] = {
    "AbandonedCheckout.abandonedCheckoutUrl": _recovery_url,
    "AbandonedCheckout.customer": _customer,
    "AbandonedCheckout.lineItems": _children("lines"),
    "AbandonedCheckoutLineItem.image": _image,
    "AbandonedCheckoutLineItem.product": product_of,
    "AbandonedCheckoutLineItem.variant": _variant,
    "CustomerJourneySummary.customerOrderIndex": lambda summary, *_: summary.get("customerOrderIndex"),
    "CustomerJourneySummary.daysToConversion": lambda summary, *_: summary.get("daysToConversion"),
    "CustomerJourneySummary.firstVisit": lambda summary, *_: summary.get("firstVisit"),
    "CustomerJourneySummary.lastVisit": lambda summary, *_: summary.get("lastVisit"),
    "CustomerJourneySummary.momentsCount": lambda summary, *_: summary.get("momentsCount"),
    "CustomerVisit.utmParameters": _utm,
    "LineItem.discountAllocations": _allocations,
    "LineItem.discountedTotalSet": _discounted_total,
    "LineItem.product": product_of,
    "LineItem.totalDiscountSet": _total_discount,
    "LineItem.variant": _variant,
    "Order.currencyCode": lambda _, context, __: context.shop.about.currency,
    "Order.customer": _customer,
    "Order.customerJourneySummary": _journey,
    "Order.discountApplications": _children("discounts"),
    "Order.lineItems": _children("lines"),
    "Order.number": lambda order, *_: order.order_number,
    "Order.presentmentCurrencyCode": lambda _, context, __: context.shop.presentment[0],
    "Order.refunds": _refunds,
    "Refund.refundLineItems": _children("lines"),
    **{
        f"{name}Application.value": _value
        for name in ("DiscountCode", "AutomaticDiscount", "ManualDiscount", "ScriptDiscount")
    },
}
