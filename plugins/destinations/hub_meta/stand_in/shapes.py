"""How Meta writes things: nodes, pages, errors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hub import api
from hub_meta.stand_in.world import Audience, Json

_SMALL = 100
_DEFAULT_PAGE, _LARGEST_PAGE = 25, 500


class Refusal(Exception):
    """An answer that says no, in the shape of the Graph API's errors."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        sub: int | None = None,
        title: str | None = None,
        status: int = 400,
        kind: str = "OAuthException",
        transient: bool = False,
    ) -> None:
        super().__init__(message)
        error: Json = {"message": message, "type": kind, "code": code, "is_transient": transient}
        if sub is not None:
            error["error_subcode"] = sub
        if title is not None:
            error |= {"error_user_title": title, "error_user_msg": f"{title}: see the help centre."}
        error["fbtrace_id"] = "Asandbox"
        self.answer = api.Answer(status, {"error": error})


def account_node(number: str, fields: str | None, *, accepted: bool) -> Json:
    """Return the fields of an ad account that are asked for."""
    node = {
        "id": f"act_{number}",
        "account_id": number,
        "name": "hub sandbox",
        "account_status": 1,
        "currency": "DKK",
        "business": {"id": "1", "name": "hub sandbox"},
        "tos_accepted": {"custom_audience_tos": 1} if accepted else {},
        "timezone_name": "Europe/Copenhagen",
    }
    return _chosen(node, fields)


def audience_node(audience: Audience, fields: str | None, now: float) -> Json:
    """Return the fields of an audience that are asked for; counts are rounded and follow when uploads are done."""
    working = any(now < upload.due for upload in audience.uploads.values())
    people = 0 if working else len(audience.people)
    ready = people >= _SMALL
    node = {
        "id": audience.id,
        "account_id": audience.account,
        "name": audience.name,
        "description": audience.about.get("description", ""),
        "subtype": audience.about.get("subtype", "CUSTOM"),
        "customer_file_source": audience.about.get("customer_file_source"),
        "approximate_count_lower_bound": people // _SMALL * _SMALL,
        "approximate_count_upper_bound": people // _SMALL * _SMALL + _SMALL,
        "time_created": int(audience.created),
        "time_updated": int(audience.updated),
        "time_content_updated": int(audience.updated),
        "delivery_status": _status(200, "This audience is ready for use.")
        if ready
        else _status(300, "This audience is too small."),
        "operation_status": _status(471, "Flagged.") if audience.flagged else _status(200, "Normal"),
        "fields_violating_integrity_policy": ["name"] if audience.flagged else [],
    }
    return _chosen(node, fields)


def page(nodes: list[Json], params: Mapping[str, Any], url: str) -> Json:
    """Return one page of nodes, with the cursor of the next where there is one."""
    size = min(int(params.get("limit") or _DEFAULT_PAGE), _LARGEST_PAGE)
    start = _place(params.get("after"))
    shown = nodes[start : start + size]
    if not shown:
        return {"data": []}
    paging: Json = {"cursors": {"before": _cursor(start), "after": _cursor(start + len(shown))}}
    if start + size < len(nodes):
        query = {"limit": size, "after": _cursor(start + size), "fields": params.get("fields") or ""}
        paging["next"] = f"{url}?{urlencode(query)}"
    return {"data": shown, "paging": paging}


def _chosen(node: Json, fields: str | None) -> Json:
    """Return the fields asked for; an id is always told, and a field that nobody knows is refused."""
    wanted = [each for each in (fields or "").split(",") if each]
    unknown = [each for each in wanted if each not in node]
    if unknown:
        raise Refusal(100, f"(#100) Tried accessing nonexisting field ({unknown[0]}) on node type (CustomAudience)")
    return {name: node[name] for name in ("id", *wanted)}


def _status(code: int, description: str) -> Json:
    return {"code": code, "description": description}


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"next:{place}".encode()).decode()


def _place(cursor: Any) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.urlsafe_b64decode(str(cursor)).decode().removeprefix("next:"))
    except (binascii.Error, ValueError):
        raise Refusal(100, "(#100) Invalid cursor") from None
