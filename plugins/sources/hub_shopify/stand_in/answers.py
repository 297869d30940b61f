"""How each field of the API is read from the shop.

Most are attributes of the record by the same name. The others are in ``FIELDS``, by type and field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo, get_named_type

from hub_shopify.stand_in import goods, mutations, people, roots, selling
from hub_shopify.stand_in.access import PERSONAL, check_scopes, not_approved, redacted
from hub_shopify.stand_in.context import Context, Field

FIELDS: Mapping[str, Field] = {
    **roots.FIELDS,
    **people.FIELDS,
    **selling.FIELDS,
    **goods.FIELDS,
    **mutations.FIELDS,
}


def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """Answer one field, as graphql-core asks for it."""
    context: Context = info.context
    parent, field = info.parent_type.name, info.field_name
    name = f"{parent}.{field}"
    if (parent, field) not in context.schema.known:
        raise GraphQLError(f"Shopify has the field {name}, the stand-in has not")
    returned = get_named_type(info.return_type).name
    check_scopes(field, (returned.removesuffix("Connection"), name), context.scopes)
    if context.redaction and name in PERSONAL:
        if context.redaction == "refused":
            raise not_approved(field)
        return redacted(name)
    special = FIELDS.get(name)
    value = special(source, context, arguments) if special else _attribute(source, field)
    return _present(value, returned, context)


def resolve_type(value: Any, _info: GraphQLResolveInfo[Any], _abstract: Any) -> str:
    """Return which type of an interface or union a value is."""
    name: str = value["typename"] if isinstance(value, Mapping) else value.typename
    return name


def _attribute(source: Any, field: str) -> Any:
    if isinstance(source, Mapping):
        return source[field]
    return getattr(source, _snake_case(field))


@cache
def _snake_case(name: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return snake.removesuffix("_set")


def _present(value: Any, returned: str, context: Context) -> Any:
    """Write a value as Shopify does: times to the second, decimals and large numbers as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Decimal):
        return _money(value, returned, context)
    if returned == "UnsignedInt64" and value is not None:
        return str(value)
    return value


def _money(amount: Decimal, returned: str, context: Context) -> Any:
    if returned == "MoneyBag":
        currency, rate = context.shop.presentment
        return {
            "shopMoney": {"amount": _decimal(amount), "currencyCode": context.shop.about.currency},
            "presentmentMoney": {"amount": _decimal(amount * rate), "currencyCode": currency},
        }
    if returned == "MoneyV2":
        return {"amount": _decimal(amount), "currencyCode": context.shop.about.currency}
    return f"{amount:.2f}" if returned == "Money" else _decimal(amount)


def _decimal(amount: Decimal) -> str:
    """Write an amount as Shopify does: at most two places and no zeros at the end, but one."""
    whole, _, cents = f"{amount:.2f}".partition(".")
    return f"{whole}.{cents.rstrip('0') or '0'}"
