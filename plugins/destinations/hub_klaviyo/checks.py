"""What ``hub check`` finds out about an account, reading only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub import api
from hub_klaviyo import metrics
from hub_klaviyo.account import Account
from hub_klaviyo.settings import KlaviyoConfig, KlaviyoSourceConfig

_READS = (
    ("lists:read", "/api/lists", {"page[size]": 1}),
    ("profiles:read", "/api/profiles", {"page[size]": 1, "fields[profile]": "email"}),
)
_SOURCE_READS = (
    ("profiles:read", "/api/profiles", {"page[size]": 1, "fields[profile]": "email"}),
    ("events:read", "/api/events", {"page[size]": 1, "fields[event]": "datetime"}),
)
_READ_KEY = "Make a private key with read access to events, profiles and metrics: Settings > API keys."


def look_at(http: api.Http, config: KlaviyoConfig, shop: api.Shop) -> Iterator[api.Finding]:
    """Yield what a key opens, what is left of the quota, and settings that will surprise."""
    account = http.get("/api/accounts").json()["data"][0]
    about = account["attributes"]
    yield api.Finding.ok(f"account {account['id']}, {about['contact_information']['organization_name']}")
    currency = about.get("preferred_currency")
    if shop.currency and currency and currency != shop.currency:
        yield api.Finding.info(f"the account counts in {currency}, hub sends values in {shop.currency}")
    for scope, path, params in _READS:
        try:
            reply = http.get(path, params=params)
        except api.AuthError:
            yield api.Finding.error(
                f"the API key lacks {scope}", next_step="Make a private key with full access to lists and profiles."
            )
            continue
        yield api.Finding.ok(f"{scope}{_quota(reply)}")
    yield api.Finding.info("permission to write cannot be tried without writing; the first sync shows it")
    if config.cart_segments == "list":
        yield api.Finding.warning(
            "cart segments are delivered as lists, and a list starts a flow only once per person",
            next_step='Set cart_segments = "event", and let the flow start by the metric named like the audience.',
            code="cart-lists",
        )


def _quota(reply: api.Reply) -> str:
    left, limit = reply.headers.get("ratelimit-remaining"), reply.headers.get("ratelimit-limit")
    return f", {left} of {limit.partition(',')[0]} calls left in this minute" if left and limit else ""


def look_at_source(
    http: api.Http, account: Account, config: KlaviyoSourceConfig, shop: api.Shop
) -> Iterator[api.Finding]:
    """Yield what a key opens, and which metrics the account has."""
    reply = http.get("/api/accounts", ok=(403,))
    if reply.status == 403:
        yield api.Finding.info("the API key lacks accounts:read, so that hub cannot say which account it opens")
    else:
        yield from _of_account(reply.json()["data"][0], shop)
    missing = []
    for scope, path, params in _SOURCE_READS:
        reply = http.get(path, params=params, ok=(403,))
        if reply.status == 403:
            missing.append(scope)
        else:
            yield api.Finding.ok(f"{scope}{_quota(reply)}")
    known: list[metrics.Known] = []
    try:
        known = metrics.Known.of(account.metrics())
        yield api.Finding.ok("metrics:read")
    except api.AuthError:
        missing.append("metrics:read")
    if missing:
        lacks = f"the API key lacks {', '.join(missing)}"
        yield api.Finding.error(lacks, next_step=_READ_KEY, code="missing-scopes", count=len(missing))
    if "metrics:read" not in missing:
        yield from _of_metrics(known, config)
    if "views" in config.parts and not config.views_allowed:
        yield api.Finding.info(
            "Klaviyo does not say whether visitors allowed to be tracked: where silence is no consent, views are "
            "counted and are nobody's. If the shop asks before the tracking starts, set views_allowed = true",
            code="klaviyo-views",
        )


def _of_account(account: Mapping[str, Any], shop: api.Shop) -> Iterator[api.Finding]:
    about = account["attributes"]
    yield api.Finding.ok(f"account {account['id']}, {about['contact_information']['organization_name']}")
    currency = about.get("preferred_currency")
    if shop.currency and currency and currency != shop.currency:
        yield api.Finding.info(f"the account counts in {currency}, the client in {shop.currency}")


def _of_metrics(known: list[metrics.Known], config: KlaviyoSourceConfig) -> Iterator[api.Finding]:
    """Yield which metrics of each part are there, and what to set where another one is meant."""
    for part in config.parts:
        looked_for = metrics.wanted(part, config)
        found = [each.name for each in looked_for if metrics.find(each, known)]
        if found:
            yield api.Finding.ok(f"{part}: {', '.join(found)}")
        for each in looked_for:
            if each.needed and each.name not in found:
                yield _without_metric(part, each, known)


def _without_metric(part: str, each: metrics.Wanted, known: list[metrics.Known]) -> api.Finding:
    elsewhere = sorted({one.integration for one in known if one.name == each.name})
    ours = sorted({one.name for one in known if one.integration.casefold() == each.integration.casefold()})
    if elsewhere:
        step = f'There is one of {", ".join(elsewhere)}: set integration = "{elsewhere[0]}".'
    elif ours:
        step = f"{each.integration} has {', '.join(ours)}: name the one that is meant, or take {part} out of parts."
    else:
        others = ", ".join(sorted({one.integration for one in known})) or "none"
        step = f"The account has metrics of {others}: set integration, or take {part} out of parts."
    return api.Finding.warning(
        f"there is no metric {each.name!r} of {each.integration}: nothing is read as {part}",
        next_step=step,
        code="klaviyo-metric",
    )
