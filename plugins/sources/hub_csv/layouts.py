"""The exports that hub knows by their headers, as data.

A layout says by which headers a file is known, which it must have, under which headers each of its fields
may stand (the first that the file has is taken), and which rows become of it. The expressions are SQL over
the fields' names and the macros of ``macros.sql``; what a column's kind demands (numbers, times, ids) is added by
``feeds.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table: columns as SQL over fields; ``each`` gives several rows per record.

    Each of them is a struct called ``each``, behind the field without which it says nothing.
    """

    table: str
    columns: Mapping[str, str]
    keep: str | None = None
    each: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """One kind of export.

    Attributes:
        known_by: headers that only this export has; one of them is enough, unless ``unless`` is there too.
        needs: alternatives, each a field or several of which one must be there.
        fields: name of a field = the headers it may stand under.
        ignored: headers that are known and not read.
        grouped: (key, head): several records make one order or cart; key tells which, and a record where head
            holds carries the columns that are written once.
        extra_traits: unknown columns become traits.
        named: name of a flag = how the file's own name begins when it holds; only where headers cannot tell.
        together: headers that are as good as one of ``known_by``, if all are there.
    """

    name: str
    title: str
    stream: str
    known_by: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    fields: Mapping[str, tuple[str, ...]]
    rows: tuple[Rows, ...]
    unless: tuple[str, ...] = ()
    together: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    grouped: tuple[str, str] | None = None
    extra_traits: bool = False
    named: Mapping[str, str] = field(default_factory=dict)


_SUBJECT = "coalesce(id_of(id), word_of(email), id_of(phone), id_of(address_phone))"

_TICK = (
    "case word_of({word}) when 'yes' then 'subscribed' when 'true' then 'subscribed' when 'no' then 'never' "
    "when 'false' then 'never' else word_of({word}) end"
)


def _tick(channel: str, kind: str, subject: str, word: str) -> tuple[str, str]:
    return word, (f"{{channel: '{channel}', kind: '{kind}', subject: {subject}, status: {_TICK.format(word=word)}}}")


SHOPIFY_CUSTOMERS = Layout(
    name="shopify-customers",
    title="Shopify customers",
    stream="customers",
    known_by=(
        "Accepts Email Marketing",
        "Accepts SMS Marketing",
        "Accepts WhatsApp Marketing",
        "Total Spent",
        "Total Orders",
        "Default Address Country Code",
        "Tax Exempt",
    ),
    together=("First Name", "Last Name", "Email", "Accepts Marketing"),
    unless=("Financial Status", "Lineitem name", "Lineitem quantity"),
    needs=(("id", "email", "phone"),),
    fields={
        "id": ("Customer ID",),
        "first_name": ("First Name",),
        "last_name": ("Last Name",),
        "email": ("Email",),
        "email_tick": ("Accepts Email Marketing", "Accepts Marketing"),
        "phone": ("Phone",),
        "address_phone": ("Default Address Phone",),
        "sms_tick": ("Accepts SMS Marketing",),
        "whatsapp_tick": ("Accepts WhatsApp Marketing",),
        "city": ("Default Address City", "City"),
        "region": ("Default Address Province Code", "Province Code", "Province"),
        "country": ("Default Address Country Code", "Country Code"),
        "postcode": ("Default Address Zip", "Zip"),
        "spent": ("Total Spent",),
        "orders": ("Total Orders",),
        "tags": ("Tags",),
    },
    ignored=(
        "Default Address Company",
        "Default Address Address1",
        "Default Address Address2",
        "Company",
        "Address1",
        "Address2",
        "Province",
        "Country",
        "Note",
        "Tax Exempt",
    ),
    rows=(
        Rows(
            "customers",
            {
                "customer_id": _SUBJECT,
                "email": "email",
                "phone": "coalesce(id_of(phone), id_of(address_phone))",
                "first_name": "first_name",
                "last_name": "last_name",
                "country": "country",
                "region": "region",
                "city": "city",
                "postcode": "postcode",
                "tags": "tags",
                "lifetime_orders": "orders",
                "lifetime_spend": "spent",
            },
        ),
        Rows(
            "consents",
            {
                "subject": "each.subject",
                "subject_kind": "each.kind",
                "channel": "each.channel",
                "status": "each.status",
                "basis": "case each.status when 'subscribed' then 'opt_in_single' end",
                "evidence": "'marketing tick in a customers export'",
                "country": "country",
                "region": "region",
            },
            keep="each.status is not null and each.subject is not null",
            each=(
                _tick("email", "email", "word_of(email)", "email_tick"),
                _tick("sms", "phone", "id_of(phone)", "sms_tick"),
                _tick("whatsapp", "phone", "id_of(phone)", "whatsapp_tick"),
            ),
        ),
    ),
    extra_traits=True,
)

