"""Events of Klaviyo's link to the shop as carts, orders and views: pure functions.

The names are those of Klaviyo's Shopify integration, whose events carry Shopify's own checkout or order as ``$extra``
("Shopify data reference" in Klaviyo's help center), and, where that is missing, those of its guide for shops that are
linked by hand ("Integrate an ecommerce platform without a pre-built Klaviyo integration"). Ids are Shopify's, so that
the same order from Shopify itself is the same row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from hub_klaviyo.feed import Happening
from hub_klaviyo.people import address

_FINANCIAL = {
    "pending": "pending",
    "authorized": "pending",
    "paid": "paid",
    "partially_paid": "paid",
    "partially_refunded": "paid",
    "refunded": "refunded",
    "voided": "failed",
    "expired": "failed",
}
_NO_RECOVERY = "/authenticate?"  # a checkout that became an order leads to the order's page

Row = dict[str, Any]


def cart(told: Happening) -> tuple[Row, list[Row]]:
    """Return a checkout and its lines."""
    extra, props = _extra(told), told.properties
    number = _text(extra.get("token") or props.get("$event_id") or told.id)
    row = {
        "cart_id": number,
        **_who(told, extra),
        "created_at": extra.get("created_at") or told.at,
        "updated_at": told.at,
        "completed_at": extra.get("completed_at"),
        "total": _first(props.get("$value"), extra.get("total_price")),
        "currency": _currency(extra, props),
        "recovery_url": _recovery_url(extra, props),
        "_origin": told.origin,
    }
    lines = [{"cart_id": number, **_line(each, place, told)} for place, each in _items(extra, props)]
    return row, lines


def order(told: Happening) -> tuple[Row, list[Row]] | None:
    """Return an order as it was after the event, and its lines; None where the event does not tell the whole order.

    What is told when an order is cancelled or paid back stands for the whole order, so it must say when it was placed.
    """
    extra, props = _extra(told), told.properties
    number = _text(extra.get("id") or props.get("$event_id") or props.get("OrderId"))
    placed = extra.get("processed_at") or extra.get("created_at")
    if told.metric.means != "placed" and placed is None:
        return None
    place = extra.get("shipping_address") or extra.get("billing_address") or {}
    total = _first(extra.get("total_price"), props.get("$value"))
    refunded = _refunded(extra)
    row = {
        "order_id": number or (told.id if told.metric.means == "placed" else None),
        "name": extra.get("name"),
        "checkout_token": extra.get("checkout_token"),
        **_who(told, extra),
        "placed_at": placed or told.at,
        "currency": _currency(extra, props),
        "total": total,
        **_discounts(extra, props),
        "refunded": refunded,
        "status": _status(told, extra, total, refunded),
        "test": extra.get("test"),
        "channel": extra.get("source_name") or props.get("Source Name"),
        "cart_id": extra.get("cart_token"),
        "country": place.get("country_code"),
        "region": place.get("province_code"),
        "cancelled_at": extra.get("cancelled_at") or (told.at if told.metric.means == "cancelled" else None),
        "_origin": told.origin,
    }
    lines = [
        {"order_id": row["order_id"], **_line(each, place_of, told), **_sold(each)}
        for place_of, each in _items(extra, props)
    ]
    return row, lines


def view(told: Happening, *, allowed: bool) -> tuple[Row, Row | None]:
    """Return a look at a product, and what the event says of the product."""
    props = told.properties
    number = _text(_first(props.get("ProductID"), props.get("Product ID"), props.get("$event_id")))
    url = props.get("URL") or props.get("Product URL")
    row = {
        "event_id": told.id,
        "visitor_id": told.profile,
        "user_id": address(told.email),
        "name": "view_item",
        "happened_at": told.at,
        "url": url,
        "product_id": number,
        "analytics_consent": True if allowed else None,
        "_origin": told.origin,
    }
    if number is None:
        return row, None
    title = _first(props.get("Name"), props.get("ProductName"), props.get("Product Name"), props.get("Title"))
    image = _first(props.get("ImageURL"), props.get("Image URL"))
    about = {"product_id": number, "title": title, "vendor": props.get("Brand"), "url": url, "image_url": image}
    return row, about | {"_origin": told.origin}


def _extra(told: Happening) -> Mapping[str, Any]:
    extra = told.properties.get("$extra")
    return extra if isinstance(extra, dict) else {}


def _who(told: Happening, extra: Mapping[str, Any]) -> Row:
    """Return whose it is: by the order's own word, else by the profile's."""
    customer = extra.get("customer")
    number = customer.get("id") if isinstance(customer, dict) else None
    email = extra.get("email") or extra.get("contact_email") or told.email
    return {"customer_id": _text(number), "email": email, "phone": extra.get("phone") or told.phone}


def _items(extra: Mapping[str, Any], props: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield places and lines: Shopify's, else those of Klaviyo's guide, where ``Items`` are more than names."""
    items = extra.get("line_items") or props.get("Items")
    if isinstance(items, list):
        yield from ((place, each) for place, each in enumerate(items, 1) if isinstance(each, dict))


