"""What Google's answers mean: which errors pass, which end what, which rows they name, and when to look again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub import api
from hub.http.client import Reply
from hub_google import answers
from tests.google_kit import ADD, batch, member

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROCESSING = "PROCESSING_ERROR_REASON_"


def reply(status: int, *reasons: str, fields: Any = (), quota: str = "", body: Any = None) -> Reply:
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": each, "metadata": {"quota_limit": quota}}
        for each in reasons
    ]
    if fields:
        violations = [{"field": field, "reason": why, "description": "no"} for field, why in fields]
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})
    details.append({"@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": "r1"})
    error = {"code": status, "status": "CODE", "message": "It did not work.", "details": details}
    raw = body if isinstance(body, bytes) else json.dumps({"error": error} if body is None else body).encode()
    return Reply(status, {}, raw, str)


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        (400, "INVALID_ARGUMENT", api.RejectedError),
        (400, "TOO_MANY_AUDIENCE_MEMBERS", api.RejectedError),
        (400, "TERMS_AND_CONDITIONS_NOT_SIGNED", api.AuthError),
        (400, "ADVERTISER_TOS_NOT_ACCEPTED", api.AuthError),
        (400, "ADVERTISER_NOT_ALLOWLISTED_FOR_UPLOADED_DATA", api.AuthError),
        (400, "NOT_ALLOWLISTED", api.AuthError),
        (400, "OPERATING_ACCOUNT_LOGIN_ACCOUNT_MISMATCH", api.AuthError),
        (400, "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED", api.AuthError),
        (400, "INVALID_USER_LIST_ID", answers.GoneError),
        (400, "INVALID_USER_LIST_TYPE", answers.GoneError),
        (400, "INVALID_DESTINATION", answers.GoneError),
        (401, "ANYTHING", api.AuthError),
        (403, "SERVICE_DISABLED", api.AuthError),
        (404, "ANYTHING", answers.GoneError),
        (429, "RATE_LIMIT_EXCEEDED", api.TransientError),
    ],
)
def test_an_error_is_what_its_reason_says(status: int, reason: str, kind: type[api.HubError]) -> None:
    found = answers.meaning(reply(status, reason), NOON)

    assert type(found) is kind
    assert reason in str(found)
    assert "request r1" in str(found)
    assert kind is not api.AuthError or found.next_step  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [200, 204, 399, 500, 503, 504])
def test_what_the_status_says_enough_of_is_left_to_it(status: int) -> None:
    assert answers.meaning(reply(status, "INTERNAL_ERROR"), NOON) is None


@pytest.mark.parametrize("body", [b"<html>", [], {}, {"error": "odd"}, {"error": {"details": ["odd"]}}])
def test_an_error_of_another_shape_is_an_error_all_the_same(body: Any) -> None:
    assert isinstance(answers.meaning(reply(400, body=body), NOON), api.RejectedError)
    assert answers.named_rows(reply(400, body=body), 3) == {}


@pytest.mark.parametrize(
    ("quota", "now", "seconds"),
    [
        ("", NOON, 60),
        ("IngestionWritesPerMinutePerProject", NOON, 60),
        ("IngestionWritesPerDayPerProject", NOON, 20 * 3_600 + 60),
        ("writes_per_day", datetime(2026, 11, 21, 7, 59, tzinfo=UTC), 60 + 60),
        ("writes_per_day", datetime(2026, 11, 21, 8, 0, tzinfo=UTC), 24 * 3_600 + 60),
        ("writes_per_day", datetime(2026, 7, 1, 7, 0, tzinfo=UTC), 24 * 3_600 + 60),
    ],
)
def test_a_quota_is_free_again_after_a_minute_or_at_midnight_in_california(
    quota: str, now: datetime, seconds: float
) -> None:
    found = answers.meaning(reply(429, "RATE_LIMIT_EXCEEDED", quota=quota), now)

    assert isinstance(found, api.TransientError)
    assert (found.retry_after, found.sent) == (seconds, False)


@pytest.mark.parametrize(
    ("field", "place", "which"),
    [
        ("audience_members[1].user_data.user_identifiers[0].email_address", 1, {0}),
        ("audienceMembers[1].userData.userIdentifiers[2].address.postalCode", 1, {2}),
        ("audience_members[0].user_data", 0, None),
        ("audience_members[0]", 0, None),
    ],
)
def test_a_field_names_the_member_and_the_identifier(field: str, place: int, which: set[int] | None) -> None:
    [(found, (why, places))] = answers.named_rows(reply(400, fields=[(field, "INVALID_FORMAT")]), 2).items()

    assert (found, places) == (place, which)
    assert "INVALID_FORMAT" in why


def test_several_fields_of_a_member_come_together_and_a_whole_member_outweighs_them() -> None:
    row = "audience_members[0].user_data"
    some = [(f"{row}.user_identifiers[{n}].x", "A") for n in (0, 2)]

    assert answers.named_rows(reply(400, fields=some), 1)[0][1] == {0, 2}
    assert answers.named_rows(reply(400, fields=[*some, (row, "B"), some[0]]), 1)[0][1] is None


@pytest.mark.parametrize(
    "field", ["encoding", "destinations[0]", "audience_members[3].user_data", "", "x.audience_members[0]"]
)
def test_what_names_no_row_of_the_request_names_nobody(field: str) -> None:
    assert answers.named_rows(reply(400, fields=[(field, "A")]), 3) == {}


@pytest.mark.parametrize(
    ("minutes", "pause"), [(0, 30), (30, 39), (69, 50.7), (99, 59.7), (100, 60), (101, 60), (1_440, 60)]
)
def test_each_pause_is_longer_by_a_third_up_to_an_hour(minutes: float, pause: float) -> None:
    assert answers.again_in(timedelta(minutes=minutes)) == pytest.approx(60 * pause)


def told(status: str, *counts: Any) -> dict[str, Any]:
    errors = [
        {"reason": PROCESSING + reason, "recordCount": str(count), **({"recordIndices": places} if places else {})}
        for reason, count, places in counts
    ]
    each = {"requestStatus": status, **({"errorInfo": {"errorCounts": errors}} if errors else {})}
    return {"requestStatusPerDestination": [each]}


def states(answer: dict[str, Any], people: int = 3) -> str:
    sent = batch(ADD, "7", [member(number) for number in range(people)])
    found = list(answers.outcomes(answer, sent, timedelta()))
    if isinstance(found[0], api.Pending):
        return "pending"
    return "".join(each.state.value[0] for each in found if isinstance(each, api.Outcome))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (told("PROCESSING"), "pending"),
        (told("REQUEST_STATUS_UNKNOWN"), "pending"),
        (told("SOMETHING_NEW"), "pending"),
        ({}, "pending"),
        (told("SUCCESS"), "ddd"),
        (told("PARTIAL_SUCCESS", ("INVALID_FORMAT", 1, [1])), "drd"),
        (told("PARTIAL_SUCCESS", ("INVALID_FORMAT", 1, [0]), ("INTERNAL_ERROR", 1, [2])), "rdf"),
        (told("PARTIAL_SUCCESS", ("INVALID_FORMAT", 1, None)), "ddd"),
        (told("PARTIAL_SUCCESS", ("INVALID_FORMAT", 1, [99])), "ddd"),
        (told("FAILED", ("INVALID_FORMAT", 3, None)), "rrr"),
        (told("FAILED", ("INVALID_FORMAT", 2, None)), "rrr"),
        (told("FAILED", ("NO_CONSENT", 3, [0, 1, 2])), "rrr"),
        (told("FAILED", ("DESTINATION_TOO_RECENTLY_CREATED", 3, None)), "fff"),
        (told("FAILED"), "fff"),
    ],
)
def test_what_became_of_a_request(answer: dict[str, Any], expected: str) -> None:
    assert states(answer) == expected
