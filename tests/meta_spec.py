"""The judge of requests to Meta: its official code-generation specs, found through HUB_SPECS.

They name edges with their parameters and nodes with their fields. What is inside ``payload`` and ``session`` they call
an object and no more: there the keys of Meta's own Python client, and of the Custom Audience reference, are the judge.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from facebook_business.adobjects.customaudience import CustomAudience

from hub import api

ABSENT = "the official descriptions of Meta's API are not at hand: set HUB_SPECS to the folder that has meta/*.json"
EVERYWHERE = {"access_token", "appsecret_proof"}
PAGING = {"limit", "after"}
# The specs at hand have no user node; the edge is in the Graph API's reference, "User, Permissions".
OUTSIDE = {("GET", "/me/permissions"): set[str]()}
KEYS = {value for name, value in vars(CustomAudience.Schema.MultiKeySchema).items() if not name.startswith("_")}
SESSION = {"session_id": int, "batch_seq": int, "last_batch_flag": bool, "estimated_num_total": int}


def folder() -> Path | None:
    """Return the folder of the descriptions, or None where they are absent."""
    found = Path(os.environ.get("HUB_SPECS", "/nowhere")) / "meta"
    return found if found.is_dir() else None


def descriptions() -> None:
    """Skip a test that cannot be judged."""
    if folder() is None:
        pytest.skip(ABSENT)


class WrongRequest(AssertionError):
    """A request that the description does not allow."""


def judge(asked: api.Asked) -> None:
    """Hold a request against the description of its edge. Raises WrongRequest."""
    found = re.fullmatch(r"/(v\d+\.\d)(/.*)", asked.path)
    if found is None:
        raise WrongRequest(f"{asked.path} names no version")
    path = found[2]
    params = dict(asked.query) | _body(asked)
    params = {name: value for name, value in params.items() if name not in EVERYWHERE}
    if (asked.method, path) in OUTSIDE:
        if set(params) - OUTSIDE[asked.method, path]:
            raise WrongRequest(f"{path} takes no parameters")
        return
    node, edge = _node_and_edge(path)
    described = _edge(asked.method, node, edge)
    _judge_params(described, params, asked.method)


def _body(asked: api.Asked) -> dict[str, Any]:
    if not asked.body:
        return {}
    if asked.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise WrongRequest(f"the body is {asked.headers.get('content-type')}")
    body = json.loads(asked.body)
    if not isinstance(body, dict):
        raise WrongRequest("the body is no object")
    return body


def _node_and_edge(path: str) -> tuple[str, str]:
    found = re.fullmatch(r"/(act_)?\d+(?:/(\w+))?", path)
    if found is None:
        raise WrongRequest(f"{path} is no node")
    return ("AdAccount.audiences-only" if found[1] else "CustomAudience"), found[2] or ""


def _edge(method: str, node: str, edge: str) -> dict[str, Any]:
    if not edge and method == "GET":
        # A node is read by its fields; the specs at hand list the edges of an ad account only.
        return {"return": node.partition(".")[0], "params": [{"name": "fields", "required": False, "type": "string"}]}
    for each in _description(node)["apis"]:
        if each["method"] == method and each.get("endpoint", "") == edge:
            return each
    raise WrongRequest(f"{node} has no {method} {edge or 'of its own'}")


def _judge_params(described: dict[str, Any], params: dict[str, Any], method: str) -> None:
    declared = {each["name"]: each for each in described["params"]}
    allowed = set(declared) | (PAGING | {"fields"} if method == "GET" else set())
    if strange := set(params) - allowed:
        raise WrongRequest(f"undeclared parameters: {', '.join(sorted(strange))}")
    missing = [name for name, each in declared.items() if each["required"] and name not in params]
    if missing:
        raise WrongRequest(f"missing parameters: {', '.join(missing)}")
    for name, value in params.items():
        if name == "fields":
            _judge_fields(described["return"], value)
        elif name in declared:
            _judge_value(name, declared[name]["type"], value)


def _judge_fields(node: str, value: str) -> None:
    file = "AdAccount.audiences-only" if node == "AdAccount" else node
    known = {each["name"] for each in _description(file)["fields"]}
    if strange := set(value.split(",")) - known:
        raise WrongRequest(f"{node} has no fields {', '.join(sorted(strange))}")


def _judge_value(name: str, kind: str, value: Any) -> None:
    if kind in _enums():
        if value not in _enums()[kind]:
            raise WrongRequest(f"{name} is none of {', '.join(_enums()[kind])}")
    elif kind == "string" and not isinstance(value, str):
        raise WrongRequest(f"{name} is no text")
    elif name == "payload":
        _judge_payload(value)
    elif name == "session":
        _judge_session(value)


def _judge_payload(payload: Any) -> None:
    if not isinstance(payload, dict) or set(payload) != {"schema", "data"}:
        raise WrongRequest("a payload has schema and data")
    schema, data = payload["schema"], payload["data"]
    if not isinstance(schema, list) or set(schema) - KEYS or len(set(schema)) != len(schema):
        raise WrongRequest(f"the schema names what is no key: {schema}")
    if not isinstance(data, list) or not 0 < len(data) <= 10_000:
        raise WrongRequest("data has 1 to 10,000 rows")
    for row in data:
        if not isinstance(row, list) or len(row) != len(schema):
            raise WrongRequest("a row has as many values as the schema has keys")
        if any(value and not re.fullmatch(r"[0-9a-f]{64}", value) for value in row):
            raise WrongRequest("a value is no SHA-256")


def _judge_session(session: Any) -> None:
    if not isinstance(session, dict) or set(session) != set(SESSION):
        raise WrongRequest(f"a session has {', '.join(SESSION)}")
    for name, kind in SESSION.items():
        if type(session[name]) is not kind:
            raise WrongRequest(f"{name} is no {kind.__name__}")
    if not 0 < session["session_id"] < 2**63 or session["batch_seq"] < 1:
        raise WrongRequest("numbers of a session are positive and have 64 bits")


@cache
def _description(name: str) -> dict[str, Any]:
    found = folder()
    assert found is not None
    return json.loads((found / f"{name}.json").read_text())


@cache
def _enums() -> dict[str, list[str]]:
    found = folder()
    assert found is not None
    listed = json.loads((found / "enum_types.audiences-only.json").read_text())
    return {each["name"]: each["values"] for each in listed}
