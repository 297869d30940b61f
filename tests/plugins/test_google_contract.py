"""Requests to Google held against its discovery document, and the stand-in against its official client."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.ads import datamanager_v1 as official
from google.api_core import exceptions
from google.oauth2.credentials import Credentials
from google.protobuf import field_mask_pb2

from hub import api
from hub_google import bodies
from hub_google.stand_in import GoogleStandIn
from tests.google_kit import ADD, CUSTOMER, INGEST, LIST, REMOVE, UPDATE, batch, member, serving
from tests.google_spec import WrongRequest, descriptions, judge
from tests.meta_kit import sha

LISTS = f"/v1/accountTypes/GOOGLE_ADS/accounts/{CUSTOMER}/userLists"
PLACE = {"first_name": "Ann", "last_name": "Ash", "country": "DK", "postcode": "1456"}
HEADERS = {"authorization": "Bearer x", "content-type": "application/json"}


def asked(path: str, body: Any = None, method: str = "POST", query: Any = None, **headers: str) -> api.Asked:
    raw = b"" if body is None else json.dumps(body).encode()
    told = {name: value for name, value in (HEADERS | headers).items() if value}
    return api.Asked(method, path, query or {}, told, raw)


def good() -> dict[str, Any]:
    people = [member(1, "+4512345678", **PLACE), member(2, permission=None)]
    rows = [(each, bodies.identifiers(each)) for each in people]
    return bodies.ingestion(bodies.account(CUSTOMER, "1112223333"), "7", rows)


def at(body: dict[str, Any], *path: Any) -> Any:
    for each in path:
        body = body[each]
    return body


USER = ("audienceMembers", 0, "userData")
WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "a field that does not exist": lambda body: body.update(audience=1),
    "a field of another API": lambda body: at(body, *USER, "userIdentifiers", 2).update(addressInfo={}),
    "a misspelt field": lambda body: at(body, *USER).update(userIdentifer=[]),
    "a number where text is due": lambda body: at(body, "destinations", 0).update(productDestinationId=7),
    "a value that is none of the enumeration": lambda body: body.update(encoding="hex"),
    "a consent of another API": lambda body: at(body, "audienceMembers", 0, "consent").update(adUserData="GRANTED"),
    "a list where an object is due": lambda body: body.update(termsOfService=[]),
    "an object where a list is due": lambda body: body.update(destinations={}),
    "a flag that is text": lambda body: body.update(validateOnly="true"),
}


def test_the_judge_takes_what_is_right() -> None:
    descriptions()

    judge(asked(INGEST, good()))
    judge(asked(LISTS, bodies.new_list(LIST, timedelta(days=30))))
    judge(asked(LISTS, method="GET", query={"filter": bodies.named(LIST), "pageSize": "1000"}))


@pytest.mark.parametrize("fault", list(WRONG))
def test_the_judge_refuses_a_wrong_body(fault: str) -> None:
    descriptions()
    body = copy.deepcopy(good())
    WRONG[fault](body)

    with pytest.raises(WrongRequest):
        judge(asked(INGEST, body))


@pytest.mark.parametrize(
    "request_",
    [
        asked("/v1/audienceMembers:add", good()),
        asked("/v2/audienceMembers:ingest", good()),
        asked(INGEST, good(), "PUT"),
        asked(INGEST),
        asked(INGEST, good(), authorization=""),
        asked(INGEST, good(), **{"content-type": "text/plain"}),
        asked("/v1/audienceMembers:remove", good()),
        asked(LISTS, method="GET", query={"pagesize": "1"}),
        asked(LISTS, method="GET", query={"pageSize": "many"}),
        asked(LISTS, {}, method="GET"),
        asked(LISTS, {"displayName": "x", "id": "7"}),
        asked(LISTS, {"displayName": "x", "membershipDuration": "30 days"}),
        asked(LISTS, method="GET", **{"login-account": "123"}),
        asked(f"{LISTS}/7/members", method="GET"),
    ],
    ids=range(14),
)
def test_the_judge_refuses_a_wrong_request(request_: api.Asked) -> None:
    descriptions()

    with pytest.raises(WrongRequest):
        judge(request_)


def test_everything_that_hub_asks_of_google_is_described(tmp_path: Path) -> None:
    descriptions()
    with serving(tmp_path) as bench:
        destination = bench.destination(login_customer="111-222-3333", quota_project="acme")
        audience = destination.ensure_audience(LIST)
        list(destination.check())
        bench.remember.set("lists", {audience: "86400s"})
        bench.vendor.world.lists[audience].fields["membershipStatus"] = "CLOSED"
        people = [member(1, "+4512345678", **PLACE), member(2, permission=None)]
        for op in (ADD, UPDATE, REMOVE):
            sent = list(destination.push(batch(op, audience, people)))
            list(destination.poll(batch(op, audience, people, receipt=sent[0].receipt)))
        destination.ensure_audience("Another")
        destination.forget(people[0])

        methods = {(how, re.sub(r"/\d{5,}", "/{id}", path)) for how, path, _ in bench.vendor.requests}
    # Leaving `serving` judged every one of them.
    lists = "/v1/accountTypes/GOOGLE_ADS/accounts/{id}/userLists"
    assert methods == {
        ("POST", "/token"),
        ("GET", lists),
        ("POST", lists),
        ("GET", f"{lists}/{{id}}"),
        ("PATCH", f"{lists}/{{id}}"),
        ("POST", "/v1/audienceMembers:ingest"),
        ("POST", "/v1/audienceMembers:remove"),
        ("GET", "/v1/requestStatus:retrieve"),
    }


# The official client.


@pytest.fixture
def vendor() -> Iterator[GoogleStandIn]:
    made = GoogleStandIn(work_seconds=0)
    made.start()
    yield made
    made.stop()


def client(vendor: GoogleStandIn, kind: Any) -> Any:
    """Make a client of Google's over HTTP, with a token that the stand-in gave."""
    vendor.tokens["official"] = vendor.clock() + 3_600
    transport = kind.get_transport_class("rest")(credentials=Credentials(token="official"), host=vendor.base)
    return kind(transport=transport)


