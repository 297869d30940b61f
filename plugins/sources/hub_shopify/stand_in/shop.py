"""A shop in memory, and everything that can happen to it.

Every change stamps ``updated_at`` with the shop's clock, as Shopify does, and raises ``generation``, so that answers
prepared from the shop are prepared again. Hold ``lock`` while several changes must be seen as one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from hub_shopify.stand_in.records import (
    NOTHING,
    Address,
    Collection,
    Consent,
    Customer,
    Product,
    Record,
    Variant,
    change,
)
from hub_shopify.stand_in.sales import Checkout, CheckoutLine, Discount, Line, Order, Refund, RefundLine

_R = TypeVar("_R", bound=Record)
_FIRST_NUMBER = 7_000_000_001
_NOBODY = {"email": None, "phone": None}


@dataclass
class About:
    """What the shop says of itself."""

    number: int = 60_000_000_001
    name: str = "Sandbox Shop"
    domain: str = "sandbox-shop.myshopify.com"
    currency: str = "DKK"
    timezone: str = "Europe/Copenhagen"
    plan: str = "Advanced"
    plus: bool = False
    sms_consent_at_checkout: bool = True


class Shop:
    """Customers, orders, abandoned checkouts, products and collections, by number.

    ``now`` is the shop's clock (aware, UTC). ``presentment`` is a currency and its units per unit of the shop's
    currency, when customers pay in another one.
    """

    def __init__(
        self,
        about: About | None = None,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        presentment: tuple[str, Decimal] | None = None,
    ) -> None:
        self.about = about or About()
        self.now = now
        self.presentment = presentment or (self.about.currency, Decimal(1))
        self.lock = threading.RLock()
        self.generation = 0
        self.customers: dict[int, Customer] = {}
        self.orders: dict[int, Order] = {}
        self.checkouts: dict[int, Checkout] = {}
        self.products: dict[int, Product] = {}
        self.collections: dict[int, Collection] = {}
        self.merged: dict[int, int] = {}
        self._orders_of: dict[int, dict[int, Order]] = {}
        self._sold_in: dict[int, Order] = {}
        self._numbers = count(_FIRST_NUMBER)
        self._order_numbers = count(1001)

    def new_number(self) -> int:
        """Return a number that no record has."""
        return next(self._numbers)

    def all_of(self, typename: str) -> dict[int, Any]:
        """Return the records of a type by number; KeyError for a type that has no list."""
        records: dict[str, dict[int, Any]] = {
            "Customer": self.customers,
            "Order": self.orders,
            "AbandonedCheckout": self.checkouts,
            "Product": self.products,
            "Collection": self.collections,
        }
        return records[typename]

    def find(self, gid: str) -> Any | None:
        """Return the record with this id, or None."""
        typename, _, number = gid.removeprefix("gid://shopify/").partition("/")
        if not gid.startswith("gid://shopify/") or not number.isdigit():
            return None
        try:
            return self.all_of(typename).get(int(number))
        except KeyError:
            return None

    def orders_of(self, customer: int) -> list[Order]:
        """Return a customer's orders, oldest first."""
        return list(self._orders_of.get(customer, {}).values())

    def order_of(self, line: Line) -> Order:
        """Return the order that a line belongs to."""
        return self._sold_in[line.number]

    def address(self, **fields: Any) -> Address:
        """Make an address."""
        return Address(self.new_number(), **fields)

    # customers

    def add_customer(self, **fields: Any) -> Customer:
        """Add a customer; ``fields`` are attributes of ``Customer``."""
        return self._add(self.customers, Customer(self.new_number(), **self._stamped(fields)))

    def update_customer(self, customer: Customer, **fields: Any) -> Customer:
        """Set attributes of a customer."""
        return self._changed(customer, fields)

    def set_consent(self, customer: Customer, channel: str, state: str, **fields: Any) -> Customer:
        """Record what a customer said about ``email``, ``sms`` or ``whatsapp``, now unless ``updated_at`` is given."""
        fields = {"opt_in_level": "SINGLE_OPT_IN", "updated_at": self.now(), "collected_from": "SHOPIFY", **fields}
        return self._changed(customer, {f"{channel}_consent": Consent(state, **fields)})

    def delete_customer(self, customer: Customer) -> None:
        """Delete a customer, whose orders and checkouts stay without one."""
        with self.lock:
            for order in self.orders_of(customer.number):
                self._reassign(order, None)
            for checkout in self._checkouts_of(customer.number):
                self._changed(checkout, {"customer": None})
            self._remove(self.customers, customer)

    def merge_customers(self, kept: Customer, gone: Customer) -> Customer:
        """Merge one customer into another, as the shop's staff can: orders, checkouts and tags move, one id is gone."""
        with self.lock:
            for order in self.orders_of(gone.number):
                self._reassign(order, kept.number)
            for checkout in self._checkouts_of(gone.number):
                self._changed(checkout, {"customer": kept.number})
            self._remove(self.customers, gone)
            self.merged[gone.number] = kept.number
            filled = {
                name: getattr(kept, name) or getattr(gone, name) for name in ("email", "phone", "default_address")
            }
            return self._changed(kept, {**filled, "tags": sorted({*kept.tags, *gone.tags}, key=str.lower)})

    def redact_customer(self, customer: Customer) -> Customer:
        """Erase a person, as Shopify does on request: the record and its orders stay, without personal data."""
        nowhere = {"shipping_address": None, "billing_address": None}
        with self.lock:
            for order in self.orders_of(customer.number):
                self._changed(order, {**_NOBODY, **nowhere, "note": None})
            for checkout in self._checkouts_of(customer.number):
                self._changed(checkout, nowhere)
            erased = {**_NOBODY, "first_name": None, "last_name": None, "note": None, "default_address": None}
            consents = {f"{channel}_consent": Consent("REDACTED") for channel in ("sms", "whatsapp")}
            return self._changed(customer, {**erased, **consents, "tags": [], "email_consent": Consent()})

    # orders

    def line(self, title: str, price: Decimal | str, quantity: int = 1, **fields: Any) -> Line:
        """Make a line of an order."""
        return Line(self.new_number(), title, quantity, Decimal(price), **fields)

    def add_order(self, lines: Sequence[Line], customer: Customer | None = None, **fields: Any) -> Order:
        """Add an order; e-mail and phone are the customer's unless given."""
        with self.lock:
            known = {"customer": customer.number, "email": customer.email, "phone": customer.phone} if customer else {}
            fields = {**known, **self._stamped(fields)}
            fields.setdefault("processed_at", fields["created_at"])
            order = Order(self.new_number(), next(self._order_numbers), lines=list(lines), **fields)
            self._own(order)
            self._sold_in.update((line.number, order) for line in order.lines)
            return self._add(self.orders, order)

    def update_order(self, order: Order, **fields: Any) -> Order:
        """Set attributes of an order; ``customer`` is a number or None."""
        with self.lock:
            if "customer" in fields:
                self._reassign(order, fields.pop("customer"))
            return self._changed(order, fields)

    def add_line(self, order: Order, line: Line) -> Order:
        """Add a line to an order that was placed, as its staff can."""
        self._sold_in[line.number] = order
        return self._changed(order, {"lines": [*order.lines, line], "edited": True})

    def remove_line(self, order: Order, line: Line, *, vanish: bool = False) -> Order:
        """Remove a line by editing the order: it stays with a current quantity of 0, or goes entirely (``vanish``)."""
        with self.lock:
            line.current_quantity = 0
            left = [each for each in order.lines if each is not line] if vanish else order.lines
            return self._changed(order, {"lines": left, "edited": True})

    def discount(self, order: Order, title: str, amount: Decimal | str, *, kind: str = "code") -> Order:
        """Take an amount off an order, spread over its lines by value; ``kind`` as in ``Discount``."""
        with self.lock:
            found = Discount(len(order.discounts), kind, title, amount=Decimal(amount))
            shares = _spread(Decimal(amount), [line.net for line in order.lines])
            for line, share in zip(order.lines, shares, strict=True):
                line.discounts[found.index] = share
            return self._changed(order, {"discounts": [*order.discounts, found]})

    def refund(self, order: Order, amount: Decimal | str, lines: Iterable[tuple[Line, int]] = ()) -> Refund:
        """Give money back, for lines (with the pieces returned) or for nothing in particular."""
        with self.lock:
            back = [self._returned(line, pieces) for line, pieces in lines]
            refund = Refund(self.new_number(), self.now(), Decimal(amount), lines=back)
            order.refunds.append(refund)
            whole = order.total_refunded >= order.total_price
            self._changed(order, {"display_financial_status": "REFUNDED" if whole else "PARTIALLY_REFUNDED"})
            return refund

    def cancel_order(self, order: Order, reason: str = "CUSTOMER") -> Order:
        """Cancel an order that nobody paid."""
        now = self.now()
        fields = {"cancelled_at": now, "closed_at": now, "cancel_reason": reason, "display_financial_status": "VOIDED"}
        return self._changed(order, fields)

    def delete_order(self, order: Order) -> None:
        """Delete an order."""
        with self.lock:
            self._orders_of.get(order.customer or 0, {}).pop(order.number, None)
            self._remove(self.orders, order)

    # abandoned checkouts

    def checkout_line(self, title: str, price: Decimal | str, quantity: int = 1, **fields: Any) -> CheckoutLine:
        """Make a line of a checkout."""
        return CheckoutLine(self.new_number(), title, quantity, Decimal(price), **fields)

    def add_checkout(self, lines: Sequence[CheckoutLine], customer: Customer | None = None, **fields: Any) -> Checkout:
        """Add a checkout that was begun and not finished."""
        number = self.new_number()
        fields = {"customer": customer.number if customer else None, "token": f"{number:x}", **self._stamped(fields)}
        return self._add(self.checkouts, Checkout(number, lines=list(lines), **fields))

    def update_checkout(self, checkout: Checkout, **fields: Any) -> Checkout:
        """Set attributes of a checkout."""
        return self._changed(checkout, fields)

    def complete_checkout(self, checkout: Checkout, **fields: Any) -> Order:
        """Finish a checkout: the order is placed, and the checkout stays listed with the time of its completion."""
        with self.lock:
            lines = [
                self.line(
                    each.title,
                    each.unit_price,
                    each.quantity,
                    sku=each.sku,
                    variant_title=each.variant_title,
                    product=each.product,
                    variant=each.variant,
                )
                for each in checkout.lines
            ]
            order = self.add_order(
                lines, self.customers.get(checkout.customer or 0), checkout_token=checkout.token, **fields
            )
            if checkout.total_discount:
                title = next(iter(checkout.discount_codes), "Discount")
                kind = "code" if checkout.discount_codes else "automatic"
                self.discount(order, title, checkout.total_discount, kind=kind)
            self._changed(checkout, {"completed_at": order.created_at})
            return order

    def delete_checkout(self, checkout: Checkout) -> None:
        """Drop a checkout from the list, as happens to old ones."""
        self._remove(self.checkouts, checkout)

    # products

    def add_product(self, title: str, price: Decimal | str, **fields: Any) -> Product:
        """Add a product with one variant; ``inventory``, ``sku`` and ``compare_at_price`` are the variant's."""
        of_variant = {name: fields.pop(name) for name in ("sku", "compare_at_price") if name in fields}
        inventory = fields.pop("inventory", 10)
        times = self._stamped(fields)
        number = self.new_number()
        variant = Variant(
            self.new_number(),
            number,
            "Default Title",
            Decimal(price),
            times["created_at"],
            times["updated_at"],
            inventory_quantity=inventory,
            **of_variant,
        )
        return self._add(self.products, Product(number, title, variants=[variant], **times))

    def update_product(self, product: Product, **fields: Any) -> Product:
        """Set attributes of a product."""
        return self._changed(product, fields)

    def delete_product(self, product: Product) -> None:
        """Delete a product; lines that were sold keep their titles and lose their link."""
        self._remove(self.products, product)

    def add_collection(self, title: str) -> Collection:
        """Add a collection; products name it in ``collections``."""
        return self._add(self.collections, Collection(self.new_number(), title, self.now()))

    # tags

    def add_tags(self, record: Any, tags: Iterable[str]) -> None:
        """Add tags that the record has not yet, whatever their case."""
        known = {tag.lower(): tag for tag in record.tags}
        all_tags = {tag.lower(): tag for tag in reversed(list(tags))} | known
        if len(all_tags) > len(known):
            self._changed(record, {"tags": [all_tags[tag] for tag in sorted(all_tags)]})

    def remove_tags(self, record: Any, tags: Iterable[str]) -> None:
        """Remove tags, whatever their case."""
        unwanted = {tag.lower() for tag in tags}
        left = [tag for tag in record.tags if tag.lower() not in unwanted]
        if left != record.tags:
            self._changed(record, {"tags": left})

    # inside

    def _stamped(self, fields: dict[str, Any]) -> dict[str, Any]:
        created = fields.get("created_at") or self.now()
        return {"updated_at": created, **fields, "created_at": created}

    def _add(self, records: dict[int, _R], record: _R) -> _R:
        with self.lock:
            records[record.number] = record
            self.generation += 1
            return record

    def _changed(self, record: _R, fields: dict[str, Any]) -> _R:
        with self.lock:
            change(record, {"updated_at": self.now(), **fields})
            self.generation += 1
            return record

    def _remove(self, records: dict[int, _R], record: _R) -> None:
        with self.lock:
            del records[record.number]
            self.generation += 1

    def _own(self, order: Order) -> None:
        if order.customer is not None:
            self._orders_of.setdefault(order.customer, {})[order.number] = order

    def _reassign(self, order: Order, customer: int | None) -> None:
        self._orders_of.get(order.customer or 0, {}).pop(order.number, None)
        self._changed(order, {"customer": customer})
        self._own(order)

    def _checkouts_of(self, customer: int) -> list[Checkout]:
        return [checkout for checkout in self.checkouts.values() if checkout.customer == customer]

    def _returned(self, line: Line, pieces: int) -> RefundLine:
        line.current_quantity = max(0, line.current_quantity - pieces)
        value = (line.net * pieces / line.quantity).quantize(Decimal("0.01"))
        return RefundLine(self.new_number(), line, pieces, value)


def _spread(amount: Decimal, values: Sequence[Decimal]) -> list[Decimal]:
    """Share an amount out by value, to the cent, so that the shares add up to it."""
    left, value_left, shares = amount, sum(values, NOTHING), []
    for value in values:
        share = (left * value / value_left).quantize(Decimal("0.01")) if value_left else NOTHING
        shares.append(share)
        left, value_left = left - share, value_left - value
    return shares
