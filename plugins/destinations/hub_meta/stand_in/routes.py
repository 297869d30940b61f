"""The nodes and edges that the stand-in serves, each with what it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import api
from hub_meta.stand_in.shapes import Refusal, account_node, audience_node, page
from hub_meta.stand_in.world import KEYS, SESSION_SECONDS, Audience, Json, Upload, World, read_rows

ROWS_A_CALL = 10_000
MOST_AUDIENCES = 500
_LONGEST_SESSION = 2**63
_SOURCES = {"USER_PROVIDED_ONLY", "PARTNER_PROVIDED_ONLY", "BOTH_USER_AND_PARTNER_PROVIDED"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call, read: ``params`` are those of the query, the form and the JSON body together."""

    world: World
    now: float
    base: str
    ids: tuple[str, ...]
    params: Json
    work_seconds: float
    accepted: bool = True
    poison: frozenset[str] = field(default_factory=frozenset)
    unknown_for: float = 0.0

    @property
    def account(self) -> str:
        """Return the number of the ad account that the path names."""
        return self.ids[0]

    @property
    def audience(self) -> Audience:
        """Return the audience that the path names."""
        found = self.world.audiences.get(self.ids[0])
        if found is None:
            raise Refusal(
                100,
                f"Unsupported request. Object with ID '{self.ids[0]}' does not exist, cannot be loaded due to missing "
                "permissions, or does not support this operation",
                sub=33,
            )
        if self.now < found.created + self.unknown_for:
            raise Refusal(803, f"(#803) Some of the aliases you requested do not exist: {self.ids[0]}", status=404)
        return found


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, and the function that answers."""

    method: str
    path: re.Pattern[str]
    answer: Callable[[Call], Any]


def _permissions(_call: Call) -> Json:
    granted = ("ads_management", "ads_read", "business_management")
    return {"data": [{"permission": each, "status": "granted"} for each in granted]}


def _account(call: Call) -> Json:
    return account_node(call.account, call.params.get("fields"), accepted=call.accepted)


def _terms(call: Call) -> Json:
    return {"data": [{"id": "1", "type": "custom_audience_tos", "content": "…"}] if call.accepted else []}


def _audiences(call: Call) -> Json:
    nodes = [audience_node(each, call.params.get("fields"), call.now) for each in call.world.of(call.account)]
    return page(nodes, call.params, f"{call.base}/act_{call.account}/customaudiences")


def _make_audience(call: Call) -> Json:
    about = call.params
    if not call.accepted:
        raise Refusal(200, "Permissions error", sub=1_870_090, title="Custom Audience Terms Not Accepted", status=403)
    if not about.get("name"):
        raise Refusal(100, "(#100) Missing name")
    if about.get("subtype", "CUSTOM") != "CUSTOM" or about.get("customer_file_source") not in _SOURCES:
        raise Refusal(100, "(#100) Missing customer_file_source", sub=1_870_053)
    if len(call.world.of(call.account)) >= MOST_AUDIENCES:
        raise Refusal(100, "(#100) The account has too many custom audiences")
    return {"id": call.world.make(call.account, {k: about[k] for k in about if k != "access_token"}, call.now).id}


def _audience(call: Call) -> Json:
    return audience_node(call.audience, call.params.get("fields"), call.now)


def _delete_audience(call: Call) -> Json:
    del call.world.audiences[call.audience.id]
    return {"success": True}


def _add(call: Call) -> Json:
    return _change(call, call.audience, "add")


def _remove(call: Call) -> Json:
    return _change(call, call.audience, "remove")


def _forget(call: Call) -> Json:
    schema, data = _payload(call.params)
    rows, invalid, shown = read_rows(schema, data, call.poison)
    call.world.forget(call.account, rows)
    return {"num_received": len(data), "num_invalid_entries": invalid, "invalid_entry_samples": shown}


def _sessions(call: Call) -> Json:
    wanted = call.params.get("session_id")
    found = [each for each in call.audience.uploads.values() if wanted is None or str(each.number) == str(wanted)]
    return {"data": [_session_node(each, call.now) for each in found]}


def _change(call: Call, audience: Audience, direction: str) -> Json:
    if audience.flagged:
        raise Refusal(100, "Invalid parameter", sub=1_713_230, title="Audience Upload Blocked")
    schema, data = _payload(call.params)
    upload = _upload(call, audience, direction, schema)
    rows, invalid, shown = read_rows(schema, data, call.poison)
    change = audience.add if direction == "add" else audience.remove
    for row in rows:
        change(row)
    audience.updated = call.now
    if upload is not None:
        upload.received += len(data)
        upload.invalid += invalid
    return {
        "audience_id": audience.id,
        "session_id": str(upload.number) if upload else "0",
        "num_received": upload.received if upload else len(data),
        "num_invalid_entries": invalid,
        "invalid_entry_samples": shown,
    }


def _payload(params: Mapping[str, Any]) -> tuple[list[str], list[list[Any]]]:
    payload = params.get("payload")
    if not isinstance(payload, dict):
        raise Refusal(100, "(#100) The parameter payload is required")
    schema, data = payload.get("schema"), payload.get("data")
    if not isinstance(data, list) or not data:
        raise Refusal(100, "(#100) payload.data must be a list of people")
    if len(data) > ROWS_A_CALL:
        raise Refusal(100, f"(#100) At most {ROWS_A_CALL} people at a time", sub=1_870_144)
    if isinstance(schema, str):
        schema, data = [schema.removesuffix("_SHA256")], [[each] for each in data]
    if not isinstance(schema, list) or not schema or not set(schema) <= KEYS:
        raise Refusal(100, "(#100) payload.schema names unknown keys")
    if any(not isinstance(row, list) or len(row) != len(schema) for row in data):
        raise Refusal(100, "(#100) Every row must have as many values as the schema has keys")
    return schema, data


def _upload(call: Call, audience: Audience, direction: str, schema: list[str]) -> Upload | None:
    """Return the session of a request, held against its rules; a single request may come without one."""
    told = call.params.get("session")
    if told is None:
        return None
    number, part, last = told.get("session_id"), told.get("batch_seq"), told.get("last_batch_flag")
    if not (_is_number(number) and _is_number(part) and isinstance(last, bool) and "estimated_num_total" in told):
        raise Refusal(100, "(#100) session is not well formed")
    upload = audience.uploads.get(number)
    if upload is None:
        upload = Upload(number, direction, call.now, schema, call.now)
        audience.uploads[number] = upload
    if upload.direction != direction or upload.schema != schema:
        raise Refusal(2_650, "The schema of a session must stay the same", sub=1_870_148)
    if call.now >= upload.begun + SESSION_SECONDS:
        raise Refusal(2_650, "The session has timed out", sub=1_870_158)
    if upload.complete and part not in upload.parts:
        raise Refusal(2_650, "The session is complete", sub=1_870_159)
    if not upload.parts and part != 1:
        raise Refusal(2_650, "The first batch of the session is missing", sub=1_870_147)
    upload.parts.add(part)
    upload.complete |= last
    upload.due = call.now + call.work_seconds
    return upload


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < _LONGEST_SESSION


def _session_node(upload: Upload, now: float) -> Json:
    done = upload.complete and now >= upload.due
    return {
        "session_id": str(upload.number),
        "stage": "finished" if done else "processing" if upload.complete else "uploading",
        "progress": "100" if done else "0",
        "num_received": str(upload.received),
        "num_matched": str(upload.received - upload.invalid) if done else "0",
        "num_invalid_entries": str(upload.invalid),
        "start_time": str(int(upload.begun)),
        "end_time": str(int(upload.due)) if done else "0",
    }


def _route(method: str, path: str, answer: Callable[[Call], Any]) -> Route:
    return Route(method, re.compile(path), answer)


ROUTES = (
    _route("GET", "/me/permissions", _permissions),
    _route("GET", r"/act_(\d+)/customaudiences", _audiences),
    _route("POST", r"/act_(\d+)/customaudiences", _make_audience),
    _route("GET", r"/act_(\d+)/customaudiencestos", _terms),
    _route("DELETE", r"/act_(\d+)/usersofanyaudience", _forget),
    _route("GET", r"/act_(\d+)", _account),
    _route("POST", r"/(\d+)/users", _add),
    _route("DELETE", r"/(\d+)/users", _remove),
    _route("GET", r"/(\d+)/sessions", _sessions),
    _route("GET", r"/(\d+)", _audience),
    _route("DELETE", r"/(\d+)", _delete_audience),
)


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """Return the route of a call, and the ids in its path."""
    for route in ROUTES:
        found = route.path.fullmatch(path) if route.method == method else None
        if found:
            return route, found.groups()
    raise Refusal(2_500, f"Unknown path components: {path}", kind="OAuthException")


def answer(asked: api.Asked, call: Callable[[tuple[str, ...]], Call], path: str) -> api.Answer:
    """Answer a call, or say why not."""
    try:
        route, ids = find(asked.method, path)
        return api.Answer(200, route.answer(call(ids)))
    except Refusal as refused:
        return refused.answer
