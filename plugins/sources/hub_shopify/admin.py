"""Ask the Admin API: one query after the other, as fast as the shop's bucket of points fills."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub import api
from hub_shopify.replies import Body, Cost, ExpiredTokenError, is_busy, problem_of
from hub_shopify.tokens import Tokens

VERSION = "2026-10"
_PATH = f"/admin/api/{VERSION}/graphql.json"
_FIRST_POLL, _LONGEST_POLL, _GROWTH = 5.0, 60.0, 1.5
BUSY_PAUSE = 30.0
"""Seconds until another bulk operation is tried where as many run as may."""
_AT_LEAST, _SHARE = 500.0, 0.75
"""So many points, or this share of a small bucket, are left for the first page of a list, whose cost nobody knows."""
_GOES_ON = {"CREATED", "RUNNING", "CANCELING"}


class Admin:
    """Shopify's Admin API of one shop.

    ``answered_as`` is the version that answered last: one that is gone is not refused, another answers instead.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.answered_as: str | None = None
        self.cost: Cost | None = None
        self._tokens = tokens
        self._dearest = 0.0
        self._pause = 0.0
        self._judged: tuple[api.Reply | None, Body] = (None, {})

    def ask(self, http: api.Http, document: str, *, once: bool = False, **variables: Any) -> Mapping[str, Any]:
        """Send a query and return its data; ``once`` sends a mutation, which is not repeated by itself.

        Raises:
            CostlyError: it may cost more than the shop allows.
            AuthError, TransientError, SourceError: as their names say.
        """
        body = {"query": document, "variables": variables}
        try:
            reply = self._post(http, self._tokens.current(http), body, once)
        except ExpiredTokenError:
            if not self._tokens.can_renew:
                raise
            reply = self._post(http, self._tokens.renew(http), body, once)
        self.answered_as = reply.headers.get("x-shopify-api-version")
        answer = self._read(reply)
        self.cost = Cost.of(answer)
        data: Mapping[str, Any] = answer.get("data") or {}
        return data

    def pace(self, reply: api.Reply) -> float | None:
        """Return how long to wait: until the bucket holds the dearest query, or a bulk operation has got on."""
        body = self._read(reply)
        cost = Cost.of(body)
        if cost is None:
            return None
        self._dearest = max(self._dearest, cost.requested, min(_AT_LEAST, _SHARE * cost.maximum))
        return max(cost.wait(self._dearest + 1), self._poll_pause(body), BUSY_PAUSE if is_busy(body) else 0.0) or None

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Return the error that an answer means."""
        return problem_of(reply, self._read(reply))

    def reckon_anew(self) -> None:
        """Forget what queries cost, because they will be smaller from now on."""
        self._dearest = 0.0

    def _post(self, http: api.Http, token: str, body: Body, once: bool) -> api.Reply:
        return http.post(_PATH, json=body, headers={"X-Shopify-Access-Token": token}, reads=not once)

    def _read(self, reply: api.Reply) -> Body:
        """Return an answer's body, decoded once for whoever asks."""
        known, body = self._judged
        if known is not reply:
            body = _decoded(reply)
            self._judged = (reply, body)
        return body

    def _poll_pause(self, body: Body) -> float:
        operation = (body.get("data") or {}).get("bulkOperation") or {}
        if operation.get("status") not in _GOES_ON:
            self._pause = 0.0
        else:
            self._pause = min(_LONGEST_POLL, max(_FIRST_POLL, self._pause * _GROWTH))
        return self._pause


def _decoded(reply: api.Reply) -> Body:
    if reply.status >= 300:
        return {}
    try:
        body = reply.json()
    except api.TransientError:
        # The message would show the answer, and an answer may be a token.
        body = None
    if not isinstance(body, dict):
        raise api.TransientError(f"Shopify answered {reply.status} with something that is no JSON object")
    return body
