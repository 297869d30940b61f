"""The judge of requests to Klaviyo: its official OpenAPI descriptions, found through HUB_SPECS.

The descriptions leave objects open, so that a misspelt field would pass. Here every object that lists its properties is
closed, query parameters must be declared, and a filter must name a field with an operator that its description lists.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from openapi_core import Config, OpenAPI
from openapi_core.testing.requests import MockRequest

HOST = "https://a.klaviyo.com"
FILES = ("accounts", "data_privacy", "events", "lists", "metrics", "profiles")
JSON_API = "application/vnd.api+json"
ABSENT = (
    "the official descriptions of Klaviyo's API are not at hand: set HUB_SPECS to the folder that has klaviyo/*.json"
)


@dataclass(frozen=True)
class Request:
    """One request as it went over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes


def folder() -> Path | None:
    """Return the folder of the descriptions, or None where they are absent."""
    found = Path(os.environ.get("HUB_SPECS", "/nowhere")) / "klaviyo"
    return found if found.is_dir() else None


def descriptions() -> None:
    """Skip a test that cannot be judged."""
    if folder() is None:
        pytest.skip(ABSENT)


class WrongRequest(AssertionError):
    """A request that the description does not allow."""


def judge(asked: Request) -> None:
    """Hold a request against the description of its endpoint. Raises WrongRequest."""
    url = urlsplit(asked.target)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    request = MockRequest(
        HOST,
        asked.method.lower(),
        url.path,
        args=query,
        headers=dict(asked.headers),
        data=asked.raw or None,
        content_type=asked.headers.get("content-type", JSON_API),
    )
    try:
        name, operation = _operation(asked.method.lower(), url.path)
        _judge(name).validate_request(request)
        _judge_query(operation, query)
        _judge_revision(operation, asked.headers)
        if asked.raw and "requestBody" not in operation:
            raise WrongRequest("this endpoint takes no body")
    except WrongRequest:
        raise
    except Exception as error:
        cause = error.__cause__
        more = "; ".join(f"{each.json_path}: {each.message}" for each in getattr(cause, "schema_errors", ()))
        raise WrongRequest(f"{asked.method} {asked.target}: {error!r} {more or cause!r}") from error


def _judge_query(operation: Mapping[str, Any], query: Mapping[str, str]) -> None:
    declared = {each["name"]: each for each in operation.get("parameters", ()) if each["in"] == "query"}
    strange = set(query) - set(declared)
    if strange:
        raise WrongRequest(f"undeclared query parameters: {', '.join(sorted(strange))}")
    if "filter" in query:
        allowed = dict(re.findall(r"`([\w.]+)`: ((?:`[\w-]+`(?:, )?)+)", declared["filter"]["description"]))
        for operator, field in _conditions(query["filter"]):
            if f"`{operator}`" not in allowed.get(field, ""):
                raise WrongRequest(f"{operator} is not allowed on {field}")


def _conditions(text: str) -> list[tuple[str, str]]:
    """Return operator and field of every part of a filter; parts are joined by commas, and all must hold."""
    part = r'([\w-]+)\(([\w.]+),(?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^()",]+)\)'
    if not re.fullmatch(f"{part}(?:,{part})*", text):
        raise WrongRequest(f"this is no filter: {text}")
    return [(operator, field) for operator, field in re.findall(part, text)]


def _judge_revision(operation: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    """Demand the revision that was judged: the description has it as a default, so that none at all would pass."""
    wanted = next(each["schema"]["default"] for each in operation["parameters"] if each["name"] == "revision")
    if headers.get("revision") != wanted:
        raise WrongRequest(f"the revision is {headers.get('revision')}, described is {wanted}")


@cache
def _description(name: str) -> dict[str, Any]:
    found = folder()
    assert found is not None
    return json.loads((found / f"{name}.json").read_text())


@cache
def _judge(name: str) -> OpenAPI:
    closed = _closed(_description(name))
    return OpenAPI.from_dict(closed, config=Config(extra_media_type_deserializers={JSON_API: json.loads}))


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _closed(value) for key, value in node.items()}
    if node.get("type") == "object" and node.get("properties") and "additionalProperties" not in node:
        made["additionalProperties"] = False
    return made


def _operation(method: str, path: str) -> tuple[str, Mapping[str, Any]]:
    for name in FILES:
        for template, methods in _description(name)["paths"].items():
            if method in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
                return name, methods[method]
    raise WrongRequest(f"there is no {method.upper()} {path}")
