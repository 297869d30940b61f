"""What ``hub check`` finds out about an ad account, reading only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub import api
from hub_meta.account import FLAGGED, Account
from hub_meta.answers import APPEAL_STEP, terms_step, usage
from hub_meta.settings import MetaConfig

_ACTIVE = 1
_MOST_AUDIENCES = 500
_ACCOUNT = "account_id,name,account_status,currency,business,tos_accepted"


def look_at(http: api.Http, config: MetaConfig) -> Iterator[api.Finding]:
    """Yield what the token may do, how the account stands, which audiences are barred, what is left of the quota."""
    yield from _permissions(http)
    reply = http.get(f"/act_{config.account}", params={"fields": _ACCOUNT})
    yield from _account(reply.json(), config)
    yield from _audiences(list(Account(http, config.account).audiences()))
    yield from _version(reply, config.version)
    used = usage(reply)
    if used is not None:
        yield api.Finding.info(f"{used:.0f} % of the hour's quota of calls is used")


def _permissions(http: api.Http) -> Iterator[api.Finding]:
    granted = {
        each.get("permission")
        for each in http.get("/me/permissions").json().get("data", ())
        if each.get("status") == "granted"
    }
    if "ads_management" in granted:
        yield api.Finding.ok("the token has ads_management")
        return
    yield api.Finding.error(
        "the token lacks ads_management",
        next_step="Business settings > System users: make a token with ads_management.",
        code="permission",
    )


def _account(told: dict[str, Any], config: MetaConfig) -> Iterator[api.Finding]:
    yield api.Finding.ok(f"ad account {told.get('account_id')}, {told.get('name')}")
    if told.get("account_status") != _ACTIVE:
        yield api.Finding.warning(
            f"the ad account is not active (status {told.get('account_status')})",
            next_step="Look at it in Ads Manager; audiences of an inactive account may be refused.",
            code="account-status",
        )
    if not told.get("business"):
        yield api.Finding.error(
            "the ad account belongs to no business, which customer file audiences need",
            next_step="Add it to a business: Business settings > Ad accounts.",
            code="no-business",
        )
    if (told.get("tos_accepted") or {}).get("custom_audience_tos"):
        yield api.Finding.ok("the terms for custom audiences are accepted")
    else:
        yield api.Finding.error(
            "the terms for custom audiences are not accepted", next_step=terms_step(config.account), code="terms"
        )


def _audiences(found: list[dict[str, Any]]) -> Iterator[api.Finding]:
    customers = [each for each in found if each.get("subtype") == "CUSTOM"]
    if len(customers) >= _MOST_AUDIENCES:
        yield api.Finding.warning(
            f"the account has {len(customers)} customer file audiences, Meta allows {_MOST_AUDIENCES}",
            next_step="Delete audiences that nothing uses before a sync needs a new one.",
            code="audience-limit",
        )
    for each in customers:
        if (each.get("operation_status") or {}).get("code") == FLAGGED:
            yield api.Finding.warning(
                f"Meta has flagged the audience {each.get('name')!r}: nobody can be added or removed",
                next_step=APPEAL_STEP,
                code="flagged-audience",
            )


def _version(reply: api.Reply, pinned: str) -> Iterator[api.Finding]:
    """Warn where Meta answers by another version: it serves the oldest living one in place of one that has ended."""
    served = reply.headers.get("facebook-api-version")
    if served and served != pinned:
        yield api.Finding.warning(
            f"version {pinned} of Meta's API has ended, {served} answers in its place",
            next_step="Update hub, or set `version` to one that Meta still serves.",
            code="version",
        )
