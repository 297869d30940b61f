"""What ``hub check`` finds out about an account, reading only."""

from __future__ import annotations

from collections.abc import Iterator

from hub import api
from hub_mailchimp.settings import MailchimpConfig, MailchimpSourceConfig

_WRITERS = frozenset({"owner", "admin", "manager"})
_LIST = "id,name,double_optin,stats.member_count,stats.merge_field_count"
_ACCOUNT = "account_id,account_name,role,pricing_plan_type,total_subscribers"


def look_at(
    http: api.Http, config: MailchimpConfig | MailchimpSourceConfig, *, writes: bool = True
) -> Iterator[api.Finding]:
    """Yield what a key opens, what is left of the quota, and settings that will surprise."""
    about = http.get("/", params={"fields": _ACCOUNT}).json()
    plan = str(about.get("pricing_plan_type") or "unknown").replace("_", " ")
    yield api.Finding.ok(
        f"account {about['account_id']}, {about['account_name']}: {about.get('total_subscribers', 0):,} subscribers, "
        f"plan {plan}"
    )
    role = str(about.get("role") or "unknown")
    if writes and role not in _WRITERS:
        yield api.Finding.error(
            f"the key's user is {role} and may not change contacts",
            next_step="Make the key as a user who is manager, admin or owner.",
            code="mailchimp-role",
        )
    reply = http.get(f"/lists/{config.list_id}", params={"fields": _LIST}, ok=(404,))
    if reply.status == 404:
        yield _no_list(http, config.list_id)
        return
    audience = reply.json()
    stats = audience.get("stats") or {}
    yield api.Finding.ok(f"audience {audience['name']}: {stats.get('member_count', 0):,} subscribed contacts")
    if writes:
        yield from _settings(audience)


def _settings(audience: dict[str, object]) -> Iterator[api.Finding]:
    yield api.Finding.info(
        "Mailchimp tells of no quota that is left: it allows a user ten connections at once, of which hub uses eight"
    )
    if audience.get("double_optin"):
        yield api.Finding.warning(
            "the audience asks for double opt-in: Mailchimp may send contacts that hub creates a confirmation first",
            next_step="Switch it off under Audience > Settings, if the shop's own opt-in is proof enough.",
            code="mailchimp-double-opt-in",
        )


def _no_list(http: api.Http, list_id: str) -> api.Finding:
    there = http.get("/lists", params={"count": 100, "fields": "lists.id,lists.name"}).json()["lists"]
    known = ", ".join(f"{each['id']} ({each['name']})" for each in there) or "none"
    return api.Finding.error(
        f"there is no audience {list_id} in this account; there are: {known}",
        next_step="Set list_id to one of them.",
        code="mailchimp-list",
    )
