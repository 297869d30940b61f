"""Who may see what: the scopes of an app, and the personal data it was approved for.

Source: the required access of types and fields in Shopify's schema; shopify.dev, "Work with protected customer data".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Literal

from graphql import GraphQLError

Redaction = Literal["", "null", "refused"]

RECENT = timedelta(days=60)  # without read_all_orders, orders older than this are not there
ALL_SCOPES = (
    "read_all_orders",
    "read_customers",
    "read_orders",
    "read_products",
    "write_customers",
    "write_orders",
    "write_products",
)

_CUSTOMERS = ("read_customers",)
_ORDERS = ("read_orders", "read_marketplace_orders")
_CHECKOUTS = ("read_orders",)
_PRODUCTS = ("read_products",)
_MEDIA = (
    "read_products",
    "read_files",
    "read_themes",
    "read_orders",
    "read_draft_orders",
    "read_images",
    "read_quick_sale",
)

# A type, or a field; one of the scopes is enough.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("AbandonedCheckout", "AbandonedCheckoutLineItem"), _CHECKOUTS),
    **dict.fromkeys(
        (
            "Customer",
            "CustomerEmailAddress",
            "CustomerEmailMarketingConsentState",
            "CustomerPhoneNumber",
            "CustomerSmsMarketingConsent",
            "CustomerSmsMarketingConsentState",
            "CustomerStatistics",
            "CustomerWhatsAppMarketingConsent",
        ),
        _CUSTOMERS,
    ),
    "CustomerEmailAddress.marketingUnsubscribeUrl": ("write_customers",),
    **dict.fromkeys(
        ("CustomerJourneySummary", "CustomerVisit", "LineItem", "Refund", "RefundLineItem"),
        _ORDERS,
    ),
    "Order": (*_ORDERS, "read_quick_sale"),
    **dict.fromkeys(
        ("Collection", "Product", "ProductCompareAtPriceRange", "ProductPriceRangeV2", "ProductVariant"), _PRODUCTS
    ),
    **dict.fromkeys(("Media", "MediaImage"), _MEDIA),
    "MediaPreviewImage": ("read_files", "read_images", "read_products"),
    "QueryRoot.abandonedCheckouts": _CHECKOUTS,
    "QueryRoot.abandonedCheckoutsCount": _CHECKOUTS,
    "QueryRoot.collectionsCount": _PRODUCTS,
    "QueryRoot.customersCount": _CUSTOMERS,
    "QueryRoot.ordersCount": _ORDERS,
    "QueryRoot.productsCount": _PRODUCTS,
}

# Level 2 of protected customer data: name, address, phone, e-mail.
PERSONAL = frozenset(
    {
        "AbandonedCheckout.billingAddress",
        "AbandonedCheckout.shippingAddress",
        "Customer.addresses",
        "Customer.defaultAddress",
        "Customer.defaultEmailAddress",
        "Customer.defaultPhoneNumber",
        "Customer.displayName",
        "Customer.email",
        "Customer.firstName",
        "Customer.lastName",
        "Customer.phone",
        "Order.billingAddress",
        "Order.email",
        "Order.phone",
        "Order.shippingAddress",
    }
)
_NEVER_NULL: Mapping[str, object] = {"Customer.addresses": [], "Customer.displayName": ""}


def with_implied(scopes: Collection[str]) -> frozenset[str]:
    """Return scopes with those they include: writing includes reading."""
    return frozenset(scopes) | {
        f"read_{scope.removeprefix('write_')}" for scope in scopes if scope.startswith("write_")
    }


def denied(field: str, needed: Collection[str]) -> GraphQLError:
    """Return the error for a field that needs one of some scopes."""
    names = [f"`{scope}` access scope" for scope in needed]
    text = " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return GraphQLError(
        f"Access denied for {field} field. Required access: {text}.",
        extensions={
            "code": "ACCESS_DENIED",
            "documentation": "https://shopify.dev/api/usage/access-scopes",
            "requiredAccess": f"{text}.",
        },
    )


def redacted(name: str) -> object:
    """Return what an app that is not approved for personal data sees instead of a field."""
    return _NEVER_NULL.get(name)


def not_approved(field: str) -> GraphQLError:
    """Return the error that such an app gets at other times."""
    where = "https://shopify.dev/docs/apps/launch/protected-customer-data"
    return GraphQLError(f"This app is not approved to use the {field} field. See {where} for more details.")
