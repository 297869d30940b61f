"""The canonical tables: what sources fill and strategies read.

Times are UTC ``TIMESTAMP``; money is ``DECIMAL(18,2)`` in the client's currency. Unknown is NULL, never 0 or ''.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds; decides how a value is read and checked."""

    TEXT = "text"
    ID = "id"
    EMAIL = "email"
    PHONE = "phone"
    COUNTRY = "country"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    TIME = "time"
    DATE = "date"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    ``choices`` closes the list of texts; ``personal`` columns hold data about a person that ``forget`` wipes
    and ``export`` shows.
    """

    name: str
    kind: Kind = Kind.TEXT
    description: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A canonical table, or a plugin's own (``loyalty.points``).

    Attributes:
        key: the columns that identify a row, ``system`` or ``source`` first.
        time: the column that says when the row came to be; an earlier ``as_of`` does not see it.
        parent: the table whose rows carry these as children, joined by the first two key columns.
        person: the columns that say whose row it is (customer_id, email, phone, subject, visitor_id).
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str | None = None
    parent: str | None = None
    person: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """Return the column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)


def _id(name: str, description: str, *, required: bool = False) -> Column:
    return Column(name, Kind.ID, description, required)


def _time(name: str, description: str, *, required: bool = False) -> Column:
    return Column(name, Kind.TIME, description, required)


def _money(name: str, description: str, *, required: bool = False) -> Column:
    return Column(name, Kind.MONEY, description, required)


_WHO = (
    _id("customer_id", "the shop's id of the customer"),
    Column("email", Kind.EMAIL, "e-mail, normalised at load: trimmed, lower case, domain in IDNA"),
    Column("phone", Kind.PHONE, "phone in E.164"),
)
_PLACE = (
    Column("country", Kind.COUNTRY, "ISO 3166-1 alpha-2"),
    Column("region", Kind.TEXT, "state or province, as the shop writes it (US: two letters)"),
)
_ITEM = (
    _id("product_id", "the shop's id of the product"),
    Column("sku", Kind.TEXT, "stock keeping unit"),
    Column("title", Kind.TEXT, "name of the product"),
    Column("product_type", Kind.TEXT, "kind of product"),
)

