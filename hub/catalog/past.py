"""What the catalog does not know of the past, because sources overwrite it."""

from __future__ import annotations

from collections.abc import Iterable

_PROFILE = "addresses, language and gender (today's)"
_TAGS = "tags (today's)"
_REFUNDS = "refunds (an order counts with what is left of it today)"
_CANCELLED = "cancellations (an order cancelled since is not counted at any time)"
_LIFETIME = "the shop's own lifetime values (today's)"
_PRODUCTS = "products: price, stock, collections and ratings (today's)"
_CARTS = "a cart's content, value and step (as last changed)"

_PLACES = frozenset({"country", "region", "city", "postcode", "locale", "gender"})
_OVERWRITTEN: dict[str, dict[str, frozenset[str]]] = {
    "customers": {
        _PROFILE: _PLACES,
        _TAGS: frozenset({"tags"}),
        _LIFETIME: frozenset({"lifetime_orders", "lifetime_spend"}),
    },
    "people": {_PROFILE: _PLACES, _TAGS: frozenset({"tags"})},
    "orders": {
        _REFUNDS: frozenset({"net", "refunded"}),
        _CANCELLED: frozenset({"counted", "status", "cancelled_at"}),
    },
    "purchases": {_REFUNDS: frozenset({"net"}), _CANCELLED: frozenset({"person_id", "placed_at"})},
    "order_totals": {
        _REFUNDS: frozenset({"spend", "avg_order", "first_net", "least_net"}),
        _CANCELLED: frozenset({"orders", "discounted_orders", "full_price_orders", "first_order_at", "last_order_at"}),
    },
    "order_gaps": {_CANCELLED: frozenset({"median_days", "same_day"})},
    "products": {
        _PRODUCTS: frozenset({"price", "compare_at_price", "in_stock", "rating", "reviews", "collections"}),
    },
    "carts": {_CARTS: frozenset({"total", "step", "recovery_url"})},
    "cart_lines": {_CARTS: frozenset({"quantity", "unit_price", "product_id", "sku", "title", "product_type"})},
    "facts": {
        _PROFILE: _PLACES,
        _TAGS: frozenset({"tags"}),
        _REFUNDS: frozenset({"spend", "avg_order"}),
        _CANCELLED: frozenset(
            {
                "orders",
                "discounted_orders",
                "full_price_orders",
                "first_order_at",
                "last_order_at",
                "median_days_between_orders",
                "journey_stage",
            }
        ),
        _CARTS: frozenset({"cart_value", "cart_items", "cart_url", "cart_step"}),
    },
}


def overwritten(tables: Iterable[str], columns: Iterable[str] | None) -> tuple[str, ...]:
    """Say in words which of these columns of these tables have no past; None means all columns."""
    wanted = None if columns is None else frozenset(columns)
    found = {
        words: None
        for table in sorted(tables)
        for words, names in _OVERWRITTEN.get(table, {}).items()
        if wanted is None or names & wanted
    }
    return tuple(found)
