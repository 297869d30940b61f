"""What the owner of a Shopify shop downloads: the three CSV exports of a shop that the stand-in holds."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from hub_shopify.stand_in import Shop

Row = Mapping[str, object]


def write_exports(shop: Shop, folder: Path, *, keep: Callable[[datetime], bool] = lambda _placed: True) -> None:
    """Write the exports as of the shop's clock; ``keep`` chooses orders by when they were placed."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "customers_export.csv", _customers(shop), shop.now())
    _write(folder / "orders_export.csv", _orders(shop, keep), shop.now())
    _write(folder / "checkouts_export.csv", _checkouts(shop), shop.now())


def _customers(shop: Shop) -> Iterator[Row]:
    for each in shop.customers.values():
        place = each.default_address
        orders = [order for order in shop.orders_of(each.number) if not order.test]
        yield {
            "Customer ID": f"'{each.number}",
            "First Name": each.first_name or "",
            "Last Name": each.last_name or "",
            "Email": each.email or "",
            "Accepts Email Marketing": _tick(each.email_consent.state),
            "Default Address City": place.city if place else "",
            "Default Address Province Code": (place.province_code if place else "") or "",
            "Default Address Country Code": place.country_code_v2 if place else "",
            "Default Address Zip": f"'{place.zip}" if place else "",
            "Phone": f"'{each.phone}" if each.phone else "",
            "Accepts SMS Marketing": _tick(each.sms_consent.state),
            "Total Spent": sum((order.total_price - order.total_refunded for order in orders), start=0),
            "Total Orders": len(orders),
            "Tags": ", ".join(each.tags),
        }


def _orders(shop: Shop, keep: Callable[[datetime], bool]) -> Iterator[Row]:
    for order in shop.orders.values():
        if order.test or not keep(order.processed_at):
            continue
        buyer = shop.customers.get(order.customer) if order.customer else None
        place = order.shipping_address or order.billing_address
        whole = {
            "Email": order.email or (buyer.email if buyer else None) or "",
            "Phone": order.phone or (buyer.phone if buyer else None) or "",
            "Financial Status": order.display_financial_status.lower(),
            "Currency": shop.about.currency,
            "Subtotal": order.subtotal_price,
            "Total": order.total_price,
            "Discount Code": ", ".join(order.discount_codes),
            "Discount Amount": order.total_discounts,
            "Refunded Amount": order.total_refunded,
            "Cancelled at": _time(order.cancelled_at),
            "Shipping Country": place.country_code_v2 if place else "",
            "Shipping Province": (place.province_code if place else "") or "",
            "Id": order.number,
            "Source": order.source_name or "",
        }
        for number, line in enumerate(order.lines):
            yield {
                "Name": order.name,
                "Created at": _time(order.processed_at),
                "Lineitem quantity": line.quantity,
                "Lineitem name": line.name,
                "Lineitem price": line.unit_price,
                "Lineitem sku": line.sku or "",
                "Lineitem discount": line.original_total - line.net,
                "Vendor": line.vendor or "",
            } | (whole if number == 0 else {})


def _checkouts(shop: Shop) -> Iterator[Row]:
    for checkout in shop.checkouts.values():
        owner = shop.customers.get(checkout.customer) if checkout.customer else None
        if owner is None:
            continue  # the file names nobody for these
        whole = {
            "Email": owner.email or "",
            "Phone": owner.phone or "",
            "Completed at": _time(checkout.completed_at),
            "Updated at": _time(checkout.updated_at),
            "Total": checkout.total_price,
            "Currency": shop.about.currency,
            "Abandoned Checkout URL": f"https://{shop.about.domain}/checkouts/{checkout.token}/recover",
        }
        for number, line in enumerate(checkout.lines):
            yield {
                "Id": checkout.number,
                "Created at": _time(checkout.created_at),
                "Lineitem name": line.title,
                "Lineitem quantity": line.quantity,
                "Lineitem price": line.unit_price,
                "Lineitem sku": line.sku or "",
            } | (whole if number == 0 else {})


def _tick(state: str) -> str:
    return "yes" if state == "SUBSCRIBED" else "no"


def _time(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %z}" if moment else ""


def _write(path: Path, rows: Iterable[Row], at: datetime) -> None:
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, restval="")
        writer.writeheader()
        writer.writerows(listed)
    os.utime(path, (at.timestamp(), at.timestamp()))