CUSTOMERS = Table(
    "customers",
    "One row per customer account of a shop.",
    (
        _id("customer_id", "the shop's id; without one the row is keyed by its e-mail, else its phone", required=True),
        Column("email", Kind.EMAIL, "e-mail, normalised at load"),
        Column("phone", Kind.PHONE, "phone in E.164"),
        Column("first_name", Kind.TEXT, "given name"),
        Column("last_name", Kind.TEXT, "family name"),
        *_PLACE,
        Column("city", Kind.TEXT, "city"),
        Column("postcode", Kind.TEXT, "postal code"),
        Column("locale", Kind.TEXT, "language and country, such as de-DE"),
        Column("birth_date", Kind.DATE, "day of birth"),
        Column("gender", Kind.TEXT, "as the shop writes it"),
        Column("tags", Kind.TEXTS, "the shop's tags"),
        Column("lifetime_orders", Kind.INTEGER, "orders ever, as the shop counts them"),
        _money("lifetime_spend", "net spend ever, as the shop counts it"),
        _time("created_at", "when the account was made"),
        _time("updated_at", "when it last changed"),
    ),
    key=("system", "customer_id"),
    time="created_at",
    person=("customer_id", "email", "phone"),
)
CONSENTS = Table(
    "consents",
    "What an address permitted or refused, one row per source, subject and channel.",
    (
        _id("subject", "the customer_id, e-mail or phone the statement is about", required=True),
        Column(
            "subject_kind",
            Kind.TEXT,
            "what the subject is; guessed where missing",
            choices=("customer_id", "email", "phone"),
        ),
        Column(
            "channel",
            Kind.TEXT,
            "what may be done",
            required=True,
            choices=("email", "sms", "whatsapp", "ads", "analytics"),
        ),
        Column(
            "status",
            Kind.TEXT,
            "what was said",
            required=True,
            choices=("subscribed", "pending", "unsubscribed", "never", "invalid", "unknown"),
        ),
        Column(
            "basis",
            Kind.TEXT,
            "on what ground",
            choices=("opt_in_double", "opt_in_single", "soft_opt_in", "implied_purchase", "implied_inquiry", "none"),
        ),
        _time("recorded_at", "when it was said; a file's date where the record has none"),
        Column(
            "dated_by", Kind.TEXT, "whether recorded_at is the record's own or a file's", choices=("record", "file")
        ),
        Column("evidence", Kind.TEXT, "form, list or text version that proves it"),
        Column("notice", Kind.BOOLEAN, "the customer could object when the address was collected (soft opt-in)"),
        *_PLACE,
        _time("expires_at", "when the permission ends"),
        Column("ad_user_data", Kind.BOOLEAN, "data may be sent to ad platforms"),
        Column("ad_personalization", Kind.BOOLEAN, "ads may be personalised"),
        Column("sale_opt_out", Kind.BOOLEAN, "opted out of sale or sharing (CCPA, GPC)"),
    ),
    key=("source", "subject", "channel"),
    person=("subject",),
)
ORDERS = Table(
    "orders",
    "One row per order. Counted = status pending or paid, not test. Discounted = discount > 0 or a discount code.",
    (
        _id("order_id", "the shop's id; the order's name where a file has no id", required=True),
        Column("name", Kind.TEXT, "what people call it, such as #1001"),
        _id("checkout_token", "the checkout it came from"),
        *_WHO,
        _time("placed_at", "when it was placed", required=True),
        Column("currency", Kind.TEXT, "ISO 4217 of the order itself"),
        _money("total", "what was to be paid, with tax and shipping", required=True),
        _money("discount", "sum of discounts"),
        _money("refunded", "paid back so far"),
        Column("discount_codes", Kind.TEXTS, "codes used"),
        Column(
            "status",
            Kind.TEXT,
            "partly refunded stays paid",
            required=True,
            choices=("pending", "paid", "refunded", "cancelled", "failed"),
        ),
        Column("test", Kind.BOOLEAN, "a test order"),
        Column("channel", Kind.TEXT, "where it was sold"),
        _id("cart_id", "the cart it came from"),
        *_PLACE,
        _time("cancelled_at", "when it was cancelled"),
    ),
    key=("system", "order_id"),
    time="placed_at",
    person=("customer_id", "email", "phone"),
)
ORDER_LINES = Table(
    "order_lines",
    "One row per line of an order.",
    (
        _id("order_id", "the order", required=True),
        Column("line", Kind.TEXT, "the line's id or number within the order", required=True),
        *_ITEM,
        Column("vendor", Kind.TEXT, "maker or brand"),
        Column("collections", Kind.TEXTS, "collections the product is in"),
        Column("quantity", Kind.NUMBER, "pieces"),
        _money("unit_price", "price of one piece"),
        _money("discount", "discount on the line"),
        Column("gift_card", Kind.BOOLEAN, "the line sells a gift card"),
    ),
    key=("system", "order_id", "line"),
    parent="orders",
)
CARTS = Table(
    "carts",
    "One row per cart or checkout, abandoned or completed.",
    (
        _id("cart_id", "the shop's id of the cart or checkout", required=True),
        *_WHO,
        _id("visitor_id", "the browser's id, where the cart was rebuilt from web analytics"),
        _time("created_at", "when it was begun", required=True),
        _time("updated_at", "its last change; created_at where unknown"),
        _time("completed_at", "when it became an order"),
        _money("total", "worth of the cart"),
        Column("currency", Kind.TEXT, "ISO 4217 of the cart itself"),
        Column("recovery_url", Kind.TEXT, "link that brings the cart back; secret"),
        Column("step", Kind.TEXT, "checkout step reached"),
    ),
    key=("system", "cart_id"),
    time="created_at",
    person=("customer_id", "email", "phone", "visitor_id"),
)
CART_LINES = Table(
    "cart_lines",
    "One row per line of a cart.",
    (
        _id("cart_id", "the cart", required=True),
        Column("line", Kind.TEXT, "the line's id or number within the cart", required=True),
        *_ITEM,
        Column("quantity", Kind.NUMBER, "pieces"),
        _money("unit_price", "price of one piece"),
    ),
    key=("system", "cart_id", "line"),
    parent="carts",
)
PRODUCTS = Table(
    "products",
    "One row per product.",
    (
        _id("product_id", "the shop's id of the product", required=True),
        Column("title", Kind.TEXT, "name"),
        Column("product_type", Kind.TEXT, "kind of product"),
        Column("vendor", Kind.TEXT, "maker or brand"),
        Column("collections", Kind.TEXTS, "collections it is in"),
        Column("url", Kind.TEXT, "page in the shop"),
        Column("image_url", Kind.TEXT, "picture"),
        _money("price", "price now"),
        _money("compare_at_price", "price before a reduction"),
        Column("in_stock", Kind.BOOLEAN, "can be bought now"),
        Column("rating", Kind.NUMBER, "mean rating"),
        Column("reviews", Kind.INTEGER, "number of reviews"),
    ),
    key=("system", "product_id"),
)
EVENTS = Table(
    "events",
    "One row per thing a visitor did, named as in Google Analytics 4's e-commerce events.",
    (
        _id("event_id", "unique within the source", required=True),
        _id("visitor_id", "the browser's id"),
        _id("user_id", "the shop's customer id, where the visitor was signed in"),
        _id("session_id", "the session"),
        Column(
            "name",
            Kind.TEXT,
            "view_item, add_to_cart, begin_checkout, purchase, …; a purchase that tells a transaction_id once more "
            "becomes repeated_purchase, without value",
            required=True,
        ),
        _time("happened_at", "when", required=True),
        Column("url", Kind.TEXT, "page"),
        _id("product_id", "the product"),
        Column("product_type", Kind.TEXT, "kind of product"),
        _money("value", "value of the event"),
        Column("currency", Kind.TEXT, "ISO 4217 of the value as it came"),
        _id("transaction_id", "the order it belongs to"),
        Column("engagement_ms", Kind.INTEGER, "milliseconds of attention"),
        Column("country", Kind.COUNTRY, "ISO 3166-1 alpha-2"),
        Column("device", Kind.TEXT, "desktop, mobile, tablet"),
        Column("traffic_source", Kind.TEXT, "where the visitor came from"),
        Column("analytics_consent", Kind.BOOLEAN, "analytics storage allowed"),
        Column("ads_consent", Kind.BOOLEAN, "ads storage allowed"),
    ),
    key=("source", "event_id"),
    time="happened_at",
    person=("user_id", "visitor_id"),
)
ENGAGEMENT = Table(
    "engagement",
    "What people did with the mails and texts they were sent.",
    (
        _id("subject", "the e-mail, phone or customer_id", required=True),
        Column(
            "kind",
            Kind.TEXT,
            "what happened",
            required=True,
            choices=("sent", "opened", "clicked", "bounced", "complained", "unsubscribed"),
        ),
        Column("campaign", Kind.TEXT, "which mailing", required=True),
        _time("happened_at", "when", required=True),
        Column("machine", Kind.BOOLEAN, "opened by a machine, not a person"),
    ),
    key=("source", "subject", "kind", "campaign", "happened_at"),
    time="happened_at",
    person=("subject",),
)
TRAITS = Table(
    "traits",
    "Survey answers, interests, opinions: anything a shop knows and hub does not.",
    (
        _id("subject", "the customer_id, e-mail or phone", required=True),
        Column("name", Kind.TEXT, "what is known", required=True),
        Column("value", Kind.TEXT, "the answer"),
        _time("recorded_at", "when it was said"),
    ),
    key=("source", "subject", "name"),
    time="recorded_at",
    person=("subject",),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        CUSTOMERS,
        CONSENTS,
        ORDERS,
        ORDER_LINES,
        CARTS,
        CART_LINES,
        PRODUCTS,
        EVENTS,
        ENGAGEMENT,
        TRAITS,
    )
}
"""The canonical tables by name."""
