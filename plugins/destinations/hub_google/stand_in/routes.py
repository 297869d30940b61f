"""The methods that the stand-in serves, each with what it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from hub_google.stand_in.shapes import Refusal, invalid, invalid_fields, list_node, status_node
from hub_google.stand_in.world import Json, Row, UserList, World, is_granted, seconds_of

MEMBERS_A_CALL, DESTINATIONS_A_CALL, IDENTIFIERS_A_MEMBER = 10_000, 10, 10
LONGEST_MEMBERSHIP = 540 * 86_400
_HASH = re.compile(r"[0-9a-f]{64}")
_OF_NOTHING = sha256(b"").hexdigest()
_POSTCODE = re.compile(r"[\w][\w -]{0,14}")
_REGION = re.compile(r"[A-Z]{2}")
_NAMED = re.compile(r'displayName\s*=\s*"((?:[^"\\]|\\.)*)"')
_CHANGEABLE = {"displayName", "description", "membershipDuration", "membershipStatus", "integrationCode"}
_ADDRESS = ("givenName", "familyName", "regionCode", "postalCode")


@dataclass(frozen=True, slots=True)
class Call:
    """One call, read."""

    world: World
    now: float
    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: Json
    work_seconds: float
    accepted: bool = True
    poison: frozenset[str] = field(default_factory=frozenset)
    told_places: bool = True

    @property
    def user_list(self) -> UserList:
        """Return the list that the path names."""
        found = self.world.lists.get(self.ids[1])
        if found is None or found.account != self.ids[0]:
            raise Refusal(404, "NOT_FOUND", "The user list does not exist.", reason="INVALID_USER_LIST_ID")
        return found


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and the function that answers; ``service`` has quotas of its own."""

    method: str
    path: re.Pattern[str]
    service: str
    answer: Callable[[Call], Any]

    @property
    def lists(self) -> bool:
        """Tell whether it shows all lists."""
        return self.answer is _lists


def _lists(call: Call) -> Json:
    found = call.world.of(call.ids[0])
    if "filter" in call.query:
        wanted = _NAMED.fullmatch(call.query["filter"].strip())
        if wanted is None:
            raise invalid("filter", "INVALID_FILTER")
        name = re.sub(r"\\(.)", r"\1", wanted[1])
        found = [each for each in found if each.fields["displayName"] == name]
    size = min(int(call.query.get("pageSize") or 50), 1_000)
    start = int(call.query.get("pageToken") or 0)
    page: Json = {"userLists": [list_node(each) for each in found[start : start + size]]}
    if start + size < len(found):
        page["nextPageToken"] = str(start + size)
    return page


def _make_list(call: Call) -> Json:
    about = {name: value for name, value in call.body.items() if value not in (None, "")}
    if not about.get("displayName"):
        raise invalid("user_list.display_name", "REQUIRED_FIELD_MISSING")
    info = about.get("ingestedUserListInfo") or {}
    if info.get("uploadKeyTypes") != ["CONTACT_ID"] or not (info.get("contactIdInfo") or {}).get("dataSourceType"):
        raise invalid("user_list.ingested_user_list_info", "REQUIRED_FIELD_MISSING")
    about.setdefault("membershipDuration", f"{LONGEST_MEMBERSHIP}s")
    about.setdefault("membershipStatus", "OPEN")
    _judge_duration(about["membershipDuration"])
    if any(each.fields["displayName"] == about["displayName"] for each in call.world.of(call.ids[0])):
        raise invalid("user_list.display_name", "DISPLAY_NAME_ALREADY_USED")
    if call.query.get("validateOnly") == "true":
        return {}
    return list_node(call.world.make_list(call.ids[0], about, call.now))


def _get_list(call: Call) -> Json:
    return list_node(call.user_list)


def _change_list(call: Call) -> Json:
    found = call.user_list
    mask = [_camel(each) for each in call.query.get("updateMask", "").split(",") if each]
    if not mask or not set(mask) <= _CHANGEABLE:
        raise invalid("update_mask", "INVALID_FIELD_MASK")
    if "membershipDuration" in mask:
        _judge_duration(call.body["membershipDuration"])
        found.seconds = seconds_of(call.body["membershipDuration"])
    found.fields |= {name: call.body[name] for name in mask}
    return list_node(found)


def _delete_list(call: Call) -> Json:
    del call.world.lists[call.user_list.id]
    return {}


def _ingest(call: Call) -> Json:
    if (call.body.get("termsOfService") or {}).get("customerMatchTermsOfServiceStatus") != "ACCEPTED":
        raise invalid("terms_of_service", "REQUIRED_FIELD_MISSING")
    if not call.accepted:
        raise Refusal(400, "INVALID_ARGUMENT", "Terms not signed.", reason="TERMS_AND_CONDITIONS_NOT_SIGNED")
    return _take(call, adds=True)


def _remove(call: Call) -> Json:
    for name in ("consent", "termsOfService"):
        if name in call.body:
            raise Refusal(400, "INVALID_ARGUMENT", f'Invalid JSON payload received. Unknown name "{name}".')
    return _take(call, adds=False)


def _take(call: Call, *, adds: bool) -> Json:
    lists = _destinations(call, adds=adds)
    members = call.body.get("audienceMembers")
    if not isinstance(members, list) or not members:
        raise invalid("audience_members", "REQUIRED_FIELD_MISSING")
    if len(members) > MEMBERS_A_CALL:
        raise invalid("audience_members", "TOO_MANY_AUDIENCE_MEMBERS")
    if call.body.get("encoding") != "HEX":
        raise invalid("encoding", "REQUIRED_FIELD_MISSING")
    wrong = [violation for place, each in enumerate(members) for violation in _violations(place, each, call.poison)]
    if wrong:
        raise invalid_fields(wrong)
    general = is_granted(call.body.get("consent"))
    rows = [_row(each, lists, general=general) for each in members]
    if call.body.get("validateOnly"):
        return {"requestId": "validated"}
    destinations = call.body["destinations"]
    return {"requestId": call.world.take(rows, destinations, call.now, call.work_seconds, adds=adds).id}