def destination_of(list_id: int) -> official.Destination:
    owner = official.ProductAccount(account_type=official.ProductAccount.AccountType.GOOGLE_ADS, account_id=CUSTOMER)
    return official.Destination(operating_account=owner, product_destination_id=str(list_id))


def people(*emails: str) -> list[official.AudienceMember]:
    known = [official.UserIdentifier(email_address=sha(email)) for email in emails]
    return [official.AudienceMember(user_data=official.UserData(user_identifiers=[each])) for each in known]


def test_the_official_client_makes_fills_counts_and_empties_a_list(vendor: GoogleStandIn) -> None:
    lists, ingestion = client(vendor, official.UserListServiceClient), client(vendor, official.IngestionServiceClient)
    made = lists.create_user_list(
        parent=f"accountTypes/GOOGLE_ADS/accounts/{CUSTOMER}",
        user_list=official.UserList(bodies_as_message(bodies.new_list(LIST, timedelta(days=30)))),
    )
    consent = official.Consent(ad_user_data="CONSENT_GRANTED", ad_personalization="CONSENT_GRANTED")
    emails = [f"p{number}@example.com" for number in range(150)]

    added = ingestion.ingest_audience_members(
        official.IngestAudienceMembersRequest(
            destinations=[destination_of(made.id)],
            audience_members=people(*emails),
            consent=consent,
            encoding=official.Encoding.HEX,
            terms_of_service=official.TermsOfService(customer_match_terms_of_service_status="ACCEPTED"),
        )
    )
    status = ingestion.retrieve_request_status(official.RetrieveRequestStatusRequest(request_id=added.request_id))

    [told] = status.request_status_per_destination
    assert told.request_status.name == "SUCCESS"
    assert told.audience_members_ingestion_status.user_data_ingestion_status.record_count == 150
    assert vendor.held(LIST) == {sha(email) for email in emails}
    read = lists.get_user_list(name=made.name)
    assert (read.display_name, read.size_info.search_network_members_count) == (LIST, 100)

    ingestion.remove_audience_members(
        official.RemoveAudienceMembersRequest(
            destinations=[destination_of(made.id)],
            audience_members=people(*emails[:149]),
            encoding=official.Encoding.HEX,
        )
    )
    assert vendor.held(LIST) == {sha("p149@example.com")}


def test_the_official_client_finds_changes_and_deletes_lists(vendor: GoogleStandIn) -> None:
    lists = client(vendor, official.UserListServiceClient)
    parent = f"accountTypes/GOOGLE_ADS/accounts/{CUSTOMER}"
    for number in range(60):
        about = official.UserList(bodies_as_message(bodies.new_list(f"List {number}", timedelta(days=30))))
        lists.create_user_list(parent=parent, user_list=about)

    assert len({each.display_name for each in lists.list_user_lists(parent=parent)}) == 60
    [found] = lists.list_user_lists(
        official.ListUserListsRequest(parent=parent, filter=bodies.named("List 7"), page_size=10)
    )
    found.membership_duration = timedelta(days=60)
    mask = field_mask_pb2.FieldMask(paths=["membership_duration"])
    assert lists.update_user_list(user_list=found, update_mask=mask).membership_duration == timedelta(days=60)
    lists.delete_user_list(name=found.name)
    with pytest.raises(exceptions.NotFound):
        lists.get_user_list(name=found.name)


def test_the_official_client_is_told_what_is_wrong(vendor: GoogleStandIn) -> None:
    ingestion = client(vendor, official.IngestionServiceClient)
    made = vendor.world.make_list(CUSTOMER, bodies.new_list(LIST, timedelta(days=30)), 0)
    wrong = official.AudienceMember(
        user_data=official.UserData(user_identifiers=[official.UserIdentifier(email_address="p1@example.com")])
    )

    with pytest.raises(exceptions.BadRequest) as refused:
        ingestion.remove_audience_members(
            official.RemoveAudienceMembersRequest(
                destinations=[destination_of(int(made.id))],
                audience_members=[*people("a@example.com"), wrong],
                encoding=official.Encoding.HEX,
            )
        )

    assert refused.value.reason == "INVALID_SHA256_FORMAT"
    assert "audience_members[1].user_data.user_identifiers[0].email_address" in str(refused.value.details)


def bodies_as_message(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body as Google's client names its fields."""
    return {
        "display_name": body["displayName"],
        "membership_duration": timedelta(seconds=int(body["membershipDuration"][:-1])),
        "membership_status": body["membershipStatus"],
        "ingested_user_list_info": {
            "upload_key_types": body["ingestedUserListInfo"]["uploadKeyTypes"],
            "contact_id_info": {
                "data_source_type": body["ingestedUserListInfo"]["contactIdInfo"]["dataSourceType"],
            },
        },
    }