_ORDER_KEY = "coalesce(text_of(name), id_of(id))"

SHOPIFY_ORDERS = Layout(
    name="shopify-orders",
    title="Shopify orders",
    stream="orders",
    known_by=("Financial Status", "Paid at", "Fulfillment Status", "Refunded Amount", "Outstanding Balance"),
    needs=(("name", "id"), ("created",), ("total",), ("financial",)),
    fields={
        "name": ("Name",),
        "id": ("Id",),
        "email": ("Email",),
        "phone": ("Phone",),
        "financial": ("Financial Status",),
        "created": ("Created at",),
        "currency": ("Currency",),
        "subtotal": ("Subtotal",),
        "total": ("Total",),
        "discount": ("Discount Amount",),
        "codes": ("Discount Code",),
        "refunded": ("Refunded Amount",),
        "cancelled": ("Cancelled at",),
        "sold_by": ("Source",),
        "shipping_country": ("Shipping Country",),
        "billing_country": ("Billing Country",),
        "shipping_region": ("Shipping Province",),
        "billing_region": ("Billing Province",),
        "vendor": ("Vendor",),
        "line_name": ("Lineitem name",),
        "line_quantity": ("Lineitem quantity",),
        "line_price": ("Lineitem price",),
        "line_sku": ("Lineitem sku",),
        "line_discount": ("Lineitem discount",),
    },
    grouped=(_ORDER_KEY, "coalesce(total, subtotal, financial, currency, id) is not null"),
    rows=(
        Rows(
            "orders",
            {
                "order_id": "coalesce(id_of(id), text_of(name))",
                "name": "name",
                "email": "email",
                "phone": "phone",
                "placed_at": "created",
                "currency": "upper(currency)",
                "total": "total",
                "discount": "discount",
                "refunded": "refunded",
                "discount_codes": "codes",
                "status": "case when word_of(financial) is null and text_of(cancelled) is null then null "
                "when text_of(cancelled) is not null then 'cancelled' else case word_of(financial) "
                "when 'authorized' then 'pending' when 'partially_paid' then 'paid' "
                "when 'partially_refunded' then 'paid' when 'voided' then 'failed' when 'expired' then 'failed' "
                "else word_of(financial) end end",
                "channel": "sold_by",
                "country": "coalesce(text_of(shipping_country), text_of(billing_country))",
                "region": "coalesce(text_of(shipping_region), text_of(billing_region))",
                "cancelled_at": "cancelled",
            },
        ),
        Rows(
            "order_lines",
            {
                "order_id": "_head_id",
                "line": "_line",
                "sku": "line_sku",
                "title": "line_name",
                "vendor": "vendor",
                "quantity": "line_quantity",
                "unit_price": "line_price",
                "discount": "line_discount",
            },
            keep="coalesce(line_name, line_quantity, line_price, line_sku) is not null",
        ),
    ),
)

SHOPIFY_CHECKOUTS = Layout(
    name="shopify-checkouts",
    title="Shopify abandoned checkouts",
    stream="carts",
    known_by=(
        "Abandoned Checkout URL",
        "Recovery URL",
        "Recovery Status",
        "Recovered at",
        "Checkout ID",
    ),
    unless=("Financial Status", "Paid at", "Fulfillment Status", "Refunded Amount", "Outstanding Balance"),
    needs=(("id", "name"), ("email", "phone"), ("created",)),
    fields={
        "id": ("Id", "Checkout ID"),
        "name": ("Name",),
        "email": ("Email", "Customer Email"),
        "phone": ("Phone", "Customer Phone"),
        "created": ("Created at",),
        "updated": ("Updated at",),
        "completed": ("Completed at", "Recovered at"),
        "recovery": ("Recovery Status",),
        "total": ("Total", "Total Price"),
        "currency": ("Currency",),
        "url": ("Abandoned Checkout URL", "Recovery URL"),
        "line_name": ("Lineitem name",),
        "line_quantity": ("Lineitem quantity",),
        "line_price": ("Lineitem price",),
        "line_sku": ("Lineitem sku",),
    },
    grouped=("coalesce(id_of(id), text_of(name))", "coalesce(created, total, url) is not null"),
    rows=(
        Rows(
            "carts",
            {
                "cart_id": "coalesce(id_of(id), text_of(name))",
                "email": "email",
                "phone": "phone",
                "created_at": "created",
                "updated_at": "updated",
                "completed_at": "coalesce(text_of(completed), case when word_of(recovery) = 'recovered' "
                "then coalesce(text_of(updated), created) end)",
                "total": "total",
                "currency": "upper(currency)",
                "recovery_url": "url",
            },
        ),
        Rows(
            "cart_lines",
            {
                "cart_id": "_head_id",
                "line": "_line",
                "sku": "line_sku",
                "title": "line_name",
                "quantity": "line_quantity",
                "unit_price": "line_price",
            },
            keep="coalesce(line_name, line_quantity, line_price, line_sku) is not null",
        ),
    ),
)


