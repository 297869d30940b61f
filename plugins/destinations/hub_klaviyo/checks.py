"""What ``hub check`` finds out about an account, reading only."""

from __future__ import annotations

from collections.abc import Iterator

from hub import api
from hub_klaviyo.settings import KlaviyoConfig

_READS = (
    ("lists:read", "/api/lists", {"page[size]": 1}),
    ("profiles:read", "/api/profiles", {"page[size]": 1, "fields[profile]": "email"}),
)


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
