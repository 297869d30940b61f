"""What a query can begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub_shopify.stand_in.bulk import Operation
from hub_shopify.stand_in.context import Arguments, Context, Field
from hub_shopify.stand_in.paging import Page, everything
from hub_shopify.stand_in.sales import Order
from hub_shopify.stand_in.schema import VERSIONS

_OPENED = "2019-03-01T09:00:00Z"


def _listed(typename: str, path: str, sort_key: str = "ID") -> Field:
    def answer(_root: Any, context: Context, arguments: Arguments) -> Page:
        asked = {"sortKey": sort_key, **arguments}
        if context.chosen is not None:
            found = context.list_of(typename, asked, path=path)
            context.chosen.extend(reversed(found.records) if found.reverse else found.records)
        if context.window is not None:
            return everything(context.window)
        return context.page(context.list_of(typename, asked, path=path), asked)

    return answer


def _counted(typename: str, path: str) -> Field:
    def answer(_root: Any, context: Context, arguments: Arguments) -> dict[str, Any]:
        total = len(context.list_of(typename, arguments, path=path).records)
        limit, most = arguments.get("limit", 10_000), context.limits.depth
        shown = min(total, most + 1)  # one more than can be paged says that there are more: "Shopify API limits"
        if limit is not None and shown > limit:
            return {"count": limit, "precision": "AT_LEAST"}
        return {"count": shown, "precision": "EXACT" if total <= most else "AT_LEAST"}

    return answer


def find(context: Context, gid: str, typename: str | None = None) -> Any | None:
    """Return the record with an id, of a type if one is given, that the app may see."""
    record = context.bulk.look(gid) if "/BulkOperation/" in gid else context.shop.find(gid)
    if record is None or (typename is not None and record.typename != typename):
        return None
    return record if not isinstance(record, Order) or context.sees_order(record) else None


def _one(typename: str) -> Field:
    return lambda _root, context, arguments: find(context, arguments["id"], typename)


def _shop(_root: Any, context: Context, _arguments: Arguments) -> dict[str, Any]:
    about = context.shop.about
    return {
        "typename": "Shop",
        "createdAt": _OPENED,
        "currencyCode": about.currency,
        "ianaTimezone": about.timezone,
        "id": f"gid://shopify/Shop/{about.number}",
        "marketingSmsConsentEnabledAtCheckout": about.sms_consent_at_checkout,
        "myshopifyDomain": about.domain,
        "name": about.name,
        "plan": {"publicDisplayName": about.plan, "partnerDevelopment": False, "shopifyPlus": about.plus},
        "primaryDomain": {
            "id": "gid://shopify/Domain/1",
            "host": about.domain,
            "sslEnabled": True,
            "url": f"https://{about.domain}",
        },
        "taxesIncluded": True,
        "url": f"https://{about.domain}",
    }


def _installation(_root: Any, context: Context, _arguments: Arguments) -> dict[str, Any]:
    return {
        "typename": "AppInstallation",
        "id": "gid://shopify/AppInstallation/1",
        "accessScopes": [
            {"handle": scope, "description": scope.replace("_", " ").capitalize()} for scope in context.granted
        ],
    }


def _versions(_root: Any, _context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    names = {version: f"{version} (Latest)" if version == VERSIONS[-1] else version for version in VERSIONS}
    return [
        *({"handle": version, "displayName": name, "supported": True} for version, name in names.items()),
        {"handle": "unstable", "displayName": "unstable", "supported": False},
    ]


def _operations(_root: Any, context: Context, arguments: Arguments) -> Page:
    found = context.list_of(
        "BulkOperation",
        {"sortKey": "CREATED_AT", **arguments, "reverse": not arguments.get("reverse")},  # the newest first
        records=context.bulk.all(),
        path="bulkOperations",
    )
    return context.page(found, arguments)


def _current(_root: Any, context: Context, arguments: Arguments) -> Operation | None:
    of_type = [each for each in context.bulk.all() if each.type == arguments.get("type", "QUERY")]
    return context.bulk.look(of_type[-1].id) if of_type else None


FIELDS: Mapping[str, Field] = {
    "QueryRoot.abandonedCheckouts": _listed("AbandonedCheckout", "abandonedCheckouts"),
    "QueryRoot.abandonedCheckoutsCount": _counted("AbandonedCheckout", "abandonedCheckoutsCount"),
    "QueryRoot.bulkOperation": _one("BulkOperation"),
    "QueryRoot.bulkOperations": _operations,
    "QueryRoot.collection": _one("Collection"),
    "QueryRoot.collections": _listed("Collection", "collections"),
    "QueryRoot.collectionsCount": _counted("Collection", "collectionsCount"),
    "QueryRoot.currentAppInstallation": _installation,
    "QueryRoot.currentBulkOperation": _current,
    "QueryRoot.customer": _one("Customer"),
    "QueryRoot.customers": _listed("Customer", "customers"),
    "QueryRoot.customersCount": _counted("Customer", "customersCount"),
    "QueryRoot.node": lambda _root, context, arguments: find(context, arguments["id"]),
    "QueryRoot.nodes": lambda _root, context, arguments: [find(context, gid) for gid in arguments["ids"]],
    "QueryRoot.order": _one("Order"),
    "QueryRoot.orders": _listed("Order", "orders", "PROCESSED_AT"),
    "QueryRoot.ordersCount": _counted("Order", "ordersCount"),
    "QueryRoot.product": _one("Product"),
    "QueryRoot.products": _listed("Product", "products"),
    "QueryRoot.productsCount": _counted("Product", "productsCount"),
    "QueryRoot.publicApiVersions": _versions,
    "QueryRoot.shop": _shop,
}
