"""The Meta stand-in keeps the documented limits, and hub keeps within them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from hub import api
from hub_meta import bodies
from hub_meta.stand_in import ACCESS_TOKEN, MetaStandIn
from tests.meta_kit import ACCOUNT, AUDIENCE, Bench, batch, member, serving, sha, shas

HEADERS = {"Authorization": f"Bearer {ACCESS_TOKEN}", "Content-Type": "application/json"}
Answer = tuple[int, dict[str, str], Any]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Serve a stand-in that is asked wrong questions on purpose."""
    with serving(tmp_path, limits=True, judged=False, quota=50) as made:
        yield made


def ask(bench: Bench, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{bench.address}/v26.0{path}", raw, HEADERS | headers, method=method)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, json.loads(reply.read())
    except HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, json.loads(error.read())


def audience(bench: Bench) -> str:
    return bench.vendor.world.make(ACCOUNT, bodies.new_audience(AUDIENCE, "USER_PROVIDED_ONLY"), 0).id


def upload(*emails: str, **session: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"payload": {"schema": ["EMAIL"], "data": [[sha(each)] for each in emails]}}
    if session:
        told = {"session_id": 7, "batch_seq": 1, "last_batch_flag": True, "estimated_num_total": len(emails)}
        body["session"] = told | session
    return body


def code(answer: Answer) -> tuple[int, int | None]:
    error = answer[2]["error"]
    return error["code"], error.get("error_subcode")


def test_strangers_are_refused(bench: Bench) -> None:
    answer = ask(bench, "GET", f"/act_{ACCOUNT}", Authorization="Bearer wrong")

    assert (answer[0], code(answer)) == (401, (190, None))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"schema": ["EMIAL"]}, (100, None)),
        ({"schema": []}, (100, None)),
        ({"schema": ["EMAIL", "PHONE"]}, (100, None)),
        ({"data": []}, (100, None)),
        ({"data": [[sha("a")]] * 10_001}, (100, 1_870_144)),
        ({"data": ["a"]}, (100, None)),
    ],
    ids=range(6),
)
def test_a_payload_that_meta_would_refuse_is_refused_whole(
    bench: Bench, change: dict[str, Any], expected: tuple[int, int | None]
) -> None:
    target = audience(bench)
    body = upload("a@example.com")
    body["payload"] |= change

    assert code(ask(bench, "POST", f"/{target}/users", body)) == expected
    assert bench.held() == set()


def test_ten_thousand_rows_are_taken(bench: Bench) -> None:
    target = audience(bench)

    _, _, told = ask(bench, "POST", f"/{target}/users", upload(*(f"p{n}@example.com" for n in range(10_000))))

    assert (told["num_received"], len(bench.held())) == (10_000, 10_000)


@pytest.mark.parametrize("value", ["p1@example.com", sha("x").upper(), sha("")])
def test_a_value_that_is_no_proper_hash_is_counted_and_shown_and_the_rest_is_taken(bench: Bench, value: str) -> None:
    target = audience(bench)
    body = upload("a@example.com")
    body["payload"]["data"].append([value])

    status, _, told = ask(bench, "POST", f"/{target}/users", body)

    assert (status, told["num_received"], told["num_invalid_entries"]) == (200, 2, 1)
    assert told["invalid_entry_samples"] == {"EMAIL": [value]}
    assert bench.held() == {sha("a@example.com")}


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ({"batch_seq": 2}, None, (2_650, 1_870_147)),
        ({}, {"batch_seq": 2}, (2_650, 1_870_159)),
        ({"session_id": 0}, None, (100, None)),
        ({"session_id": "7"}, None, (100, None)),
        ({"session_id": 2**63}, None, (100, None)),
        ({"last_batch_flag": 1}, None, (100, None)),
    ],
)
def test_the_rules_of_sessions_are_kept(
    bench: Bench, first: dict[str, Any], then: dict[str, Any] | None, expected: tuple[int, int | None]
) -> None:
    target = audience(bench)
    answer = ask(bench, "POST", f"/{target}/users", upload("a@example.com", **{"last_batch_flag": True, **first}))
    if then is not None:
        assert answer[0] == 200
        answer = ask(bench, "POST", f"/{target}/users", upload("b@example.com", **then))

    assert code(answer) == expected


def test_a_session_takes_the_same_batch_again_and_counts_on(bench: Bench) -> None:
    target = audience(bench)

    told = [ask(bench, "POST", f"/{target}/users", upload("a@example.com", batch_seq=1))[2] for _ in range(2)]

    assert [each["num_received"] for each in told] == [1, 2]
    assert bench.held() == {sha("a@example.com")}


@pytest.mark.parametrize(("minutes", "status"), [(89, 200), (90, 400)])
def test_a_session_closes_ninety_minutes_after_it_began(bench: Bench, minutes: int, status: int) -> None:
    target = audience(bench)
    ask(bench, "POST", f"/{target}/users", upload("a@example.com", last_batch_flag=False))
    bench.clock.go(60 * minutes)

    assert ask(bench, "POST", f"/{target}/users", upload("b@example.com", batch_seq=2))[0] == status


def test_another_schema_in_a_session_is_refused(bench: Bench) -> None:
    target = audience(bench)
    ask(bench, "POST", f"/{target}/users", upload("a@example.com", last_batch_flag=False))
    body = upload("b@example.com", batch_seq=2)
    body["payload"]["schema"] = ["PHONE"]

    assert code(ask(bench, "POST", f"/{target}/users", body)) == (2_650, 1_870_148)


