"""How Google writes things: errors, lists, statuses, and enumerations that its own client sends as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub import api
from hub_google.stand_in.world import Json, Request, UserList

_DOMAIN = "datamanager.googleapis.com"
_NAMES: Mapping[str, Sequence[str]] = {
    "encoding": ("ENCODING_UNSPECIFIED", "HEX", "BASE64"),
    "accountType": ("ACCOUNT_TYPE_UNSPECIFIED", "GOOGLE_ADS"),
    "adUserData": ("CONSENT_STATUS_UNSPECIFIED", "CONSENT_GRANTED", "CONSENT_DENIED"),
    "adPersonalization": ("CONSENT_STATUS_UNSPECIFIED", "CONSENT_GRANTED", "CONSENT_DENIED"),
    "customerMatchTermsOfServiceStatus": ("TERMS_OF_SERVICE_STATUS_UNSPECIFIED", "ACCEPTED", "REJECTED"),
    "membershipStatus": ("MEMBERSHIP_STATUS_UNSPECIFIED", "OPEN", "CLOSED"),
    "uploadKeyTypes": ("UPLOAD_KEY_TYPE_UNSPECIFIED", "CONTACT_ID", "MOBILE_ID", "USER_ID"),
    "dataSourceType": ("DATA_SOURCE_TYPE_UNSPECIFIED", "DATA_SOURCE_TYPE_FIRST_PARTY"),
}


class Refusal(Exception):
    """An answer that says no, in the shape of google.rpc.Status."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        reason: str | None = None,
        violations: Sequence[tuple[str, str]] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        details: list[Json] = []
        if reason is not None:
            info = {"reason": reason, "domain": _DOMAIN, "metadata": dict(metadata or {})}
            details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info})
        if violations:
            fields = [{"field": field, "description": why, "reason": why} for field, why in violations]
            details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields})
        details.append({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "sandbox"})
        error = {"code": status, "status": code, "message": message, "details": details}
        self.answer = api.Answer(status, {"error": error})


def invalid(field: str, reason: str) -> Refusal:
    """Refuse a request because of one field."""
    return invalid_fields([(field, reason)])


def invalid_fields(violations: Sequence[tuple[str, str]]) -> Refusal:
    """Refuse a request because of some fields."""
    reason = violations[0][1]
    message = "There was a problem with the request."
    return Refusal(400, "INVALID_ARGUMENT", message, reason=reason, violations=violations)


def named(value: Any, key: str = "") -> Any:
    """Return a body with the names of enumerations where the official client sends numbers."""
    if isinstance(value, dict):
        return {name: named(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [named(each, key) for each in value]
    names = _NAMES.get(key)
    if names and isinstance(value, int) and not isinstance(value, bool) and value < len(names):
        return names[value]
    return value


def list_node(each: UserList) -> Json:
    """Return a list as Google shows it; sizes are rounded."""
    size = str(len(each.people) // 100 * 100)
    return {
        "name": f"accountTypes/GOOGLE_ADS/accounts/{each.account}/userLists/{each.id}",
        "id": each.id,
        "readOnly": False,
        "accessReason": "OWNED",
        "accountAccessStatus": "ENABLED",
        **each.fields,
        "sizeInfo": {
            "displayNetworkMembersCount": size,
            "searchNetworkMembersCount": size,
            "youtubeMembersCount": size,
            "gmailMembersCount": size,
        },
    }


def status_node(request: Request, *, told_places: bool) -> Json:
    """Return what became of a request, per destination; ``told_places`` says which rows failed."""
    counts = [
        {"reason": reason, "recordCount": str(len(places)), **({"recordIndices": places} if told_places else {})}
        for reason, places in request.errors.items()
    ]
    kind, inner = ("Ingestion", "userDataIngestionStatus") if request.adds else ("Removal", "userDataRemovalStatus")
    each: Json = {"requestStatus": request.status}
    if request.done:
        each[f"audienceMembers{kind}Status"] = {inner: {"recordCount": str(request.total)}}
    if counts:
        each["errorInfo"] = {"errorCounts": counts}
    return {"requestStatusPerDestination": [{"destination": where, **each} for where in request.destinations]}
