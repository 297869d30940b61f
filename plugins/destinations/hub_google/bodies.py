"""What requests say: pure functions from members to the bodies of Google's Data Manager API (v1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from hub import api

MEMBERS_A_CALL = 10_000
DESTINATIONS_A_CALL = 10
ATTRIBUTES = ("first_name", "last_name", "country", "postcode")
_PRODUCT = "GOOGLE_ADS"
_GRANTED = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}
_BOTH_RECORDED = "ADS_FLAGS"
_PLACE = (
    ("given_name", "givenName"),
    ("family_name", "familyName"),
    ("region_code", "regionCode"),
    ("postal_code", "postalCode"),
)

Json = dict[str, Any]


def identifiers(member: api.Member) -> list[Json]:
    """Return what Google matches a member by; nothing where neither e-mail nor phone can be used.

    An address alone is not sent: hub could not take such a member out again, since it keeps no addresses.
    """
    known = api.google_identifiers(member)
    found: list[Json] = []
    if known["email"]:
        found.append({"emailAddress": known["email"]})
    if known["phone"]:
        found.append({"phoneNumber": known["phone"]})
    if found and known["postal_code"]:
        found.append({"address": {theirs: known[ours] for ours, theirs in _PLACE}})
    return found


def has_consent(member: api.Member) -> bool:
    """Tell whether both consents that Google asks for are recorded.

    Who is cleared by something else, an opt-in to ads at large or the law of a country that asks for none, did not say
    these two things; whether Google needs them is for Google to judge.
    """
    return member.permission is not None and member.permission.ground == _BOTH_RECORDED


def ingestion(
    account: Json, list_id: str, rows: Sequence[tuple[api.Member, list[Json]]], *, only_validate: bool = False
) -> Json:
    """Return the body that adds people to a list.

    Consent is said once for a request in which everybody gave it, else of each person who did: Google drops whoever
    needs consent and has none.
    """
    everybody = all(has_consent(member) for member, _ in rows)
    people = [_person(found, consent=not everybody and has_consent(member)) for member, found in rows]
    body: Json = {
        "destinations": [{**account, "productDestinationId": list_id}],
        "audienceMembers": people,
        "encoding": "HEX",
        "termsOfService": {"customerMatchTermsOfServiceStatus": "ACCEPTED"},
    }
    if everybody:
        body["consent"] = dict(_GRANTED)
    if only_validate:
        body["validateOnly"] = True
    return body


def removal(account: Json, list_ids: Sequence[str], people: Iterable[list[Json]]) -> Json:
    """Return the body that takes people out of up to ten lists."""
    rows = [_person(found, consent=False) for found in people]
    if len(list_ids) == 1:
        destinations = [{**account, "productDestinationId": list_ids[0]}]
    else:
        destinations = [{**account, "productDestinationId": each, "reference": each} for each in list_ids]
        rows = [{**row, "destinationReferences": list(list_ids)} for row in rows]
    return {"destinations": destinations, "audienceMembers": rows, "encoding": "HEX"}


def account(customer: str, login_customer: str | None) -> Json:
    """Return who owns the lists, and through whom they are reached."""
    told: Json = {"operatingAccount": {"accountType": _PRODUCT, "accountId": customer}}
    if login_customer is not None:
        told["loginAccount"] = {"accountType": _PRODUCT, "accountId": login_customer}
    return told


def resource(customer: str) -> str:
    """Return an account's resource name."""
    return f"accountTypes/{_PRODUCT}/accounts/{customer}"


def new_list(name: str, membership: timedelta) -> Json:
    """Return the body that creates a list of customers."""
    return {
        "displayName": name,
        "description": "kept by hub",
        "membershipDuration": duration(membership),
        "membershipStatus": "OPEN",
        "ingestedUserListInfo": {
            "uploadKeyTypes": ["CONTACT_ID"],
            "contactIdInfo": {"dataSourceType": "DATA_SOURCE_TYPE_FIRST_PARTY"},
        },
    }


def duration(value: timedelta) -> str:
    """Write a length of time as Google does."""
    return f"{int(value.total_seconds())}s"


def named(name: str) -> str:
    """Return the filter for a list of exactly this name."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'displayName = "{escaped}"'


def _person(found: list[Json], *, consent: bool) -> Json:
    row: Json = {"userData": {"userIdentifiers": found}}
    if consent:
        row["consent"] = dict(_GRANTED)
    return row
