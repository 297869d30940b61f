"""What Google's answers mean: errors by what happens next, and what became of a request.

Sources: the API's error model (google.rpc.Status with ErrorInfo and BadRequest), its ErrorReason and
ProcessingErrorReason enumerations, "Quotas" and "Diagnostics" in the Data Manager API's guides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hub import api

_A_MINUTE = 60.0
_FIRST_LOOK, _LONGEST_LOOK, _GROWTH = 1_800.0, 3_600.0, 0.3
_PACIFIC = ZoneInfo("America/Los_Angeles")  # where the day of a quota ends
_ROW = re.compile(r"audience_?members\[(\d+)\](?:\.user_?data\.user_?identifiers\[(\d+)\])?", re.IGNORECASE)

_SET_UP = {
    "TERMS_AND_CONDITIONS_NOT_SIGNED": "Accept the Customer Match terms: Google Ads > Tools > Audience manager.",
    "ADVERTISER_TOS_NOT_ACCEPTED": "Accept the Customer Match terms: Google Ads > Tools > Audience manager.",
    "ADVERTISER_NOT_ALLOWLISTED_FOR_UPLOADED_DATA": "The account may not use Customer Match yet; ask Google Ads.",
    "NOT_ALLOWLISTED": "The account may not use Customer Match yet; ask Google Ads.",
    "OPERATING_ACCOUNT_LOGIN_ACCOUNT_MISMATCH": "Set `login_customer` to the manager the credentials belong to.",
    "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED": "Say in Google Ads whether the account has EU political ads.",
}
_NO_LIST = {"INVALID_USER_LIST_ID", "INVALID_USER_LIST_TYPE", "INVALID_DESTINATION"}
_RIGHTS = {
    401: "Renew the secret `credentials`.",
    403: "Enable the Data Manager API in the Cloud project, add the credentials' e-mail as a user of the Google Ads "
    "account or its manager, and set `login_customer` where access runs through a manager.",
}
_PASSING = {"PROCESSING_ERROR_REASON_INTERNAL_ERROR", "PROCESSING_ERROR_REASON_DESTINATION_TOO_RECENTLY_CREATED"}
NAME_TAKEN = "DISPLAY_NAME_ALREADY_USED"

Json = Mapping[str, Any]


class GoneError(api.ConfigError):
    """The list is not there, is not of this account, or takes nobody."""


def meaning(reply: api.Reply, now: datetime) -> api.HubError | None:
    """Return the error a reply means; None where its status says enough."""
    if not 400 <= reply.status < 500:
        return None
    told = _error(reply)
    why = set(_reasons(told))
    text = _words(reply.status, told)
    if reply.status == 429:
        return api.TransientError(text, retry_after=_until(told, now))
    step = next((_SET_UP[each] for each in sorted(why) if each in _SET_UP), _RIGHTS.get(reply.status))
    if step is not None:
        return api.AuthError(text, next_step=step)
    if why & _NO_LIST or reply.status == 404:
        return GoneError(text, next_step="Give the sync another audience; the old one is named by `hub status`.")
    return api.RejectedError(text)


def reasons(reply: api.Reply) -> set[str]:
    """Return the reasons that an error gives."""
    return set(_reasons(_error(reply)))


def named_rows(reply: api.Reply, rows: int) -> dict[int, tuple[str, set[int] | None]]:
    """Return, by position, why members are refused, and which of their identifiers (None: the whole member)."""
    named: dict[int, tuple[str, set[int] | None]] = {}
    for violation in _violations(_error(reply)):
        found = _ROW.match(str(violation.get("field") or ""))
        if found is None or int(found[1]) >= rows:
            continue
        place, why = int(found[1]), _reason_words(violation)
        known = named.get(place, (why, set()))[1]
        if found[2] is None or known is None:
            named[place] = (why, None)
        else:
            named[place] = (why, known | {int(found[2])})
    return named


def outcomes(told: Json, batch: api.Batch, elapsed: timedelta) -> Iterator[api.Outcome | api.Pending]:
    """Yield what became of a request's members, or that it is still being worked on.

    Google counts errors by their reason, and names the rows by position where it says which. Where it does not and not
    everybody is meant, nobody knows who it was: they count as delivered.
    """
    each: Json = next(iter(told.get("requestStatusPerDestination") or ()), {})
    status = each.get("requestStatus")
    if status not in {"SUCCESS", "PARTIAL_SUCCESS", "FAILED"}:
        yield api.Pending(again_in(elapsed))
        return
    counts = (each.get("errorInfo") or {}).get("errorCounts") or ()
    everybody, some = _blamed(counts, len(batch))
    if status == "FAILED" and everybody is None and not some:
        everybody = str(counts[0].get("reason")) if counts else "PROCESSING_ERROR_REASON_INTERNAL_ERROR"
    for place, member in enumerate(batch):
        yield _outcome(member, some.get(place, everybody))


def again_in(elapsed: timedelta) -> float:
    """Return seconds until the next look: after 30 minutes, then each pause longer by 1.3, an hour at most."""
    return min(_LONGEST_LOOK, _FIRST_LOOK + _GROWTH * max(0.0, elapsed.total_seconds()))


def _blamed(counts: Any, members: int) -> tuple[str | None, dict[int, str]]:
    """Return the reason that meets everybody, if one does, and those of single members by position."""
    everybody: str | None = None
    some: dict[int, str] = {}
    for each in counts:
        reason, places = str(each.get("reason")), each.get("recordIndices") or ()
        if places:
            some |= {int(place): reason for place in places}
        elif int(each.get("recordCount") or 0) >= members:
            everybody = reason
    return everybody, some


def _outcome(member: api.Member, reason: str | None) -> api.Outcome:
    if reason is None:
        return member.delivered()
    why = f"Google: {reason.removeprefix('PROCESSING_ERROR_REASON_')}"
    return member.failed(why) if reason in _PASSING else member.rejected(why)


def _until(told: Json, now: datetime) -> float:
    """Return seconds until a quota is free again: a minute, or until the day ends where the day's is used up."""
    if not any("day" in limit.lower() for limit in _quotas(told)):
        return _A_MINUTE
    local = now.astimezone(_PACIFIC)
    midnight = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - local).total_seconds() + _A_MINUTE


