"""The judge of requests to Mailchimp: its official Swagger description, found through HUB_SPECS.

The description leaves objects open, so that a misspelt field would pass. Here every object that lists its properties is
closed, query parameters must be declared and fit their type, and a body must be there where one is described.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from jsonschema import Draft4Validator

from tests.klaviyo_spec import Request, WrongRequest

__all__ = ["Request", "WrongRequest", "changes_a_status", "descriptions", "folder", "inside", "judge"]

ABSENT = (
    "the official description of Mailchimp's API is not at hand: set HUB_SPECS to the folder that has "
    "mailchimp/marketing.trimmed.json"
)
_BASE = "/3.0"
# Not in the description: a batch's results lie elsewhere, and reports were left out of it (the official client is asked
# about those).
_ELSEWHERE = re.compile(r"/batches/[^/]+/results|/campaigns|/reports/.*")


def folder() -> Path | None:
    """Return the folder of the description, or None where it is absent."""
    found = Path(os.environ.get("HUB_SPECS", "/nowhere")) / "mailchimp"
    return found if found.is_dir() else None


def descriptions() -> None:
    """Skip a test that cannot be judged."""
    if folder() is None:
        pytest.skip(ABSENT)


def judge(asked: Request) -> None:
    """Hold a request against the description of its endpoint. Raises WrongRequest."""
    url = urlsplit(asked.target)
    if not url.path.startswith(_BASE):
        raise WrongRequest(f"not below {_BASE}: {url.path}")
    path = url.path.removeprefix(_BASE) or "/"
    if _ELSEWHERE.fullmatch(path):
        return
    if not asked.headers.get("authorization", "").startswith("Basic "):
        raise WrongRequest("described is HTTP basic authentication")
    parameters = _parameters(asked.method.lower(), path)
    _judge_query(parameters, parse_qsl(url.query, keep_blank_values=True))
    _judge_body(next((each["schema"] for each in parameters if each["in"] == "body"), None), asked)


def inside(asked: Request) -> Iterator[Request]:
    """Yield the requests that a batch operation asks for."""
    if asked.method == "POST" and asked.target.partition("?")[0] == f"{_BASE}/batches":
        for each in json.loads(asked.raw)["operations"]:
            query = f"?{urlencode(each['params'])}" if each.get("params") else ""
            yield Request(each["method"], f"{_BASE}{each['path']}{query}", asked.headers, each.get("body", "").encode())


def changes_a_status(asked: Request) -> bool:
    """Tell whether a request could change the status of a contact that the audience knows, or its other tags."""
    path, body = asked.target.partition("?")[0], json.loads(asked.raw or b"{}")
    if body.get("update_existing") or body.get("sync_tags"):
        return True
    of_one = re.search(r"/members/[^/]+$", path) is not None and asked.method in {"PUT", "PATCH"}
    return of_one and ("status" in body or asked.method == "PUT")


def _judge_query(parameters: list[Mapping[str, Any]], query: list[tuple[str, str]]) -> None:
    declared = {each["name"]: each for each in parameters if each["in"] == "query"}
    missing = [name for name, each in declared.items() if each.get("required") and name not in dict(query)]
    if missing:
        raise WrongRequest(f"missing query parameters: {', '.join(missing)}")
    for name, text in query:
        about = declared.get(name)
        if about is None:
            raise WrongRequest(f"undeclared query parameter: {name}")
        if not _fits(about, text):
            raise WrongRequest(f"{name}={text} does not fit {about['type']}")


def _fits(about: Mapping[str, Any], text: str) -> bool:
    if about["type"] == "integer":
        return text.isdigit() and int(text) <= about.get("maximum", int(text))
    if about["type"] == "boolean":
        return text in {"true", "false"}
    if about["type"] == "array":
        return all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", part) for part in text.split(","))
    return text in about.get("enum", (text,))


def _judge_body(schema: Mapping[str, Any] | None, asked: Request) -> None:
    if schema is None:
        if asked.raw:
            raise WrongRequest("this endpoint takes no body")
        return
    if asked.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise WrongRequest("a body is JSON")
    try:
        body = json.loads(asked.raw)
    except ValueError as error:
        raise WrongRequest("the body is not JSON") from error
    wrong = list(Draft4Validator(_closed(schema)).iter_errors(body))
    if wrong:
        raise WrongRequest("; ".join(f"{each.json_path}: {each.message}" for each in wrong[:3]))


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _closed(value) for key, value in node.items()}
    if node.get("properties") and isinstance(node["properties"], dict) and "additionalProperties" not in node:
        made["additionalProperties"] = False
    return made


@cache
def _description() -> dict[str, Any]:
    found = folder()
    assert found is not None
    return json.loads((found / "marketing.trimmed.json").read_text())


def _parameters(method: str, path: str) -> list[Mapping[str, Any]]:
    for template, methods in _description()["paths"].items():
        if method in methods and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return [*methods.get("parameters", ()), *methods[method].get("parameters", ())]
    raise WrongRequest(f"there is no {method.upper()} {path}")
