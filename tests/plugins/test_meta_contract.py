"""Requests to Meta held against its official description, and the stand-in against its official client."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from facebook_business.adobjects.adaccount import AdAccount
from facebook_business.adobjects.customaudience import CustomAudience
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from hub import api
from hub_meta import bodies
from hub_meta.stand_in import ACCESS_TOKEN, APP_SECRET, MetaStandIn
from tests.meta_kit import ACCOUNT, AUDIENCE, batch, member, serving, sha
from tests.meta_spec import WrongRequest, descriptions, judge

USERS = "/v26.0/23850/users"
ABOUT = {"first_name": "Ann", "city": "Aarhus", "country": "DK"}


def asked(path: str, body: Any = None, method: str = "POST", kind: str = "application/json", **query: str) -> api.Asked:
    raw = b"" if body is None else json.dumps(body).encode()
    return api.Asked(method, path, query, {"content-type": kind}, raw)


def good() -> dict[str, Any]:
    people = [member(1, "+4520000001", **ABOUT)]
    known = [identifiers for _, identifiers in bodies.rows(people)]
    session = bodies.session(7, 1, last=True, total=1)
    return {"session": session, "payload": bodies.payload(bodies.schema(people), known)}


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a parameter that does not exist": lambda body: body.update(payloads={}),
    "a misspelt key": lambda body: body["payload"]["schema"].__setitem__(0, "EMIAL"),
    "a key of another spelling": lambda body: body["payload"]["schema"].__setitem__(0, "email"),
    "a key twice": lambda body: body["payload"]["schema"].__setitem__(0, "PHONE"),
    "a row with a value too few": lambda body: body["payload"]["data"][0].pop(),
    "a readable address": lambda body: body["payload"]["data"][0].__setitem__(0, "p1@example.com"),
    "no rows": lambda body: body["payload"].update(data=[]),
    "too many rows": lambda body: body["payload"].update(data=body["payload"]["data"] * 10_001),
    "more in the payload": lambda body: body["payload"].update(is_raw=True),
    "a session without a part": lambda body: body["session"].pop("batch_seq"),
    "a session whose number is text": lambda body: body["session"].update(session_id="7"),
    "a session that is not positive": lambda body: body["session"].update(session_id=0),
    "a flag that is a number": lambda body: body["session"].update(last_batch_flag=1),
}


def test_the_judge_takes_what_is_right() -> None:
    descriptions()

    judge(asked(USERS, good()))
    judge(asked(USERS, good(), "DELETE"))


@pytest.mark.parametrize("fault", list(WRONG))
def test_the_judge_refuses_a_wrong_body(fault: str) -> None:
    descriptions()
    body = copy.deepcopy(good())
    WRONG[fault](body)

    with pytest.raises(WrongRequest):
        judge(asked(USERS, body))


@pytest.mark.parametrize(
    "request_",
    [
        asked("/23850/users", good()),
        asked("/v26.0/23850/user", good()),
        asked("/v26.0/act_1/users", good()),
        asked(USERS, good(), "PUT"),
        asked(USERS, good(), kind="text/plain"),
        asked("/v26.0/act_1/customaudiences", bodies.new_audience("x", "FROM_A_FRIEND")),
        asked("/v26.0/act_1/customaudiences", {"name": 7}),
        asked("/v26.0/act_1/customaudiences", {"title": "x"}),
        asked("/v26.0/act_1/customaudiences", method="GET", fields="id,nmae"),
        asked("/v26.0/act_1/customaudiences", method="GET", offset="1"),
        asked("/v26.0/act_1", method="GET", fields="tos"),
        asked("/v26.0/23850/usersreplace", {"payload": good()["payload"]}),
        asked("/v26.0/me/permissions", method="GET", status="granted"),
        asked("/v26.0/me/adaccounts", method="GET"),
    ],
    ids=lambda each: f"{each.method} {each.path} {each.query}"[:60],
)
def test_the_judge_refuses_a_wrong_request(request_: api.Asked) -> None:
    descriptions()

    with pytest.raises(WrongRequest):
        judge(request_)


def test_everything_that_hub_asks_of_meta_is_described(tmp_path: Path) -> None:
    descriptions()
    with serving(tmp_path) as bench:
        destination = bench.destination(app_secret=APP_SECRET)
        list(destination.check())
        audience = destination.ensure_audience(AUDIENCE)
        people = [member(1, **ABOUT), member(2, **dict.fromkeys(ABOUT))]
        for op in (api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE):
            list(destination.push(batch(op, audience, people)))
        destination.forget(people[0])

        asked_for = {(method, re.sub(r"\d{5,}", "{id}", path)) for method, path, _ in bench.vendor.requests}
    # Leaving `serving` judged every one of them.
    assert asked_for == {
        ("GET", "/v26.0/me/permissions"),
        ("GET", "/v26.0/act_{id}"),
        ("GET", "/v26.0/act_{id}/customaudiences"),
        ("POST", "/v26.0/act_{id}/customaudiences"),
        ("POST", "/v26.0/{id}/users"),
        ("DELETE", "/v26.0/{id}/users"),
        ("DELETE", "/v26.0/act_{id}/usersofanyaudience"),
    }


# The official client.


@pytest.fixture
def official() -> Iterator[tuple[MetaStandIn, FacebookAdsApi]]:
    stand_in = MetaStandIn(work_seconds=0)
    session = FacebookSession(access_token=ACCESS_TOKEN, app_secret=APP_SECRET)
    session.GRAPH = stand_in.start()
    yield stand_in, FacebookAdsApi(session, api_version="v26.0")
    session.requests.close()
    stand_in.stop()


def make(client: FacebookAdsApi, name: str = AUDIENCE) -> CustomAudience:
    about = bodies.new_audience(name, "USER_PROVIDED_ONLY")
    return AdAccount(f"act_{ACCOUNT}", api=client).create_custom_audience(fields=[], params=about)


def test_the_official_client_makes_fills_counts_and_empties_an_audience(
    official: tuple[MetaStandIn, FacebookAdsApi],
) -> None:
    stand_in, client = official
    audience = make(client)
    emails = [f"p{number}@example.com" for number in range(150)]

    added = audience.add_users(CustomAudience.Schema.email_hash, emails).json()
    assert (added["num_received"], added["num_invalid_entries"]) == (150, 0)
    assert stand_in.held(AUDIENCE) == {sha(email) for email in emails}
    known = CustomAudience(audience["id"], api=client).api_get(
        fields=["name", "approximate_count_lower_bound", "delivery_status"]
    )
    assert (known["name"], known["approximate_count_lower_bound"]) == (AUDIENCE, 100)
    assert known["delivery_status"]["code"] == 200

    audience.remove_users(CustomAudience.Schema.email_hash, emails[:100])
    assert stand_in.held(AUDIENCE) == {sha(email) for email in emails[100:]}
    assert audience.api_get(fields=["approximate_count_lower_bound"])["approximate_count_lower_bound"] == 0


def test_the_official_client_sends_several_keys_and_reads_its_session(
    official: tuple[MetaStandIn, FacebookAdsApi],
) -> None:
    stand_in, client = official
    audience = make(client)
    keys = CustomAudience.Schema.MultiKeySchema
    session = bodies.session(77, 1, last=True, total=2)

    audience.add_users(
        [keys.email, keys.phone, keys.fn],
        [["mary@example.com", "+1 555 987 6543", "Mary"], ["ann@example.com", "+45 20 00 00 01", "Ann"]],
        is_raw=True,
        session=session,
    )

    [held] = stand_in.world.audiences.values()
    mary = {"EMAIL": sha("mary@example.com"), "PHONE": sha("15559876543"), "FN": sha("mary")}
    assert mary in held.people.values()
    [told] = audience.get_sessions(params={"session_id": 77})
    assert (told["stage"], told["num_received"], told["num_matched"]) == ("finished", "2", "2")


def test_what_the_official_client_hashes_is_what_hub_hashes(official: tuple[MetaStandIn, FacebookAdsApi]) -> None:
    stand_in, client = official
    audience = make(client)
    [(_, ours)] = bodies.rows([member(1, "+4520000001", first_name="Ann", last_name="Ash", country="DK", gender="F")])
    keys = CustomAudience.Schema.MultiKeySchema

    audience.add_users(
        [keys.email, keys.phone, keys.fn, keys.ln, keys.country, keys.gen],
        [["p1@example.com", "+45 2000 0001", "Ann", "Ash", "DK", "F"]],
        is_raw=True,
    )

    [held] = stand_in.world.audiences.values()
    [theirs] = held.people.values()
    assert theirs == {key: ours[key.lower()] for key in ("FN", "LN", "COUNTRY", "GEN")} | {
        "EMAIL": ours["email"],
        "PHONE": ours["phone"],
    }


def test_the_official_client_lists_all_pages_and_is_told_what_went_wrong(
    official: tuple[MetaStandIn, FacebookAdsApi],
) -> None:
    stand_in, client = official
    for number in range(60):
        make(client, f"Audience {number}")

    listed = AdAccount(f"act_{ACCOUNT}", api=client).get_custom_audiences(fields=["name"])
    assert len({each["name"] for each in listed}) == 60

    stand_in.fault("expired-token")
    with pytest.raises(FacebookRequestError) as refused:
        make(client)
    assert (refused.value.api_error_code(), refused.value.api_error_subcode()) == (190, 463)
