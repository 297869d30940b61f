"""What a shop holds, in Shopify's terms, one class per object of the Admin API: customers and products.

A field of the API is read from the attribute of the same name in snake case; a money field ``totalPriceSet`` from
``total_price``, a ``Decimal`` in the shop's currency.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

CENT = Decimal("0.01")
NOTHING = Decimal(0)


class Record:
    """Something with an id: ``gid://shopify/<type>/<number>``."""

    typename: ClassVar[str]
    number: int

    @property
    def id(self) -> str:
        return f"gid://shopify/{self.typename}/{self.number}"

    @property
    def legacy_resource_id(self) -> int:
        return self.number


@dataclass
class Consent:
    """What somebody said about one channel; ``state`` in the words of the API of 2026-10 except for e-mail.

    e-mail: SUBSCRIBED, PENDING, UNSUBSCRIBED, NOT_SUBSCRIBED, INVALID. SMS and WhatsApp: the first three,
    NOT_SUBSCRIBED (answered as NEVER_SUBSCRIBED by the newer fields) and REDACTED.
    """

    state: str = "NOT_SUBSCRIBED"
    opt_in_level: str | None = None
    updated_at: datetime | None = None
    collected_from: str | None = None


@dataclass
class Address(Record):
    typename = "MailingAddress"
    number: int
    first_name: str | None = None
    last_name: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    zip: str | None = None
    province: str | None = None
    province_code: str | None = None
    country: str | None = None
    country_code_v2: str | None = None
    phone: str | None = None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.first_name, self.last_name) if part)


@dataclass
class Customer(Record):
    typename = "Customer"
    number: int
    created_at: datetime
    updated_at: datetime
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str = "en"
    note: str | None = None
    state: str = "DISABLED"
    verified_email: bool = True
    tax_exempt: bool = False
    tags: list[str] = field(default_factory=list)
    email_consent: Consent = field(default_factory=Consent)
    sms_consent: Consent = field(default_factory=Consent)
    whatsapp_consent: Consent = field(default_factory=Consent)
    data_sale_opt_out: bool = False
    product_subscriber_status: str = "NEVER_SUBSCRIBED"
    predicted_spend_tier: str | None = None
    rfm_group: str | None = None
    default_address: Address | None = None

    @property
    def display_name(self) -> str:
        name = " ".join(part for part in (self.first_name, self.last_name) if part)
        return name or self.email or self.phone or ""


@dataclass
class Variant(Record):
    typename = "ProductVariant"
    number: int
    product: int
    title: str
    price: Decimal
    created_at: datetime
    updated_at: datetime
    position: int = 1
    sku: str | None = None
    barcode: str | None = None
    compare_at_price: Decimal | None = None
    inventory_quantity: int = 0
    inventory_policy: str = "DENY"

    @property
    def available_for_sale(self) -> bool:
        return self.inventory_quantity > 0 or self.inventory_policy == "CONTINUE"


@dataclass
class Product(Record):
    typename = "Product"
    number: int
    title: str
    created_at: datetime
    updated_at: datetime
    vendor: str = ""
    product_type: str = ""
    description: str = ""
    status: str = "ACTIVE"
    published_at: datetime | None = None
    is_gift_card: bool = False
    tracks_inventory: bool = True
    tags: list[str] = field(default_factory=list)
    collections: list[int] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)
    image_url: str | None = None

    @property
    def handle(self) -> str:
        return "-".join(self.title.lower().split())

    @property
    def total_inventory(self) -> int:
        return sum(variant.inventory_quantity for variant in self.variants)

    @property
    def has_out_of_stock_variants(self) -> bool:
        return any(variant.inventory_quantity <= 0 for variant in self.variants)


@dataclass
class Collection(Record):
    typename = "Collection"
    number: int
    title: str
    updated_at: datetime

    @property
    def handle(self) -> str:
        return "-".join(self.title.lower().split())


def change(record: Any, fields: dict[str, Any]) -> None:
    """Set attributes that exist; TypeError for one that does not, so that a typing error in a test is seen."""
    for name, value in fields.items():
        if name not in type(record).__dataclass_fields__:
            raise TypeError(f"{record.typename} has no {name!r}")
        setattr(record, name, value)