def _status(call: Call) -> Json:
    found = call.world.requests.get(call.query.get("requestId", ""))
    if found is None:
        raise invalid("request_id", "INVALID_REQUEST_ID")
    return status_node(found, told_places=call.told_places)


def _destinations(call: Call, *, adds: bool) -> dict[str, str]:
    """Return the lists of a request by their reference."""
    told = call.body.get("destinations")
    if not isinstance(told, list) or not told:
        raise invalid("destinations", "REQUIRED_FIELD_MISSING")
    if len(told) > DESTINATIONS_A_CALL:
        raise invalid("destinations", "TOO_MANY_DESTINATIONS")
    found: dict[str, str] = {}
    for place, each in enumerate(told):
        owner = (each.get("operatingAccount") or {}).get("accountId")
        held = call.world.lists.get(str(each.get("productDestinationId")))
        if held is None or held.account != owner:
            raise invalid(f"destinations[{place}].product_destination_id", "INVALID_USER_LIST_ID")
        if adds and held.fields["membershipStatus"] == "CLOSED":
            raise invalid(f"destinations[{place}]", "INVALID_DESTINATION")
        reference = str(each.get("reference") or "")
        if reference in found:
            raise invalid(f"destinations[{place}].reference", "DUPLICATE_DESTINATION_REFERENCE")
        found[reference] = held.id
    return found


def _violations(place: int, member: Any, poison: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a member: (field, reason)."""
    where = f"audience_members[{place}].user_data"
    found = ((member or {}).get("userData") or {}).get("userIdentifiers") if isinstance(member, dict) else None
    if not isinstance(found, list) or not found:
        yield where, "NO_IDENTIFIERS_PROVIDED"
        return
    if len(found) > IDENTIFIERS_A_MEMBER:
        yield where, "TOO_MANY_USER_IDENTIFIERS"
    for number, each in enumerate(found):
        named = f"{where}.user_identifiers[{number}]"
        if len(each) != 1:
            yield named, "INVALID_AUDIENCE_MEMBER"
        for key, field_ in (("emailAddress", "email_address"), ("phoneNumber", "phone_number")):
            if key in each and (_is_no_hash(each[key]) or each[key] in poison):
                yield f"{named}.{field_}", "INVALID_SHA256_FORMAT"
        if "address" in each:
            yield from _address_violations(f"{named}.address", each["address"])


def _address_violations(where: str, address: Json) -> Iterator[tuple[str, str]]:
    if not all(address.get(name) for name in _ADDRESS):
        yield where, "REQUIRED_FIELD_MISSING"
        return
    for key, field_ in (("givenName", "given_name"), ("familyName", "family_name")):
        if _is_no_hash(address[key]):
            yield f"{where}.{field_}", "INVALID_SHA256_FORMAT"
    if not _REGION.fullmatch(address["regionCode"]):
        yield f"{where}.region_code", "INVALID_COUNTRY_CODE"
    if not _POSTCODE.fullmatch(address["postalCode"]):
        yield f"{where}.postal_code", "INVALID_POSTAL_CODE"


def _row(member: Json, lists: dict[str, str], *, general: bool) -> Row:
    known: set[str] = set()
    region = None
    for each in member["userData"]["userIdentifiers"]:
        known |= {each[key] for key in ("emailAddress", "phoneNumber") if key in each}
        region = (each.get("address") or {}).get("regionCode", region)
    wanted = member.get("destinationReferences") or list(lists)
    own = member.get("consent")
    consent = general if own is None else is_granted(own)
    return Row(frozenset(known), tuple(lists[each] for each in wanted if each in lists), region, consent)


def _judge_duration(value: str) -> None:
    if seconds_of(value) % 86_400:
        raise invalid("user_list.membership_duration", "INVALID_MEMBERSHIP_DURATION")
    if seconds_of(value) > LONGEST_MEMBERSHIP:
        raise invalid("user_list.membership_duration", "MEMBERSHIP_DURATION_TOO_LONG")


def _is_no_hash(value: Any) -> bool:
    return not _HASH.fullmatch(str(value)) or value == _OF_NOTHING


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.capitalize() for each in rest)


def _route(method: str, path: str, service: str, answer: Callable[[Call], Any]) -> Route:
    return Route(method, re.compile(path), service, answer)


_LISTS = r"/v1/accountTypes/GOOGLE_ADS/accounts/(\d+)/userLists"
ROUTES = (
    _route("GET", _LISTS, "UserListService reads", _lists),
    _route("POST", _LISTS, "UserListService writes", _make_list),
    _route("GET", rf"{_LISTS}/(\d+)", "UserListService reads", _get_list),
    _route("PATCH", rf"{_LISTS}/(\d+)", "UserListService writes", _change_list),
    _route("DELETE", rf"{_LISTS}/(\d+)", "UserListService writes", _delete_list),
    _route("POST", "/v1/audienceMembers:ingest", "IngestionService writes", _ingest),
    _route("POST", "/v1/audienceMembers:remove", "IngestionService writes", _remove),
    _route("GET", "/v1/requestStatus:retrieve", "IngestionService reads", _status),
)


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """Return the route of a call, and the ids in its path."""
    for route in ROUTES:
        found = route.path.fullmatch(path) if route.method == method else None
        if found:
            return route, found.groups()
    raise Refusal(404, "NOT_FOUND", "The requested URL was not found on this server.")
