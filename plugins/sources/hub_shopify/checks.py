"""What ``hub check`` says of a shop: the credential, the scopes, the version, what is shown and what is not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from hub import api
from hub_shopify.admin import VERSION, Admin
from hub_shopify.operations import CONTACTS, COUNTS, INSTALLATION, SHOP
from hub_shopify.replies import WITHOUT_PERSONAL_DATA, ProtectedError
from hub_shopify.settings import ALL_ORDERS, SCOPES, TAGS, ShopConfig
from hub_shopify.tags import A_CHANGE, A_LOOK

_SAMPLE = 100
_HOW_TO_GRANT = (
    "In the Dev Dashboard (dev.shopify.com) open the app > Versions, release one with the scope, and let the shop "
    "approve it (Settings > Apps and sales channels). An app made in the shop's admin: Settings > Apps and sales "
    "channels > Develop apps > the app > Configuration."
)
_LISTS = {
    "customersCount": "customers",
    "ordersCount": "orders",
    "abandonedCheckoutsCount": "abandoned checkouts",
    "productsCount": "products",
}


def of_shop(admin: Admin, http: api.Http, config: ShopConfig, shop: api.Shop) -> Iterator[api.Finding]:
    """Yield what is right and wrong with reading a shop; nothing is changed."""
    about = admin.ask(http, SHOP)["shop"]
    yield from _of_connection(about, admin, config)
    granted = _granted(admin, http)
    yield from _of_settings(about, shop)
    if missing := [scope for scope in SCOPES if not holds(granted, scope)]:
        yield _without_scopes(missing)
        return
    yield api.Finding.ok(f"the app holds {', '.join(SCOPES)}")
    if ALL_ORDERS not in granted:
        yield api.Finding.warning(
            f"the app lacks {ALL_ORDERS}: orders begin 60 days ago. What needs older ones says so, or goes by the "
            "number of orders that Shopify counts for each customer; an export beside this source may give old orders",
            next_step=f"Request {ALL_ORDERS} under Dev Dashboard > the app > API access requests. {_HOW_TO_GRANT}",
            code="orders-begin-60-days-ago",
        )
    yield api.Finding.info(_counted(admin.ask(http, COUNTS)))
    try:
        people = admin.ask(http, CONTACTS, first=_SAMPLE)["customers"]["nodes"]
    except ProtectedError as error:
        yield _without_emails(str(error))
    else:
        yield from _of_contacts(people)


def of_tags(admin: Admin, http: api.Http, config: ShopConfig) -> Iterator[api.Finding]:
    """Yield what is right and wrong with setting tags in a shop; nothing is changed."""
    yield from _of_connection(admin.ask(http, SHOP)["shop"], admin, config)
    if not holds(_granted(admin, http), TAGS):
        yield _without_scopes([TAGS])
        return
    yield api.Finding.ok(f"the app holds {TAGS}")
    if cost := admin.cost:
        yield api.Finding.info(
            f"{cost.available:,.0f} of {cost.maximum:,.0f} points are left and {cost.restore_rate:,.0f} come back each "
            f"second, which is enough for about {cost.restore_rate / (A_LOOK + A_CHANGE):,.0f} customers"
        )


def lacks_scopes(missing: Sequence[str]) -> api.AuthError:
    """Return the error for an app without scopes."""
    text = f"the app lacks {'the scope' if len(missing) == 1 else 'the scopes'} {', '.join(missing)}"
    return api.AuthError(text, next_step=_HOW_TO_GRANT)


def holds(granted: Collection[str], scope: str) -> bool:
    """Tell whether a scope is granted; one to write includes the one to read."""
    return scope in granted or scope.replace("read_", "write_", 1) in granted


def fell_forward(answered: str) -> str:
    """Say that another version answers than the one this source was made for."""
    return (
        f"Shopify answers as version {answered}, since {VERSION} is no longer supported: fields may be missing or mean "
        "something else; a newer hub is needed"
    )


def _of_connection(about: Mapping[str, Any], admin: Admin, config: ShopConfig) -> Iterator[api.Finding]:
    kind = "client id and secret" if config.client_id is not None else "a permanent token"
    yield api.Finding.ok(f"connected to {about['name']} ({about['myshopifyDomain']}) with {kind}")
    yield from _of_version(admin.answered_as)


def _granted(admin: Admin, http: api.Http) -> set[str]:
    return {each["handle"] for each in admin.ask(http, INSTALLATION)["currentAppInstallation"]["accessScopes"]}


def _without_scopes(missing: Sequence[str]) -> api.Finding:
    error = lacks_scopes(missing)
    return api.Finding.error(str(error), next_step=error.next_step, code="missing-scopes", count=len(missing))


def _of_version(answered: str | None) -> Iterator[api.Finding]:
    if answered is None:
        yield api.Finding.info(f"asked as version {VERSION}; the answer does not say which one it is")
    elif answered != VERSION:
        yield api.Finding.warning(
            fell_forward(answered), next_step="Update hub: pipx upgrade audience-hub.", code="version-fell-forward"
        )
    else:
        yield api.Finding.ok(f"version {VERSION} answers")


def _of_settings(about: Mapping[str, Any], shop: api.Shop) -> Iterator[api.Finding]:
    currency, zone = about["currencyCode"], about["ianaTimezone"]
    if shop.currency is None:
        yield api.Finding.error(
            f"the client's file names no currency: every order and cart of the shop, which counts in {currency}, is "
            "rejected",
            next_step=f'Set currency = "{currency}" in the client\'s file.',
            code="no-currency",
        )
    elif currency != shop.currency:
        yield api.Finding.warning(
            f"the shop counts in {currency}, the client in {shop.currency}: products have no price, and customers no "
            "lifetime value; orders and carts are converted",
            next_step=f'Set currency = "{currency}" in the client\'s file, or give its rate in [currencies].',
            code="other-currency",
        )
    if zone != shop.timezone:
        yield api.Finding.info(f"the shop's clock is {zone}, the client's {shop.timezone}", code="other-timezone")


def _of_contacts(people: list[Mapping[str, Any]]) -> Iterator[api.Finding]:
    with_email = sum(each["defaultEmailAddress"] is not None for each in people)
    if not people:
        yield api.Finding.info("the shop has no customer yet")
    elif with_email:
        yield api.Finding.ok(f"{with_email} of the {len(people)} customers changed last show an e-mail")
    else:
        yield _without_emails(
            f"none of the {len(people)} customers changed last shows an e-mail: this alone reaches nobody"
        )


def _without_emails(text: str) -> api.Finding:
    return api.Finding.error(text, next_step=WITHOUT_PERSONAL_DATA, code="no-emails", lacks=("customers", "email"))


def _counted(counts: Mapping[str, Any]) -> str:
    told = []
    for name, what in _LISTS.items():
        count = counts.get(name) or {"count": 0, "precision": "EXACT"}
        told.append(f"{count['count']:,}{'' if count['precision'] == 'EXACT' else ' or more'} {what}")
    return f"the shop has {', '.join(told)}"