def _error(reply: api.Reply) -> Json:
    try:
        body = reply.json()
    except api.TransientError:
        return {}
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {}


def _details(told: Json, kind: str) -> Iterator[Json]:
    for detail in told.get("details") or ():
        if isinstance(detail, dict) and str(detail.get("@type") or "").endswith(kind):
            yield detail


def _violations(told: Json) -> Iterator[Json]:
    for detail in _details(told, "BadRequest"):
        yield from (each for each in detail.get("fieldViolations") or () if isinstance(each, dict))


def _reasons(told: Json) -> Iterator[str]:
    for each in (*_details(told, "ErrorInfo"), *_violations(told)):
        if each.get("reason"):
            yield str(each["reason"])


def _quotas(told: Json) -> Iterator[str]:
    for detail in _details(told, "ErrorInfo"):
        yield str((detail.get("metadata") or {}).get("quota_limit") or "")


def _words(status: int, told: Json) -> str:
    """Say what an error is; Google's own words name fields and no person, since all that is sent is hashed."""
    said = str(told.get("message") or "refused").rstrip(".")
    code = told.get("status") or status
    why = ", ".join(dict.fromkeys(_reasons(told)))
    request = next((str(each.get("requestId")) for each in _details(told, "RequestInfo")), None)
    told_more = "".join(f", {each}" for each in (why, f"request {request}" if request else "") if each)
    return f"Google: {said} ({code}{told_more})"


def _reason_words(violation: Json) -> str:
    field = str(violation.get("field") or "").rpartition(".")[2]
    return f"Google: {violation.get('reason') or 'refused'}: {field}"
