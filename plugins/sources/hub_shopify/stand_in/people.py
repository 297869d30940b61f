"""How the fields of customers are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_shopify.stand_in.context import Arguments, Context, Field
from hub_shopify.stand_in.lists import amount_spent
from hub_shopify.stand_in.paging import Page
from hub_shopify.stand_in.records import Address, Consent, Customer
from hub_shopify.stand_in.sales import Order


def _email(customer: Customer, context: Context, _arguments: Arguments) -> dict[str, Any] | None:
    if customer.email is None:
        return None
    consent = customer.email_consent
    return {
        "emailAddress": customer.email,
        "marketingState": consent.state,
        "marketingOptInLevel": consent.opt_in_level,
        "marketingUpdatedAt": consent.updated_at,
        "marketingUnsubscribeUrl": f"https://{context.shop.about.domain}/account/unsubscribe/{customer.number:x}",
        "openTrackingLevel": "UNKNOWN",
        "validFormat": "@" in customer.email,
    }


def _phone(customer: Customer, _context: Context, _arguments: Arguments) -> dict[str, Any] | None:
    if customer.phone is None:
        return None
    consent = customer.sms_consent
    return {
        "phoneNumber": customer.phone,
        "marketingState": consent.state,
        "marketingOptInLevel": consent.opt_in_level,
        "marketingUpdatedAt": consent.updated_at,
        "marketingCollectedFrom": consent.collected_from,
        "smsMarketingConsent": _newer(consent),
        "whatsAppMarketingConsent": _newer(customer.whatsapp_consent),
    }


def _newer(consent: Consent) -> dict[str, Any]:
    """Say a consent in the words that 2026-07 brought."""
    return {
        "state": "NEVER_SUBSCRIBED" if consent.state == "NOT_SUBSCRIBED" else consent.state,
        "optInLevel": consent.opt_in_level,
        "updatedAt": consent.updated_at,
        "collectedFrom": consent.collected_from,
    }


def _email_consent(customer: Customer, _context: Context, _arguments: Arguments) -> dict[str, Any] | None:
    if customer.email is None:
        return None
    consent = customer.email_consent
    return {
        "marketingState": consent.state,
        "marketingOptInLevel": consent.opt_in_level,
        "consentUpdatedAt": consent.updated_at,
    }


def _sms_consent(customer: Customer, _context: Context, _arguments: Arguments) -> dict[str, Any] | None:
    if customer.phone is None:
        return None
    consent = customer.sms_consent
    return {
        "marketingState": consent.state,
        "marketingOptInLevel": consent.opt_in_level or "UNKNOWN",
        "consentUpdatedAt": consent.updated_at,
        "consentCollectedFrom": consent.collected_from,
    }


def _orders(customer: Customer, context: Context, arguments: Arguments) -> Page:
    orders = context.shop.orders_of(customer.number)
    return context.page(context.list_of("Order", arguments, orders, "orders"), arguments)


def _last_order(customer: Customer, context: Context, _arguments: Arguments) -> Order | None:
    seen = [order for order in context.shop.orders_of(customer.number) if context.sees_order(order)]
    return max(seen, key=lambda order: (order.processed_at, order.number), default=None)


def _number_of_orders(customer: Customer, context: Context, _arguments: Arguments) -> int:
    return sum(not order.test for order in context.shop.orders_of(customer.number))


def _addresses(customer: Customer, _context: Context, arguments: Arguments) -> list[Address]:
    found = [customer.default_address] if customer.default_address else []
    return found[: arguments.get("first", len(found))]


def _statistics(customer: Customer, _context: Context, _arguments: Arguments) -> dict[str, Any]:
    return {"predictedSpendTier": customer.predicted_spend_tier, "rfmGroup": customer.rfm_group}


FIELDS: Mapping[str, Field] = {
    "Customer.addresses": _addresses,
    "Customer.amountSpent": lambda customer, context, _: amount_spent(context.shop, customer),
    "Customer.defaultEmailAddress": _email,
    "Customer.defaultPhoneNumber": _phone,
    "Customer.emailMarketingConsent": _email_consent,
    "Customer.lastOrder": _last_order,
    "Customer.numberOfOrders": _number_of_orders,
    "Customer.orders": _orders,
    "Customer.smsMarketingConsent": _sms_consent,
    "Customer.statistics": _statistics,
    "Customer.validEmailAddress": lambda customer, *_: bool(customer.email and "@" in customer.email),
}