def test_counts_follow_when_the_upload_is_worked_off(bench: Bench) -> None:
    target = audience(bench)
    people = [f"p{n}@example.com" for n in range(250)]
    ask(bench, "POST", f"/{target}/users", upload(*people, batch_seq=1))
    seen = []
    for _ in range(2):
        told = ask(bench, "GET", f"/{target}?fields=approximate_count_lower_bound,delivery_status")[2]
        [session] = ask(bench, "GET", f"/{target}/sessions?session_id=7")[2]["data"]
        seen.append((told["approximate_count_lower_bound"], told["delivery_status"]["code"], session["stage"]))
        bench.clock.go(60)

    assert seen == [(0, 300, "processing"), (200, 200, "finished")]


def test_who_shares_an_identifier_is_one_person(bench: Bench) -> None:
    target = audience(bench)
    schema = ["EMAIL", "PHONE"]
    rows = [[sha("a"), ""], [sha("a"), sha("1")], ["", sha("1")], [sha("b"), ""]]
    ask(bench, "POST", f"/{target}/users", {"payload": {"schema": schema, "data": rows}})
    assert len(bench.vendor.world.audiences[target].people) == 2

    ask(bench, "DELETE", f"/{target}/users", {"payload": {"schema": schema, "data": [["", sha("1")]]}})
    assert bench.held() == {sha("b")}


def test_the_hour_has_its_quota_and_the_headers_tell_how_much_is_used(bench: Bench) -> None:
    answers = [ask(bench, "GET", f"/act_{ACCOUNT}") for _ in range(51)]

    used = [json.loads(each[1]["x-business-use-case-usage"])["1"][0] for each in answers]
    assert [each[0] for each in answers] == [200] * 50 + [400]
    assert (used[0]["call_count"], used[49]["call_count"]) == (2, 100)
    assert code(answers[50]) == (80_003, None)
    assert used[50]["estimated_time_to_regain_access"] == 60

    bench.clock.go(3_600)
    assert ask(bench, "GET", f"/act_{ACCOUNT}")[0] == 200


def test_every_audience_adds_forty_calls_to_the_quota(bench: Bench) -> None:
    audience(bench)

    assert [ask(bench, "GET", f"/act_{ACCOUNT}")[0] for _ in range(91)] == [200] * 90 + [400]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"/act_{ACCOUNT}?fields=nmae", None),
        ("GET", "/nothing", None),
        ("PATCH", f"/act_{ACCOUNT}", None),
        ("GET", f"/act_{ACCOUNT}/customaudiences?after=%21", None),
        ("POST", f"/act_{ACCOUNT}/customaudiences", {"subtype": "CUSTOM"}),
        ("POST", f"/act_{ACCOUNT}/customaudiences", {"name": "x", "subtype": "CUSTOM"}),
        ("POST", f"/act_{ACCOUNT}/customaudiences", b"{"),
        ("POST", "/99999/users", upload("a@example.com")),
    ],
    ids=range(8),
)
def test_what_makes_no_sense_is_refused(bench: Bench, method: str, path: str, body: Any) -> None:
    status, _, told = ask(bench, method, path, body)

    assert status == 400
    assert {"message", "type", "code", "fbtrace_id"} <= set(told["error"])


def test_no_more_than_five_hundred_audiences_are_made(bench: Bench) -> None:
    for _ in range(500):
        audience(bench)

    assert (
        ask(bench, "POST", f"/act_{ACCOUNT}/customaudiences", bodies.new_audience("x", "USER_PROVIDED_ONLY"))[0] == 400
    )


def test_a_flagged_audience_takes_and_loses_nobody(bench: Bench) -> None:
    target = audience(bench)
    ask(bench, "POST", f"/{target}/users", upload("p1@example.com"))
    bench.vendor.fault("flagged", text="Best")

    for method in ("POST", "DELETE"):
        assert code(ask(bench, method, f"/{target}/users", upload("p1@example.com"))) == (100, 1_713_230)
    assert ask(bench, "GET", f"/{target}?fields=operation_status")[2]["operation_status"]["code"] == 471
    assert bench.held() == shas(1)


def test_state_shows_audiences_hashes_and_faults(bench: Bench) -> None:
    destination = bench.destination()
    list(destination.push(batch(api.Op.ADD, destination.ensure_audience(AUDIENCE), [member(1)])))
    bench.vendor.fault("slow", seconds="2", times="0")

    state = bench.vendor.state()

    [shown] = state["audiences"]
    assert (shown["name"], shown["count"], shown["members"]) == (AUDIENCE, 1, [sha("p1@example.com")])
    assert state["faults"] == {"slow": {"seconds": "2", "times": "0", "left": 0}}
    assert json.loads(json.dumps(state)) == state


def test_every_fault_can_be_asked_for_and_healed() -> None:
    stand_in = MetaStandIn()

    for each in stand_in.faults:
        stand_in.fault(each.name)
    assert set(stand_in.state()["faults"]) == {each.name for each in stand_in.faults}
    stand_in.heal()
    assert stand_in.state()["faults"] == {}


def test_hub_slows_down_as_the_quota_is_used_up_and_is_never_refused(tmp_path: Path) -> None:
    with serving(tmp_path, limits=True, quota=100) as bench:
        destination = bench.destination()
        target = destination.ensure_audience(AUDIENCE)
        began, ends = bench.clock.seconds(), 0

        for number in range(300):
            while True:
                try:
                    list(destination.push(batch(api.Op.ADD, target, [member(number)], key=f"batch {number}")))
                    break
                except api.TransientError as error:
                    # A pause that is too long for a run ends it; the next one goes on.
                    bench.clock.go(error.retry_after or 0)
                    ends += 1

        assert [status for _, _, status in bench.vendor.requests if status != 200] == []
        assert len(bench.held()) == 300
        # 100 calls an hour and 40 for the audience: two hours are used up, and the third is begun.
        assert 2 * 3_600 <= bench.clock.seconds() - began < 3 * 3_600
        assert 0 < ends < 10