def _line(each: Mapping[str, Any], place: int, told: Happening) -> Row:
    product = each.get("product")
    product = product if isinstance(product, dict) else {}
    title = each.get("name") or " - ".join(str(part) for part in (each.get("title"), each.get("variant_title")) if part)
    return {
        "line": _text(each.get("id") or each.get("key") or place),
        "product_id": _text(_first(each.get("product_id"), each.get("ProductID"))),
        "sku": _first(each.get("sku"), each.get("SKU")),
        "title": title or each.get("ProductName"),
        "product_type": each.get("product_type") or product.get("product_type"),
        "quantity": _first(each.get("quantity"), each.get("Quantity")),
        "unit_price": _first(each.get("price"), each.get("ItemPrice")),
        "_origin": told.origin,
    }


def _sold(each: Mapping[str, Any]) -> Row:
    return {
        "vendor": _first(each.get("vendor"), each.get("Brand")),
        "discount": each.get("total_discount"),
        "gift_card": each.get("gift_card"),
    }


def _status(told: Happening, extra: Mapping[str, Any], total: Any, refunded: Decimal | None) -> str:
    """Return the order's status; partly paid back stays paid."""
    if told.metric.means == "cancelled" or extra.get("cancelled_at"):
        return "cancelled"
    financial = str(extra.get("financial_status") or "paid").lower()
    status = _FINANCIAL.get(financial, financial)
    due = _amount(total)
    if told.metric.means == "refunded" and status == "paid" and due is not None and refunded is not None:
        return "refunded" if refunded >= due > 0 else status
    return status


def _refunded(extra: Mapping[str, Any]) -> Decimal | None:
    """Return what was paid back so far; None where the order tells nothing of it."""
    refunds = extra.get("refunds")
    if not isinstance(refunds, list):
        return None
    paid = [
        _amount(each.get("amount")) or Decimal(0)
        for refund in refunds
        if isinstance(refund, dict)
        for each in refund.get("transactions") or ()
        if each.get("kind") == "refund" and each.get("status", "success") == "success"
    ]
    return sum(paid, Decimal(0))


def _discounts(extra: Mapping[str, Any], props: Mapping[str, Any]) -> Row:
    """Return amount and codes; free shipping alone is no discount."""
    applied = [each for each in extra.get("discount_applications") or () if isinstance(each, dict)]
    only_shipping = bool(applied) and all(each.get("target_type") == "shipping_line" for each in applied)
    codes = extra.get("discount_codes")
    if isinstance(codes, list):
        named = [each for each in codes if isinstance(each, dict) and each.get("type") != "shipping"]
        codes = [str(each["code"]) for each in named if each.get("code")]
    else:
        codes = _texts(_first(props.get("Discount Codes"), props.get("DiscountCode")))
    amount = _first(extra.get("total_discounts"), props.get("Total Discounts"), props.get("DiscountValue"))
    return {"discount": "0" if only_shipping else amount, "discount_codes": codes}


def _recovery_url(extra: Mapping[str, Any], props: Mapping[str, Any]) -> str | None:
    """Return the link that brings the cart back, where there is one."""
    places = (extra, ("responsive_checkout_url", "checkout_url", "abandoned_checkout_url")), (props, ("CheckoutURL",))
    for where, names in places:
        for name in names:
            url = str(where.get(name) or "")
            if url.startswith(("https://", "http://")) and _NO_RECOVERY not in url:
                return url
    return None


def _currency(extra: Mapping[str, Any], props: Mapping[str, Any]) -> Any:
    return extra.get("currency") or props.get("$currency_code") or props.get("$value_currency") or None


def _texts(told: Any) -> list[str]:
    every: Sequence[Any] = told if isinstance(told, list) else [told]
    return [str(each) for each in every if each]


def _first(*values: Any) -> Any:
    return next((value for value in values if value not in (None, "")), None)


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _amount(value: Any) -> Decimal | None:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None
