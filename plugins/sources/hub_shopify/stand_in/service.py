"""The Admin API's answers, without HTTP: tokens, versions, metering, execution."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from graphql import DocumentNode, ExecutionResult, OperationDefinitionNode, execute_sync

from hub_shopify.stand_in.access import Redaction
from hub_shopify.stand_in.answers import resolve, resolve_type
from hub_shopify.stand_in.bucket import Bucket
from hub_shopify.stand_in.bulk import BulkOperations
from hub_shopify.stand_in.context import Context, Limits, Shelf
from hub_shopify.stand_in.cost import Cost
from hub_shopify.stand_in.faults import Faults
from hub_shopify.stand_in.schema import VERSIONS, Schema, serving_version
from hub_shopify.stand_in.shop import Shop
from hub_shopify.stand_in.tokens import LIFETIME, Tokens

_BAD_TOKEN = "[API] Invalid API key or access token (unrecognized login or wrong password)"  # noqa: S105 - no secret
_MISSING = {"errors": {"query": "Required parameter missing or invalid"}}
_DOCS = "https://shopify.dev/api/usage/rate-limits"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response: status, body (text is sent as it is, anything else as JSON) and further headers."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)


class Service:
    """One app's door to one shop."""

    def __init__(
        self,
        shop: Shop,
        tokens: Tokens,
        faults: Faults,
        *,
        scopes: Sequence[str],
        limits: Limits,
        specs: Path | None,
        prepared: Mapping[str, Path],
    ) -> None:
        self.shop = shop
        self.scopes = scopes
        self.address = ""
        self.bucket = Bucket(limits.bucket, limits.restore_rate, shop.now)
        self.bulk = BulkOperations(shop, self._execute, faults.take, prepared)
        self.counts = {"served": 0, "refused": 0, "throttled": 0, "points_used": 0, "downloads": 0, "tokens_issued": 0}
        self._tokens = tokens
        self._faults = faults
        self._limits = limits
        self._specs = specs
        self._shelf = Shelf(shop)
        self._schemas: dict[str, Schema] = {}
        self._lock = threading.Lock()

    def count(self, what: str, number: int = 1) -> None:
        """Count something."""
        with self._lock:
            self.counts[what] += number

    def token(self, given: Mapping[str, str], *, wants_json: bool) -> Answer:
        """Give out a token for client id and secret (``grant_type`` client_credentials).

        A refusal is a page that names the reason, unless JSON is asked for.
        """
        if given.get("grant_type") != "client_credentials":
            return self._oauth_error("unsupported_grant_type", "Grant type is not supported.", wants_json)
        if self._faults.take("other-organisation") is not None:
            refusal = "Client credentials cannot be performed on this shop."
            return self._oauth_error("shop_not_permitted", refusal, wants_json)
        token = self._tokens.issue(given.get("client_secret", "")) if given.get("client_id") else None
        if token is None:
            return self._oauth_error("invalid_client", "Client authentication failed.", wants_json)
        self.count("tokens_issued")
        said = {"access_token": token, "scope": ",".join(self.scopes), "expires_in": int(LIFETIME.total_seconds())}
        return Answer(200, said)

    def graphql(self, version: str, token: str, body: bytes) -> Answer:
        """Answer a GraphQL request."""
        serving = serving_version(version)
        if serving is None:
            return self._refused(Answer(404, {"errors": "Not Found"}))
        headers = {"X-Shopify-API-Version": self._said_version(serving), "X-Request-Id": str(uuid.uuid4())}
        if self._faults.take("refused-token") is not None or not self._tokens.accepts(token):
            return self._refused(Answer(401, {"errors": _BAD_TOKEN}, headers))
        asked = _asked(body)
        if asked is None:
            return self._refused(Answer(400, _MISSING, headers))
        return self._read(self._schema(serving), asked, headers)

    def _read(self, schema: Schema, asked: _Asked, headers: dict[str, str]) -> Answer:
        if self._faults.take("internal-error") is not None:
            return self._refused(Answer(200, _internal_error(headers["X-Request-Id"]), headers))
        document, wrong = schema.read(asked.query)
        if document is None:
            return self._refused(Answer(200, {"errors": [error.formatted for error in wrong]}, headers))
        if not _has_operation(document, asked.operation):
            return self._refused(Answer(200, {"errors": [{"message": "No such operation."}]}, headers))
        return self._metered(schema, document, asked, headers)

    def _metered(self, schema: Schema, document: DocumentNode, asked: _Asked, headers: dict[str, str]) -> Answer:
        cost = Cost(schema.graphql, document, asked.variables, asked.operation)
        requested = cost.requested()
        if requested > self._limits.single_query:
            return self._refused(Answer(200, _too_costly(requested, self._limits.single_query), headers))
        storm = self._faults.take("throttled")
        if storm is not None:
            self.bucket.drain()
        if storm is not None or not self.bucket.take(requested):
            return self._throttled(requested, storm or {}, headers)
        context = self._context(schema)
        with self.shop.lock:
            result = self._execute(document, context, asked.variables, asked.operation)
        actual = cost.actual(result.data) if result.data is not None else min(requested, 1)
        self.bucket.give_back(requested - actual)
        self.count("points_used", actual)
        self.count("served")
        return Answer(200, self._answered(result, context, requested, actual), headers)

    def _answered(self, result: ExecutionResult, context: Context, requested: int, actual: int) -> dict[str, Any]:
        said: dict[str, Any] = {"data": result.data}
        if result.errors:
            said["errors"] = [error.formatted for error in result.errors]
        said["extensions"] = {"cost": self._cost(requested, actual)}
        if context.warnings:
            said["extensions"]["search"] = context.warnings
        return said

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": self.bucket.status(),
        }

    def _throttled(self, requested: int, storm: Mapping[str, str], headers: dict[str, str]) -> Answer:
        self.count("throttled")
        if "retry_after" in storm:
            headers = {**headers, "Retry-After": storm["retry_after"]}
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": _DOCS}}
        said = {"errors": [error], "extensions": {"cost": self._cost(requested, None)}}
        return self._refused(Answer(int(storm.get("status", "200")), said, headers))

    def _execute(
        self,
        document: DocumentNode,
        context: Context,
        variables: Mapping[str, Any] | None = None,
        operation: str | None = None,
    ) -> ExecutionResult:
        return execute_sync(
            context.schema.graphql,
            document,
            context_value=context,
            variable_values=dict(variables or {}),
            operation_name=operation,
            field_resolver=resolve,
            type_resolver=resolve_type,
        )

    def _context(self, schema: Schema) -> Context:
        redacted = self._faults.take("redacted")
        redaction: Redaction = ""
        if redacted is not None:
            redaction = "refused" if redacted.get("how") == "refused" else "null"
        late = self._faults.take("late-search")
        return Context(
            self.shop,
            self._shelf,
            schema,
            self.scopes,
            self._limits,
            self.bulk,
            self.address,
            redaction=redaction,
            lag=timedelta(seconds=float(late.get("seconds", "30"))) if late is not None else timedelta(0),
        )

    def _schema(self, version: str) -> Schema:
        with self._lock:
            if version not in self._schemas:
                self._schemas[version] = Schema(version, self._specs)
            return self._schemas[version]

    def _said_version(self, serving: str) -> str:
        fallen = self._faults.take("fallen-forward")
        return serving if fallen is None else fallen.get("version", _next_version(VERSIONS[-1]))

    def _refused(self, answer: Answer) -> Answer:
        self.count("refused")
        return answer

    def _oauth_error(self, code: str, text: str, wants_json: bool) -> Answer:
        page = f"Oauth error {code}: {text}"
        return self._refused(Answer(400, {"error": code, "error_description": text} if wants_json else page))


