"""What Meta's answers mean: which errors pass, which end what, and how the usage headers set the pace."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub import api
from hub.http.client import Reply
from hub_meta import answers

ACCOUNT = "42"


def reply(status: int = 200, body: Any = None, **headers: Any) -> Reply:
    raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
    told = {
        name.replace("_", "-"): value if isinstance(value, str) else json.dumps(value)
        for name, value in headers.items()
    }
    return Reply(status, told, raw, str)


def error(code: int, sub: int | None = None, status: int = 400, transient: bool = False, **headers: Any) -> Reply:
    told: dict[str, Any] = {"message": "It did not work.", "code": code, "is_transient": transient, "fbtrace_id": "Ax1"}
    return reply(status, {"error": told | ({"error_subcode": sub} if sub else {})}, **headers)


def business(percent: float, minutes: int = 0, kind: str = "custom_audience") -> dict[str, Any]:
    entry = {"type": kind, "call_count": 1, "total_cputime": percent, "total_time": 0}
    return {"77": [entry | {"estimated_time_to_regain_access": minutes}]}


@pytest.mark.parametrize(
    ("code", "sub", "kind"),
    [
        (1, None, api.TransientError),
        (2, None, api.TransientError),
        (4, None, api.TransientError),
        (17, 2_446_079, api.TransientError),
        (32, None, api.TransientError),
        (341, None, api.TransientError),
        (613, 1_487_742, api.TransientError),
        (79_999, None, api.RejectedError),
        (80_000, None, api.TransientError),
        (80_003, None, api.TransientError),
        (80_014, None, api.TransientError),
        (80_015, None, api.RejectedError),
        (803, None, api.TransientError),
        (2_650, 1_870_145, api.TransientError),
        (2_650, 1_870_158, api.ConfigError),
        (102, None, api.AuthError),
        (190, 463, api.AuthError),
        (3, None, api.AuthError),
        (10, None, api.AuthError),
        (199, None, api.RejectedError),
        (200, None, api.AuthError),
        (200, 1_870_050, api.AuthError),
        (200, 1_870_090, api.AuthError),
        (294, None, api.AuthError),
        (299, None, api.AuthError),
        (300, None, api.RejectedError),
        (368, None, api.AuthError),
        (2_655, None, api.AuthError),
        (2_663, None, api.AuthError),
        (100, None, api.RejectedError),
        (100, 33, answers.GoneError),
        (100, 1_713_230, api.ConfigError),
        (105, None, api.RejectedError),
        (1_487_301, None, api.RejectedError),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_an_error_is_what_its_code_says_under_any_status(
    code: int, sub: int | None, kind: type[api.HubError], status: int
) -> None:
    found = answers.meaning(error(code, sub, status), ACCOUNT)

    assert type(found) is kind
    assert f"{code}" in str(found)
    assert "trace Ax1" in str(found)


@pytest.mark.parametrize("code", [100, 190, 7])
def test_what_meta_calls_transient_or_fails_at_itself_is_tried_again(code: int) -> None:
    assert isinstance(answers.meaning(error(code, transient=True), ACCOUNT), api.TransientError)
    assert isinstance(answers.meaning(error(code, status=500), ACCOUNT), api.TransientError)


@pytest.mark.parametrize("status", [200, 400, 502])
def test_a_page_of_html_is_a_passing_failure(status: int) -> None:
    with pytest.raises(api.TransientError, match="not JSON"):
        answers.meaning(reply(status, b"<html>Sorry</html>"), ACCOUNT)


@pytest.mark.parametrize("body", [{}, {"data": []}, {"error": "odd"}, [], True])
def test_an_answer_without_an_error_means_none(body: Any) -> None:
    assert answers.meaning(reply(200, body), ACCOUNT) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 60),
        ({"x_business_use_case_usage": business(100, minutes=7)}, 420),
        ({"x_business_use_case_usage": business(100, minutes=0)}, 60),
        ({"x_ad_account_usage": {"acc_id_util_pct": 100, "reset_time_duration": 90}}, 90),
        ({"retry_after": "17"}, 17),
    ],
)
def test_a_throttled_call_waits_as_long_as_a_header_says_else_a_minute(headers: Any, seconds: float) -> None:
    found = answers.meaning(error(80_003, **headers), ACCOUNT)

    assert isinstance(found, api.TransientError)
    assert (found.retry_after, found.sent) == (seconds, False)


def test_only_what_may_have_been_done_is_said_to_have_been_sent() -> None:
    assert answers.meaning(error(2, status=500), ACCOUNT).sent  # type: ignore[union-attr]
    assert not answers.meaning(error(80_003), ACCOUNT).sent  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("percent", "pause"), [(0, None), (74.9, None), (75, 15), (94.9, 15), (95, 300), (100, 300), (130, 300)]
)
def test_the_pace_follows_the_quota(percent: float, pause: float | None) -> None:
    assert answers.pace(reply(x_business_use_case_usage=business(percent))) == pause
    assert answers.pace(reply(x_app_usage={"call_count": percent, "total_time": 0, "total_cputime": 0})) == pause
    assert answers.pace(reply(x_ad_account_usage={"acc_id_util_pct": percent})) == pause


def test_the_fullest_quota_counts_and_a_told_time_is_kept() -> None:
    full = reply(x_business_use_case_usage=business(96, minutes=2), x_app_usage={"call_count": 10})

    assert (answers.usage(full), answers.pace(full)) == (96, 120)


@pytest.mark.parametrize(
    "header", ["", "not json", "[]", "null", '{"1": 5}', '{"1": [7]}', '{"1": [{"call_count": "x"}]}']
)
def test_a_header_that_cannot_be_read_slows_nobody_down(header: str) -> None:
    odd = reply(x_business_use_case_usage=header, x_app_usage=header, x_ad_account_usage=header)

    assert answers.pace(odd) is None


def test_steps_name_what_is_to_be_done() -> None:
    def step(code: int, sub: int | None = None) -> str:
        return str(answers.meaning(error(code, sub), ACCOUNT).next_step)  # type: ignore[union-attr]

    assert "tos/?act=42" in step(2_663)
    assert "tos/?act=42" in step(200, 1_870_090)
    assert "business" in step(200, 1_870_050).lower()
    assert "ads_management" in step(200)
    assert "new token" in step(190)
    assert "Account Quality" in step(368)
    assert "neutral name" in step(100, 1_713_230)
