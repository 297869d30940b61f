"""The judge of requests to Google: the Data Manager API's discovery document, found through HUB_SPECS.

Discovery names methods, parameters and schemas, and leaves objects open: here a field that a schema does not have is
wrong, as it is to Google, and so is one that only Google may write.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hub import api

ABSENT = (
    "the official description of Google's API is not at hand: set HUB_SPECS to the folder that has google-ads/*.json"
)
WHO = re.compile(r"Bearer \S+")
ACCOUNT = re.compile(r"accountTypes/GOOGLE_ADS/accounts/\d+")


def folder() -> Path | None:
    """Return the folder of the description, or None where it is absent."""
    found = Path(os.environ.get("HUB_SPECS", "/nowhere")) / "google-ads"
    return found if found.is_dir() else None


def descriptions() -> None:
    """Skip a test that cannot be judged."""
    if folder() is None:
        pytest.skip(ABSENT)


class WrongRequest(AssertionError):
    """A request that the description does not allow."""


def judge(asked: api.Asked) -> None:
    """Hold a request against the description of its method. Raises WrongRequest."""
    if asked.path == "/token":
        return  # another service: OAuth 2.0, spoken by Google's own library
    method = _method(asked)
    _judge_query(method, asked.query)
    _judge_headers(method, asked)
    if "request" not in method:
        if asked.body:
            raise WrongRequest("this method takes no body")
        return
    if not asked.body:
        raise WrongRequest("this method wants a body")
    _judge_value("body", {"$ref": method["request"]["$ref"]}, json.loads(asked.body))


def _method(asked: api.Asked) -> Mapping[str, Any]:
    for method in _methods(_description()):
        path = re.sub(r"\{[^}]+\}", "[^/:]+", re.escape(method["flatPath"]).replace(r"\{", "{").replace(r"\}", "}"))
        if method["httpMethod"] == asked.method and re.fullmatch("/" + path, asked.path):
            return method
    raise WrongRequest(f"there is no {asked.method} {asked.path}")


def _methods(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for resource in node.get("resources", {}).values():
        yield from resource.get("methods", {}).values()
        yield from _methods(resource)


def _judge_query(method: Mapping[str, Any], query: Mapping[str, str]) -> None:
    declared = {name: each for name, each in method.get("parameters", {}).items() if each["location"] == "query"}
    if strange := set(query) - set(declared):
        raise WrongRequest(f"undeclared query parameters: {', '.join(sorted(strange))}")
    for name, value in query.items():
        if declared[name]["type"] == "integer" and not value.isdigit():
            raise WrongRequest(f"{name} is no number")


def _judge_headers(method: Mapping[str, Any], asked: api.Asked) -> None:
    if not WHO.fullmatch(asked.headers.get("authorization", "")):
        raise WrongRequest("there is no token")
    if asked.body and asked.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise WrongRequest("the body is no JSON")
    if not ACCOUNT.fullmatch(asked.headers.get("login-account", "accountTypes/GOOGLE_ADS/accounts/1")):
        raise WrongRequest("login-account is no resource name")


def _judge_value(where: str, schema: Mapping[str, Any], value: Any) -> None:
    if "$ref" in schema:
        schema = _description()["schemas"][schema["$ref"]]
    if schema.get("readOnly"):
        raise WrongRequest(f"{where} is Google's to write")
    kind = schema.get("type")
    if kind == "object":
        _judge_object(where, schema, value)
    elif kind == "array":
        if not isinstance(value, list):
            raise WrongRequest(f"{where} is no list")
        for place, each in enumerate(value):
            _judge_value(f"{where}[{place}]", schema["items"], each)
    elif "enum" in schema:
        if value not in schema["enum"]:
            raise WrongRequest(f"{where} is none of {', '.join(schema['enum'])}")
    elif type(value) is not {"string": str, "boolean": bool, "integer": int}[str(kind)]:
        raise WrongRequest(f"{where} is no {kind}")
    elif schema.get("format") == "google-duration" and not re.fullmatch(r"\d+s", value):
        raise WrongRequest(f"{where} is no duration")


def _judge_object(where: str, schema: Mapping[str, Any], value: Any) -> None:
    if not isinstance(value, dict):
        raise WrongRequest(f"{where} is no object")
    known = schema.get("properties", {})
    if strange := set(value) - set(known):
        raise WrongRequest(f"{where} has unknown fields: {', '.join(sorted(strange))}")
    for name, each in value.items():
        if known[name].get("readOnly"):
            raise WrongRequest(f"{where}.{name} is Google's to write")
        _judge_value(f"{where}.{name}", known[name], each)


@cache
def _description() -> dict[str, Any]:
    found = folder()
    assert found is not None
    return json.loads((found / "datamanager.v1.json").read_text())