@dataclass(frozen=True, slots=True)
class _Asked:
    query: str
    variables: Mapping[str, Any]
    operation: str | None


def _asked(body: bytes) -> _Asked | None:
    try:
        said = json.loads(body)
    except ValueError:
        return None
    if not isinstance(said, dict) or not isinstance(said.get("query"), str):
        return None
    variables, operation = said.get("variables") or {}, said.get("operationName")
    if not isinstance(variables, dict) or not isinstance(operation, str | None):
        return None
    return _Asked(said["query"], variables, operation or None)


def _has_operation(document: DocumentNode, name: str | None) -> bool:
    found = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if name is None:
        return len(found) == 1
    return any(each.name is not None and each.name.value == name for each in found)


def _too_costly(cost: int, most: int) -> dict[str, Any]:
    return {
        "errors": [
            {
                "message": f"Query cost is {cost}, which exceeds the single query max cost limit ({most}).",
                "extensions": {
                    "code": "MAX_COST_EXCEEDED",
                    "cost": cost,
                    "maxCost": most,
                    "documentation": _DOCS,
                },
            }
        ]
    }


def _internal_error(request: str) -> dict[str, Any]:
    text = "Internal error. Looks like something went wrong on our end.\n"
    extensions = {"code": "INTERNAL_SERVER_ERROR", "requestId": request}
    return {
        "errors": [
            {"message": f"{text}Request ID: {request} (include this in support requests).", "extensions": extensions}
        ]
    }


def _next_version(version: str) -> str:
    year, month = (int(part) for part in version.split("-"))
    return f"{year + month // 10}-{(month + 3) % 12:02}"
