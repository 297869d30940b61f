"""What a shop sells to whom: orders with lines, discounts and refunds, and checkouts that were not finished."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hub_shopify.stand_in.records import CENT, NOTHING, Address, Record


@dataclass
class Discount:
    """An application of a discount to an order; ``kind`` is code, automatic, manual or script."""

    index: int
    kind: str
    title: str
    amount: Decimal | None = None
    percentage: Decimal | None = None
    description: str | None = None
    target_type: str = "LINE_ITEM"
    target_selection: str = "ALL"
    allocation_method: str = "ACROSS"

    @property
    def typename(self) -> str:
        names = {"code": "DiscountCode", "automatic": "AutomaticDiscount", "manual": "ManualDiscount"}
        return f"{names.get(self.kind, 'ScriptDiscount')}Application"

    @property
    def number(self) -> int:
        return self.index

    @property
    def code(self) -> str:
        return self.title


@dataclass
class Line(Record):
    """A line of an order. ``discounts`` is what each application (by index) took off the whole line."""

    typename = "LineItem"
    number: int
    title: str
    quantity: int
    unit_price: Decimal
    current_quantity: int = -1
    sku: str | None = None
    variant_title: str | None = None
    vendor: str | None = None
    product: int | None = None
    variant: int | None = None
    is_gift_card: bool = False
    discounts: dict[int, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.current_quantity < 0:
            self.current_quantity = self.quantity

    @property
    def name(self) -> str:
        return f"{self.title} - {self.variant_title}" if self.variant_title else self.title

    @property
    def original_unit_price(self) -> Decimal:
        return self.unit_price

    @property
    def original_total(self) -> Decimal:
        return self.unit_price * self.quantity

    @property
    def refundable_quantity(self) -> int:
        return self.current_quantity

    @property
    def net(self) -> Decimal:
        """What was paid for the whole line, all discounts taken off."""
        return self.original_total - sum(self.discounts.values(), NOTHING)

    @property
    def discounted_unit_price_after_all_discounts(self) -> Decimal:
        return (self.net / self.quantity).quantize(CENT) if self.quantity else NOTHING


@dataclass
class RefundLine(Record):
    typename = "RefundLineItem"
    number: int
    line_item: Line
    quantity: int
    subtotal: Decimal


@dataclass
class Refund(Record):
    typename = "Refund"
    number: int
    created_at: datetime
    total_refunded: Decimal
    note: str | None = None
    lines: list[RefundLine] = field(default_factory=list)

    @property
    def processed_at(self) -> datetime:
        return self.created_at

    @property
    def updated_at(self) -> datetime:
        return self.created_at


@dataclass
class Visit(Record):
    typename = "CustomerVisit"
    number: int
    occurred_at: datetime
    source: str
    source_type: str | None = None
    landing_page: str | None = None
    referrer_url: str | None = None
    utm: dict[str, str] | None = None


@dataclass
class Order(Record):
    typename = "Order"
    number: int
    order_number: int
    created_at: datetime
    updated_at: datetime
    processed_at: datetime
    customer: int | None = None
    email: str | None = None
    phone: str | None = None
    test: bool = False
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    closed_at: datetime | None = None
    display_financial_status: str = "PAID"
    display_fulfillment_status: str = "UNFULFILLED"
    source_name: str | None = "web"
    source_identifier: str | None = None
    customer_accepts_marketing: bool = False
    customer_locale: str | None = "en"
    cart_token: str | None = None
    checkout_token: str | None = None
    edited: bool = False
    note: str | None = None
    tags: list[str] = field(default_factory=list)
    taxes_included: bool = True
    total_shipping_price: Decimal = NOTHING
    total_tax: Decimal = NOTHING
    lines: list[Line] = field(default_factory=list)
    discounts: list[Discount] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    shipping_address: Address | None = None
    billing_address: Address | None = None
    first_visit: Visit | None = None
    last_visit: Visit | None = None
    journey_ready: bool = False

    @property
    def name(self) -> str:
        return f"#{self.order_number}"

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    @property
    def discount_codes(self) -> list[str]:
        return [discount.title for discount in self.discounts if discount.kind == "code"]

    @property
    def discount_code(self) -> str | None:
        return next(iter(self.discount_codes), None)

    @property
    def subtotal_price(self) -> Decimal:
        return sum((line.net for line in self.lines), NOTHING)

    @property
    def total_discounts(self) -> Decimal:
        return sum((line.original_total - line.net for line in self.lines), NOTHING)

    @property
    def total_price(self) -> Decimal:
        return self.subtotal_price + self.total_shipping_price + (NOTHING if self.taxes_included else self.total_tax)

    @property
    def current_subtotal_price(self) -> Decimal:
        return sum((_share(line, line.net) for line in self.lines), NOTHING)

    @property
    def current_total_discounts(self) -> Decimal:
        return sum((_share(line, line.original_total - line.net) for line in self.lines), NOTHING)

    @property
    def current_total_price(self) -> Decimal:
        return self.total_price - (self.subtotal_price - self.current_subtotal_price)

    @property
    def total_refunded(self) -> Decimal:
        return sum((refund.total_refunded for refund in self.refunds), NOTHING)

    @property
    def total_received(self) -> Decimal:
        unpaid = {"PENDING", "AUTHORIZED", "VOIDED", "EXPIRED"}
        return NOTHING if self.display_financial_status in unpaid else self.total_price

    @property
    def net_payment(self) -> Decimal:
        return self.total_received - self.total_refunded

    @property
    def total_outstanding(self) -> Decimal:
        return NOTHING if self.cancelled_at else max(NOTHING, self.current_total_price - self.total_received)

    @property
    def fully_paid(self) -> bool:
        return not self.total_outstanding


@dataclass
class CheckoutLine(Record):
    typename = "AbandonedCheckoutLineItem"
    number: int
    title: str
    quantity: int
    unit_price: Decimal
    sku: str | None = None
    variant_title: str | None = None
    product: int | None = None
    variant: int | None = None
    discount: Decimal = NOTHING

    @property
    def original_unit_price(self) -> Decimal:
        return self.unit_price

    @property
    def original_total_price(self) -> Decimal:
        return self.unit_price * self.quantity

    @property
    def discounted_total_price(self) -> Decimal:
        return self.original_total_price - self.discount

    @property
    def discounted_unit_price(self) -> Decimal:
        return (self.discounted_total_price / self.quantity).quantize(CENT) if self.quantity else NOTHING


@dataclass
class Checkout(Record):
    typename = "AbandonedCheckout"
    number: int
    created_at: datetime
    updated_at: datetime
    token: str
    customer: int | None = None
    completed_at: datetime | None = None
    discount_codes: list[str] = field(default_factory=list)
    note: str = ""
    taxes_included: bool = True
    total_tax: Decimal = NOTHING
    total_shipping_price: Decimal = NOTHING
    lines: list[CheckoutLine] = field(default_factory=list)
    shipping_address: Address | None = None
    billing_address: Address | None = None

    @property
    def name(self) -> str:
        return f"#{self.number}"

    @property
    def total_line_items_price(self) -> Decimal:
        return sum((line.original_total_price for line in self.lines), NOTHING)

    @property
    def total_discount(self) -> Decimal:
        return sum((line.discount for line in self.lines), NOTHING)

    @property
    def subtotal_price(self) -> Decimal:
        return self.total_line_items_price - self.total_discount

    @property
    def total_price(self) -> Decimal:
        return self.subtotal_price + self.total_shipping_price + (NOTHING if self.taxes_included else self.total_tax)


def _share(line: Line, amount: Decimal) -> Decimal:
    """Return the part of an amount of a line that its remaining pieces stand for."""
    return (amount * line.current_quantity / line.quantity).quantize(CENT) if line.quantity else NOTHING
