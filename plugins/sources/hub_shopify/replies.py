"""What an answer of the Admin API says beside its data: what it cost, and what went wrong.

Sources: Shopify's pages on rate limits, on response codes and on the cost of queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub import api
from hub_shopify.settings import WHO_CLICKS_WHERE

Body = Mapping[str, Any]
_SHOWN = 300
_NOT_APPROVED = "not approved"
_BUSY = {"OPERATION_IN_PROGRESS", "LIMIT_REACHED"}

WITHOUT_PERSONAL_DATA = (
    "Shopify shows personal data to custom apps of shops on a middle plan or higher. Three ways out: export customers "
    "as CSV and add the export as a source with the same `system` (joined by customer id); add Klaviyo as a source "
    "with the same `system`; read everything from CSV exports, which every plan has."
)
_STATUS = {
    402: ("the shop is frozen: its bill is not paid", "Ask the shop's owner to pay it."),
    404: (
        "there is no such shop, or it is closed",
        "Set store to the name before .myshopify.com; the shop's admin shows it under Settings > Domains.",
    ),
    423: ("the shop is locked", "Ask the shop's owner to speak with Shopify's support."),
}


class ExpiredTokenError(api.AuthError):
    """The token is not good, or not any more."""


class ProtectedError(api.AuthError):
    """The app is not approved for personal data; data may stand beside it with null in its place."""


class CostlyError(api.SourceError):
    """A query may cost more than the shop allows for one; ``asked`` and ``allowed`` are points."""

    def __init__(self, asked: float, allowed: float) -> None:
        super().__init__(f"a query of {asked:.0f} points is refused: at most {allowed:.0f} are allowed")
        self.asked = asked
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Cost:
    """What a query was reckoned to cost, and what the bucket held after it; points, and points a second."""

    requested: float
    available: float
    maximum: float
    restore_rate: float

    @classmethod
    def of(cls, body: Body) -> Cost | None:
        """Read the cost that an answer carries, if it does."""
        cost = (body.get("extensions") or {}).get("cost") or {}
        status = cost.get("throttleStatus")
        if not status or not cost.get("requestedQueryCost"):
            return None
        parts = (status["currentlyAvailable"], status["maximumAvailable"], status["restoreRate"])
        return cls(float(cost["requestedQueryCost"]), *map(float, parts))

    def wait(self, points: float) -> float:
        """Return the seconds until the bucket holds so many points, or as many as it can."""
        missing = min(points, self.maximum) - self.available
        return max(0.0, missing / self.restore_rate) if self.restore_rate else 0.0


def problem_of(reply: api.Reply, body: Body) -> api.HubError | None:
    """Return the error that an answer means, or None where its status says enough."""
    if reply.status < 300:
        errors = body.get("errors")
        return _of_errors(errors, body) if errors else _of_bulk(body)
    return _of_status(reply.status)


def _of_status(status: int) -> api.HubError | None:
    if status == 401:
        return ExpiredTokenError("Shopify refuses the token", next_step=WHO_CLICKS_WHERE)
    if status == 403:
        return api.AuthError("Shopify forbids the app what it asks for", next_step=WHO_CLICKS_WHERE)
    if status >= 500 or status in {408, 429}:
        return None
    text, step = _STATUS.get(status, (f"Shopify answers {status}", None))
    return api.SourceError(text, next_step=step)


def _of_errors(errors: Any, body: Body) -> api.HubError:
    """Judge a body with errors; with data beside them it is as bad, since something is missing from the data."""
    told = errors if isinstance(errors, list) else [errors]
    first: Body = told[0] if isinstance(told[0], dict) else {"message": told[0]}
    extensions = first.get("extensions") or {}
    code, text = extensions.get("code"), str(first.get("message", ""))[:_SHOWN]
    if code == "THROTTLED" or text == "Throttled":
        return _throttled(body)
    if code == "MAX_COST_EXCEEDED":
        return CostlyError(float(extensions.get("cost", 0)), float(extensions.get("maxCost", 1000)))
    if _NOT_APPROVED in text:
        return ProtectedError(f"Shopify denies access to protected data: {text}", next_step=WITHOUT_PERSONAL_DATA)
    if code == "ACCESS_DENIED":
        return _denied(text, extensions)
    if code in {"INTERNAL_SERVER_ERROR", "TIMEOUT"}:
        return api.TransientError(f"Shopify failed: {text}")
    return api.SourceError(f"Shopify refuses a query: {text}")


def _throttled(body: Body) -> api.HubError:
    cost = Cost.of(body)
    if cost is None:
        return api.TransientError("Shopify throttles", retry_after=1.0)
    if cost.requested > cost.maximum:
        return CostlyError(cost.requested, cost.maximum)
    return api.TransientError("Shopify throttles", retry_after=max(1.0, cost.wait(cost.requested)))


def _denied(text: str, extensions: Mapping[str, Any]) -> api.HubError:
    needed = str(extensions.get("requiredAccess") or "")[:_SHOWN]
    told = f" (needed: {needed})" if needed else ""
    step = "Add the scope to the app in the Dev Dashboard, release the version, and let the shop approve it."
    return api.AuthError(f"Shopify denies access: {text}{told}", next_step=step)


def _of_bulk(body: Body) -> api.HubError | None:
    """Judge the answer to starting a bulk operation."""
    for error in _refusals(body):
        if error.get("code") not in _BUSY:
            return api.SourceError(f"Shopify refuses a bulk operation: {str(error.get('message', ''))[:_SHOWN]}")
    return None


def is_busy(body: Body) -> bool:
    """Tell whether a bulk operation was not begun, since as many run as may."""
    return any(error.get("code") in _BUSY for error in _refusals(body))


def _refusals(body: Body) -> Sequence[Mapping[str, Any]]:
    return ((body.get("data") or {}).get("bulkOperationRunQuery") or {}).get("userErrors") or ()