def _list_consent(channel: str, kind: str, subject: str, word: str, said: str) -> tuple[str, str]:
    status = _KLAVIYO.format(word=word)
    return word, f"{{channel: '{channel}', kind: '{kind}', subject: {subject}, status: {status}, said: {said}}}"


_KLAVIYO = (
    "case replace(replace(word_of({word}), '_', ' '), '-', ' ') when 'never subscribed' then 'never' "
    "when 'not subscribed' then 'never' when 'yes' then 'subscribed' when 'true' then 'subscribed' "
    "when 'no' then 'never' when 'false' then 'never' else word_of({word}) end"
)
_LIST_COLUMNS = {
    "subject": "each.subject",
    "subject_kind": "each.kind",
    "channel": "each.channel",
    "status": "each.status",
    "basis": "case each.status when 'subscribed' then 'opt_in_single' end",
    "recorded_at": "each.said",
}

KLAVIYO_LIST = Layout(
    name="klaviyo-list",
    title="Klaviyo list",
    stream="customers",
    known_by=("Email Marketing Consent", "Email Marketing Consent Timestamp"),
    needs=(("email",), ("consent",)),
    fields={
        "email": ("Email",),
        "consent": ("Email Marketing Consent",),
        "said": ("Email Marketing Consent Timestamp",),
        "phone": ("Phone Number", "Phone"),
        "sms": ("SMS Marketing Consent",),
        "sms_said": ("SMS Marketing Consent Timestamp",),
    },
    rows=(
        Rows(
            "consents",
            {**_LIST_COLUMNS, "evidence": "'Klaviyo list export'"},
            keep="each.status is not null and each.subject is not null",
            each=(
                _list_consent("email", "email", "word_of(email)", "consent", "said"),
                _list_consent("sms", "phone", "id_of(phone)", "sms", "sms_said"),
            ),
        ),
    ),
)

MAILCHIMP_AUDIENCE = Layout(
    name="mailchimp-audience",
    title="Mailchimp audience",
    stream="customers",
    known_by=("MEMBER_RATING", "OPTIN_TIME", "CONFIRM_TIME", "UNSUB_TIME", "CLEAN_TIME"),
    needs=(("email",),),
    fields={
        "email": ("Email Address",),
        "opted": ("OPTIN_TIME",),
        "confirmed": ("CONFIRM_TIME",),
        "left_at": ("UNSUB_TIME",),
        "cleaned": ("CLEAN_TIME",),
    },
    named={"named_left": "unsubscribed", "named_never": "nonsubscribed", "named_cleaned": "cleaned"},
    rows=(
        Rows(
            "consents",
            {**_LIST_COLUMNS, "evidence": "'Mailchimp audience export'"},
            keep="each.subject is not null",
            each=(
                # Who left, bounced or never joined comes in files of the same look: one column or the name tells.
                (
                    "email",
                    "{channel: 'email', kind: 'email', subject: word_of(email), "
                    "status: case when named_cleaned or text_of(cleaned) is not null then 'invalid' "
                    "when named_left or text_of(left_at) is not null then 'unsubscribed' "
                    "when named_never or coalesce(text_of(confirmed), text_of(opted)) is null then 'never' "
                    "else 'subscribed' end, "
                    "said: coalesce(text_of(left_at), text_of(cleaned), text_of(confirmed), text_of(opted))}",
                ),
            ),
        ),
    ),
)

# Some checkouts exports have no header of their own; these may stand in a customers export too, which comes first.
PLAIN_CHECKOUTS = replace(SHOPIFY_CHECKOUTS, known_by=("Completed at",), together=("Email", "Created at"))

LAYOUTS = (
    KLAVIYO_LIST,
    MAILCHIMP_AUDIENCE,
    SHOPIFY_ORDERS,
    SHOPIFY_CHECKOUTS,
    SHOPIFY_CUSTOMERS,
    PLAIN_CHECKOUTS,
)
"""The layouts, the most particular first."""
