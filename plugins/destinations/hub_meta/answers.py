"""What Meta's answers mean: errors by what happens next, and how much of the quota is used.

Meta puts errors into the body, sometimes under status 200, and its limits into headers of percent and minutes ("Error
Handling" and "Rate Limiting" in its documentation).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hub import api

BUSY = 75.0  # percent
_FULL = 95.0
SLOWER = 15.0  # seconds between calls when the quota is nearly used
_PAUSE = 300.0
_A_WHILE = 60.0
_SOON = 5.0

_THROTTLED = {4, 17, 32, 341, 613, *range(80_000, 80_015)}
_PASSING = {1, 2}
_NEW_AUDIENCE = 803
_TOKEN = {102, 190}
_NO_SUCH_OBJECT = 33
_UPLOAD_BLOCKED = 1_713_230
_REPLACING, _REPLACED_NOW = 2_650, 1_870_145
_NO_BUSINESS, _NO_TERMS = 1_870_050, 1_870_090
_TERMS = {2_655, 2_663}
_POLICY = 368
_RIGHTS = {3, 10, *range(200, 300)}

_RENEW_STEP = "Make a new token for the system user and store it."
_RIGHTS_STEP = "Give the system user the ad account with `Manage campaigns`, and its token ads_management."
_BUSINESS_STEP = "Add the ad account to a business: Business settings > Ad accounts."
_POLICY_STEP = "Look at Account Quality in Business settings; Meta holds the account."
APPEAL_STEP = "Appeal in Audiences in Ads Manager, or give the sync another audience with a neutral name."
_GONE_STEP = "Give the sync another audience; the old one is named by `hub status`."
_REPLACE_STEP = "Wait until nothing else replaces this audience."


class GoneError(api.ConfigError):
    """The audience is not there, or the token may not see it: Meta gives the same answer."""


def meaning(reply: api.Reply, account: str) -> api.HubError | None:
    """Return the error a reply means; None where it means none, or where its status says enough.

    Raises:
        TransientError: the body is not JSON, which is how Meta's front door looks when something behind it is broken.
    """
    body = reply.json()
    told = body.get("error") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return None
    code, sub = _number(told.get("code")), _number(told.get("error_subcode"))
    text = _words(told, code, sub)
    if code in _THROTTLED or reply.status == 429:
        return api.TransientError(text, retry_after=_regained(reply) or _told(reply) or _A_WHILE)
    if code == _REPLACING and sub == _REPLACED_NOW:
        return api.TransientError(text, retry_after=_A_WHILE)
    if code == _NEW_AUDIENCE:
        return api.TransientError(text, retry_after=_SOON)
    if code in _PASSING or told.get("is_transient") or reply.status >= 500:
        return api.TransientError(text, sent=True)
    return _lasting(text, code, sub, account)


def usage(reply: api.Reply) -> float | None:
    """Return how much of a quota is used, in percent; None where no header says so."""
    return max((used for used, _ in _used(reply)), default=None)


def pace(reply: api.Reply) -> float | None:
    """Return seconds to wait before the next call: slower from 75 % of the quota on, a pause from 95 %."""
    used = usage(reply)
    if used is None or used < BUSY:
        return None
    return SLOWER if used < _FULL else (_regained(reply) or _PAUSE)


def terms_step(account: str) -> str:
    """Say where the terms for custom audiences are accepted."""
    return (
        "Accept the terms as the token's user: "
        f"https://business.facebook.com/ads/manage/customaudiences/tos/?act={account}"
    )


def _lasting(text: str, code: int, sub: int, account: str) -> api.HubError:
    step = _step_of_rights(code, sub, account)
    if step is not None:
        return api.AuthError(text, next_step=step)
    if sub == _NO_SUCH_OBJECT:
        return GoneError(text, next_step=_GONE_STEP)
    if sub == _UPLOAD_BLOCKED:
        return api.ConfigError(text, next_step=APPEAL_STEP)
    if code == _REPLACING:
        return api.ConfigError(text, next_step=_REPLACE_STEP)
    return api.RejectedError(text)


def _step_of_rights(code: int, sub: int, account: str) -> str | None:
    """Return what to do about a token, a permission, the terms or a policy; None where it is none of these."""
    if code in _TERMS or sub == _NO_TERMS:
        return terms_step(account)
    if sub == _NO_BUSINESS:
        return _BUSINESS_STEP
    if code in _TOKEN:
        return _RENEW_STEP
    if code == _POLICY:
        return _POLICY_STEP
    return _RIGHTS_STEP if code in _RIGHTS else None


def _words(told: dict[str, Any], code: int, sub: int) -> str:
    """Say what an error is and where Meta finds it; its own words name no person, since all that is sent is hashed.

    About a token they may name the token.
    """
    said = str(told.get("error_user_title") or told.get("message") or "refused").rstrip(".")
    if code in _TOKEN:
        said = "the access token is refused"
    number = f"{code}/{sub}" if sub else str(code)
    trace = told.get("fbtrace_id")
    return f"Meta: {said} ({number}{f', trace {trace}' if trace else ''})"


def _used(reply: api.Reply) -> Iterator[tuple[float, float]]:
    """Yield (percent used, seconds until it is free again) of every quota that the headers tell of."""
    for each in _entries(_header(reply, "x-business-use-case-usage")):
        yield _percent(each), 60 * _float(each.get("estimated_time_to_regain_access"))
    app, account = _header(reply, "x-app-usage"), _header(reply, "x-ad-account-usage")
    if isinstance(app, dict):
        yield _percent(app), 0.0
    if isinstance(account, dict):
        used = _float(account.get("acc_id_util_pct"))
        yield used, _float(account.get("reset_time_duration")) if used >= _FULL else 0.0


def _regained(reply: api.Reply) -> float | None:
    return max((seconds for _, seconds in _used(reply)), default=0.0) or None


def _told(reply: api.Reply) -> float | None:
    return _float(reply.headers.get("retry-after")) or None


def _entries(told: Any) -> Iterator[dict[str, Any]]:
    for each in told.values() if isinstance(told, dict) else ():
        yield from (entry for entry in each if isinstance(entry, dict)) if isinstance(each, list) else ()


def _header(reply: api.Reply, name: str) -> Any:
    try:
        return json.loads(reply.headers.get(name) or "null")
    except ValueError:
        return None


def _percent(told: dict[str, Any]) -> float:
    return max(_float(told.get(name)) for name in ("call_count", "total_cputime", "total_time"))


def _float(value: Any) -> float:
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return 0.0


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else 0
