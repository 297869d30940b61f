"""What every connection to Klaviyo has in common: its headers, its pace, what a refusal means."""

from __future__ import annotations

from hub import api
from hub_klaviyo import bodies
from hub_klaviyo.account import errors_of, reason_of


def connect_with(connect: api.Connect, address: api.Endpoint, key: api.Secret) -> api.Http:
    """Make the client, with the revision of the API that hub was written against."""
    headers = {
        "Authorization": f"Klaviyo-API-Key {key.get_secret_value()}",
        "revision": bodies.REVISION,
        "Accept": bodies.JSON_API,
        "Content-Type": bodies.JSON_API,
    }
    return connect(base_url=str(address), headers=headers)


def rest_after(reply: api.Reply) -> float | None:
    """Return seconds until the next window where this one is used up, perhaps by another tool with the same quota."""
    headers = reply.headers
    if reply.status < 300 and headers.get("ratelimit-remaining") == "0":
        told = headers.get("ratelimit-reset", "")
        return float(told) if told.isdigit() else None
    return None


def barred(reply: api.Reply, next_step: str) -> api.HubError | None:
    """Return the error of a key that may not do this; None for any other answer."""
    if reply.status != 403:
        return None
    why = "; ".join(map(reason_of, errors_of(reply))) or "403"
    return api.AuthError(f"Klaviyo's API key may not do this ({why})", next_step=next_step)
