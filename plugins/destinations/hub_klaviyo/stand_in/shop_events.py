"""Events as Klaviyo's Shopify integration and its mails make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub_klaviyo.stand_in.people import Json


@dataclass(frozen=True, slots=True)
class Goods:
    """Something that the shop sells."""

    number: int
    title: str
    price: str
    kind: str = "Shoes"


def mail(campaign: str, **more: Any) -> Json:
    """Return what an event of a mail says."""
    return {
        "Campaign Name": campaign,
        "Subject": f"{campaign}!",
        "$message": "01MESSAGE",
        "Email Domain": "example.com",
        **more,
    }


def opened(campaign: str, *, machine: bool = False) -> Json:
    """Return an open, which Klaviyo marks where Apple's mail privacy may have made it."""
    return mail(campaign, machine_open=machine)


def clicked(campaign: str, *, bot: bool = False) -> Json:
    """Return a click."""
    return mail(campaign, URL="https://shop.example.com/", **{"Bot Click": bot})


def view(goods: Goods) -> Json:
    """Return a look at a product, as the shop's snippet tells it."""
    return {
        "Name": goods.title,
        "ProductID": goods.number,
        "Categories": [goods.kind],
        "ImageURL": f"https://shop.example.com/{goods.number}.jpg",
        "URL": f"https://shop.example.com/products/{goods.number}",
        "Brand": "Acme",
        "Price": f"kr {goods.price}",
    }


def checkout(token: str, goods: Sequence[Goods], begun: str, **more: Any) -> Json:
    """Return a checkout that was begun, with the link that brings it back."""
    link = f"https://shop.example.com/checkouts/ac/{token}/recover?key=k{token}"
    extra = {
        "token": token,
        "created_at": begun,
        "line_items": [_line(each, place) for place, each in enumerate(goods, 1)],
        "checkout_url": link,
        "responsive_checkout_url": link,
        "full_landing_site": "https://shop.example.com/products/1",
    }
    return _about(goods) | {"$event_id": token, "$extra": {**extra, **more}}


def order(number: int, goods: Sequence[Goods], placed: str, **more: Any) -> Json:
    """Return an order, which Shopify's own JSON tells in full."""
    extra = {
        "id": number,
        "name": f"#{number % 10_000}",
        "created_at": placed,
        "processed_at": placed,
        "currency": "DKK",
        "total_price": str(_sum(goods)),
        "total_discounts": "0.00",
        "discount_codes": [],
        "discount_applications": [],
        "financial_status": "paid",
        "cancelled_at": None,
        "refunds": [],
        "test": False,
        "source_name": "web",
        "checkout_token": None,
        "customer": {"id": number // 10},
        "shipping_address": {"country_code": "DK", "province_code": None},
        "line_items": [
            {**_line(each, place), "id": number * 10 + place, "name": each.title} for place, each in enumerate(goods, 1)
        ],
    }
    return _about(goods) | {"$event_id": str(number), "$extra": {**extra, **more}}


def refund(amount: str) -> Mapping[str, Any]:
    """Return one payment back, as it stands in an order."""
    return {"transactions": [{"kind": "refund", "status": "success", "amount": amount}]}


def _about(goods: Sequence[Goods]) -> Json:
    return {
        "$value": float(_sum(goods)),
        "$currency_code": "DKK",
        "Items": [each.title for each in goods],
        "Item Count": len(goods),
        "Discount Codes": [],
        "Total Discounts": "0.00",
        "Source Name": "web",
    }


def _sum(goods: Sequence[Goods]) -> Decimal:
    return sum((Decimal(each.price) for each in goods), Decimal(0))


def _line(goods: Goods, place: int) -> Json:
    return {
        "key": f"line-{place}",
        "product_id": goods.number,
        "variant_id": goods.number * 100,
        "title": goods.title,
        "variant_title": None,
        "sku": f"SKU-{goods.number}",
        "quantity": 1,
        "price": goods.price,
        "line_price": goods.price,
        "vendor": "Acme",
        "product": {"product_type": goods.kind},
    }
