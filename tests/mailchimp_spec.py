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
from mailchimp_marketing.api.campaigns_api import CampaignsApi
from mailchimp_marketing.api.reports_api import ReportsApi
from mailchimp_marketing.api_client import ApiClient

from tests.klaviyo_spec import Request, WrongRequest

__all__ = [
    "Request",
    "WrongRequest",
    "changes_a_status",
    "descriptions",
    "folder",
    "inside",
    "judge",
    "judged_by_the_client",
]

ABSENT = (
    "the official description of Mailchimp's API is not at hand: set HUB_SPECS to the folder that has "
    "mailchimp/marketing.trimmed.json"
)
_BASE = "/3.0"
_RESULTS = re.compile(r"/batches/[^/]+/results")  # at an address of its own
_REPORTS = {
    "sent-to": ReportsApi.get_campaign_recipients,
    "email-activity": ReportsApi.get_email_activity_for_campaign,
    "unsubscribed": ReportsApi.get_unsubscribed_list_for_campaign,
}


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
    if _RESULTS.fullmatch(path) or judged_by_the_client(asked.method, path, url.query):
        return
    if not asked.headers.get("authorization", "").startswith("Basic "):
        raise WrongRequest("described is HTTP basic authentication")
    parameters = _parameters(asked.method.lower(), path)
    _judge_query(parameters, parse_qsl(url.query, keep_blank_values=True))
    _judge_body(next((each["schema"] for each in parameters if each["in"] == "body"), None), asked)


class _Listening(ApiClient):
    """What the official client sends with, which says what it would have sent."""

    def call_api(
        self, resource_path: str, method: str, path_params: Any = None, query_params: Any = None, *_: Any, **__: Any
    ) -> Any:
        return method, resource_path.format(**path_params), dict(query_params)


def judged_by_the_client(method: str, path: str, query: str) -> bool:
    """Hold a request against what the official client would ask, where the description at hand has no such endpoint.

    Tell whether it was one of those. Raises WrongRequest.
    """
    told: dict[str, Any] = dict(parse_qsl(query, keep_blank_values=True))
    told |= {name: int(told[name]) for name in ("count", "offset") if name in told}
    report = re.fullmatch(r"/reports/([^/]+)/([a-z-]+)", path)
    try:
        if path == "/campaigns":
            right = CampaignsApi(_Listening()).list(**told)
        elif report and report[2] in _REPORTS:
            right = _REPORTS[report[2]](ReportsApi(_Listening()), report[1], **told)
        else:
            return False
    except (TypeError, ValueError) as error:
        raise WrongRequest(f"{method} {path}: {error}") from error
    if right != (method, path, told):
        raise WrongRequest(f"{method} {path}?{query}: the client would ask {right}")
    return True


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
