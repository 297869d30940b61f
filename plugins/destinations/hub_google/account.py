"""Calls to a Google Ads account through the Data Manager API."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from hub import api
from hub_google import answers, bodies
from hub_google.settings import GoogleConfig
from hub_google.tokens import Tokens

INGEST, REMOVE = "/v1/audienceMembers:ingest", "/v1/audienceMembers:remove"
_STATUS = "/v1/requestStatus:retrieve"
_PAGE = 1_000
_ROUNDS = 10
_UNAUTHENTICATED, _REFUSED, _MISSING = 401, 400, 404

Json = dict[str, Any]
Row = tuple[api.Member, list[Json]]
Body = Callable[[list[Row]], Json]


class Account:
    """One Google Ads account, asked through hub's client with a token that is renewed."""

    def __init__(
        self, http: api.Http, tokens: Tokens, config: GoogleConfig, judge: Callable[[api.Reply], api.HubError | None]
    ) -> None:
        self._http, self._tokens, self._judge = http, tokens, judge
        self._lists = f"/v1/{bodies.resource(config.customer)}/userLists"
        self._project = config.quota_project
        self._login = config.login_customer
        self.named = bodies.account(config.customer, config.login_customer)

    def lists(self, **params: Any) -> Iterator[Json]:
        """Yield the account's lists, a thousand to a call."""
        asked = {"pageSize": _PAGE, **params}
        while True:
            page = self._get(self._lists, asked).json()
            yield from page.get("userLists") or ()
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]

    def first_page(self) -> list[Json]:
        """Return some of the account's lists, with one call."""
        return list(self._get(self._lists, {"pageSize": _PAGE}).json().get("userLists") or ())

    def find_list(self, name: str) -> Json | None:
        """Return the list of customers of exactly this name."""
        found = self.lists(filter=bodies.named(name))
        return next((each for each in found if each.get("displayName") == name and takes_customers(each)), None)

    def read_list(self, list_id: str) -> Json | None:
        """Return a list; None where the account has none of this id."""
        reply = self._get(f"{self._lists}/{quote(list_id)}", ok=(_MISSING,))
        return None if reply.status == _MISSING else dict(reply.json())

    def create_list(self, body: Json) -> str | None:
        """Create a list and return its id; None where the name was taken a moment ago."""
        reply = self._post(self._lists, body, ok=(_REFUSED,))
        if reply.status == _REFUSED:
            if answers.NAME_TAKEN in answers.reasons(reply):
                return None
            raise self._judged(reply)
        return str(reply.json()["id"])

    def change_list(self, list_id: str, body: Json) -> None:
        """Change some fields of a list."""
        params = {"updateMask": ",".join(body)}
        path = f"{self._lists}/{quote(list_id)}"
        self._send(lambda headers, ok: self._http.patch(path, params=params, json=body, headers=headers, ok=ok), ())

    def send(self, path: str, rows: list[Row], body: Body) -> Generator[api.Outcome, None, tuple[str, list[Row]]]:
        """Send rows, leaving out what Google names as wrong; yield refusals, return the request's id and the rest.

        One wrong value fails the whole request before anything is done; the field that is named tells the member and
        the identifier. A member who has others is sent without it.

        Raises:
            RejectedError: the request is refused and no row is named, or rows are named again and again.
        """
        for _ in range(_ROUNDS):
            if not rows:
                return "", []
            reply = self._post(path, body(rows), ok=(_REFUSED,))
            if reply.status != _REFUSED:
                return str(reply.json()["requestId"]), rows
            wrong = answers.named_rows(reply, len(rows))
            if not wrong:
                raise self._judged(reply)
            rows = yield from _without(rows, wrong)
        raise self._judged(reply)

    def validate(self, body: Json) -> None:
        """Let Google look at a body and do nothing; counted as a read."""
        self._post(INGEST, body, reads=True)

    def remove(self, body: Json) -> None:
        """Take people out of lists."""
        self._post(REMOVE, body)

    def status(self, request_id: str) -> Json | None:
        """Return what became of a request; None where Google does not know it."""
        reply = self._get(_STATUS, {"requestId": request_id}, ok=(_REFUSED, _MISSING))
        return None if reply.status in {_REFUSED, _MISSING} else dict(reply.json())

    def _get(self, path: str, params: Mapping[str, Any] | None = None, ok: tuple[int, ...] = ()) -> api.Reply:
        return self._send(lambda headers, ok: self._http.get(path, params=params, headers=headers, ok=ok), ok)

    def _post(self, path: str, body: Json, ok: tuple[int, ...] = (), *, reads: bool = False) -> api.Reply:
        return self._send(lambda headers, ok: self._http.post(path, json=body, headers=headers, ok=ok, reads=reads), ok)

    def _send(self, ask: Callable[[Mapping[str, str], tuple[int, ...]], api.Reply], ok: tuple[int, ...]) -> api.Reply:
        """Ask with a token; one that is refused before its time is renewed once."""
        reply = ask(self._headers(), (*ok, _UNAUTHENTICATED))
        if reply.status == _UNAUTHENTICATED:
            self._tokens.renew()
            reply = ask(self._headers(), ok)
        return reply

    def _headers(self) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {self._tokens.current()}"}
        if self._login is not None:
            # Calls about lists name it here, those about people in their body too.
            headers["login-account"] = bodies.resource(self._login)
        if self._project is not None:
            headers["x-goog-user-project"] = self._project
        return headers

    def _judged(self, reply: api.Reply) -> api.HubError:
        return self._judge(reply) or api.RejectedError(f"Google answered {reply.status}")


def takes_customers(each: Mapping[str, Any]) -> bool:
    """Tell whether a list is made of customers' e-mails and phones, and may be changed."""
    info = each.get("ingestedUserListInfo") or {}
    return "CONTACT_ID" in (info.get("uploadKeyTypes") or ()) and not each.get("readOnly")


def _without(
    rows: list[Row], wrong: Mapping[int, tuple[str, set[int] | None]]
) -> Generator[api.Outcome, None, list[Row]]:
    """Return the rows without what is wrong; yield that a member is refused of whom too little is left."""
    kept: list[Row] = []
    for place, (member, found) in enumerate(rows):
        why, places = wrong.get(place, ("", set()))
        left = [] if places is None else [each for number, each in enumerate(found) if number not in places]
        if any("address" not in each for each in left):
            kept.append((member, left))
        else:
            yield member.rejected(why)
    return kept
