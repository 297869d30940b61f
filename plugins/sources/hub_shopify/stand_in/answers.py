"""How each field of the API is read from the shop.

Most are attributes of the record by the same name. The others are in ``FIELDS``, by type and field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from graphql import GraphQLError, GraphQLOutputType, GraphQLResolveInfo, get_named_type

from hub_shopify.stand_in import goods, mutations, people, roots, selling
from hub_shopify.stand_in.access import PERSONAL, REQUIRED, denied, not_approved, redacted
from hub_shopify.stand_in.context import Context, Field

FIELDS: Mapping[str, Field] = {
    **roots.FIELDS,
    **people.FIELDS,
    **selling.FIELDS,
    **goods.FIELDS,
    **mutations.FIELDS,
}


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one field is read, found out once."""

    name: str
    field: str
    returned: str
    attribute: str
    special: Field | None
    needed: tuple[tuple[str, ...], ...]
    is_personal: bool


def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
    """Answer one field, as graphql-core asks for it."""
    context: Context = info.context
    plan = _plan(info.parent_type.name, info.field_name, info.return_type, context)
    for scopes in plan.needed:
        if context.scopes.isdisjoint(scopes):
            raise denied(plan.field, scopes)
    if context.redaction and plan.is_personal:
        if context.redaction == "refused":
            raise not_approved(plan.field)
        return redacted(plan.name)
    if plan.special:
        value = plan.special(source, context, arguments)
    else:
        value = source[plan.field] if isinstance(source, dict) else getattr(source, plan.attribute)
    return _present(value, plan.returned, context)


def resolve_type(value: Any, _info: GraphQLResolveInfo[Any], _abstract: Any) -> str:
    """Return which type of an interface or union a value is."""
    name: str = value["typename"] if isinstance(value, Mapping) else value.typename
    return name


def _plan(parent: str, field: str, kind: GraphQLOutputType, context: Context) -> _Plan:
    known = context.schema.plans.get((parent, field))
    if known is None:
        if (parent, field) not in context.schema.known:
            raise GraphQLError(f"Shopify has the field {parent}.{field}, the stand-in has not")
        known = _make_plan(f"{parent}.{field}", field, get_named_type(kind).name)
        context.schema.plans[parent, field] = known
    found: _Plan = known
    return found


def _make_plan(name: str, field: str, returned: str) -> _Plan:
    guarded = (returned.removesuffix("Connection"), name)
    return _Plan(
        name,
        field,
        returned,
        re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", field).lower().removesuffix("_set"),
        FIELDS.get(name),
        tuple(REQUIRED[each] for each in guarded if each in REQUIRED),
        name in PERSONAL,
    )


def _present(value: Any, returned: str, context: Context) -> Any:
    """Write a value as Shopify does: times to the second, decimals and large numbers as text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Decimal):
        return _money(value, returned, context)
    return str(value) if returned == "UnsignedInt64" else value


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
