"""The destination ``google``: a Customer Match list that is kept equal to a segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from hub import api
from hub_google import answers, bodies
from hub_google.account import INGEST, REMOVE, Account, takes_customers
from hub_google.checks import look_at
from hub_google.settings import LONGEST, GoogleConfig
from hub_google.tokens import Tokens

_NOTHING_USABLE = "neither an e-mail address nor a phone that Google can match"
_ROWS = api.Limit(bodies.MEMBERS_A_CALL)
_FITTED = "lists"


class Google(api.Destination[GoogleConfig]):
    """Keep a Customer Match list. What tells of a person is hashed, but for country and postcode, as Google wants it.

    Google works on requests for minutes to hours and tells what became of them when asked; members end after a while
    and are sent again before that. It tells nobody who is in a list.
    """

    name = "google"
    Config = GoogleConfig
    can = api.Capabilities(
        ops={api.Op.ADD: _ROWS, api.Op.UPDATE: _ROWS, api.Op.REMOVE: _ROWS},
        rate=api.Rate(per_minute=300, per_day=100_000, concurrent=1),
        identify_by=("email", "phone"),
        purpose="ads",
        refresh_after=LONGEST / 2,
        permissions=True,
        attributes=bodies.ATTRIBUTES,
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.can = replace(type(self).can, refresh_after=self.config.membership / 2)
        self._token_http: api.Http | None = None

    @cached_property
    def account(self) -> Account:
        """Return the account behind the client."""
        if self._token_http is None:
            raise RuntimeError("the account is asked before client() was called")
        tokens = Tokens(self.config.credentials.get_secret_value(), self._token_http)
        return Account(self.http, tokens, self.config, self.classify)

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client, and the one that asks for tokens; neither is asked before there is something to ask."""
        self._token_http = connect(base_url=str(self.config.token_address))
        return connect(base_url=str(self.config.address), timeout=120.0)

    def close(self) -> None:
        """Close the client for tokens; hub closes the other one."""
        if self._token_http is not None:
            self._token_http.close()

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Read the reasons in an error."""
        return answers.meaning(reply, self.clock())

    def serving(self, purpose: str) -> api.Destination[Any]:
        """Refuse syncs of another purpose: who agreed to mails did not agree to be told of to Google."""
        if purpose != self.can.purpose:
            raise api.ConfigError(
                f"{self.connection} takes people who agreed to ads, the purpose cannot be {purpose}",
                next_step="Take `purpose` out of the sync.",
            )
        return self

    def check(self) -> Iterator[api.Finding]:
        """Try the credentials, and let Google validate an addition that it does not make."""
        yield from look_at(self.account, self.config)

    def forecast(self, planned: api.Planned) -> api.Forecast | None:
        """Reckon the calls, a look at a list that is not known to be fitted, and one later look at each request."""
        found = super().forecast(planned)
        if found is None:
            return None
        adds = bool(planned.counts.keys() - {api.Op.REMOVE})
        is_new = planned.remote_id is None
        looks = adds and not is_new and not self._is_fitted(str(planned.remote_id))
        return replace(found, reads=int(looks), later=found.calls)

    def ensure_audience(self, name: str) -> str:
        """Find the list by its name or create it."""
        found = self.account.find_list(name)
        if found is not None:
            return str(found["id"])
        made = self.account.create_list(bodies.new_list(name, self.config.membership))
        if made is not None:
            self._note_fitted(made)
            return made
        found = self.account.find_list(name)
        if found is None:
            raise api.ConfigError(
                f"Google says the name {name!r} is used, and shows no list of it",
                next_step="Give the sync another audience: the name belongs to a list of another kind or account.",
            )
        return str(found["id"])

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Add or remove with one call; what Google makes of it is asked later."""
        rows = []
        for member in batch:
            found = bodies.identifiers(member)
            if found:
                rows.append((member, found))
            else:
                # Whoever Google cannot match was never in the list.
                yield member.delivered() if batch.op is api.Op.REMOVE else member.rejected(_NOTHING_USABLE)
        if rows:
            yield from self._remove(batch, rows) if batch.op is api.Op.REMOVE else self._add(batch, rows)

    def poll(self, batch: api.Batch) -> Iterator[api.Outcome | api.Pending]:
        """Ask what became of a request."""
        told = self.account.status(str(batch.receipt))
        if told is None:
            yield from (member.unknown("Google no longer knows the request") for member in batch)
            return
        began = batch.as_of or self.clock()
        yield from answers.outcomes(told, batch, self.clock() - began)

    def forget(self, member: api.Member) -> api.Outcome:
        """Take the person out of every list of customers of the account, ten to a call."""
        found = bodies.identifiers(member)
        if not found:
            return member.rejected(_NOTHING_USABLE)
        lists = [str(each["id"]) for each in self.account.lists() if takes_customers(each)]
        for start in range(0, len(lists), bodies.DESTINATIONS_A_CALL):
            some = lists[start : start + bodies.DESTINATIONS_A_CALL]
            self.account.remove(bodies.removal(self.account.named, some, [found]))
        return member.delivered()

    def _add(self, batch: api.Batch, rows: list[Any]) -> Iterator[api.Outcome]:
        self._fit(batch.audience)
        named = self.account.named
        request, taken = yield from self.account.send(
            INGEST, rows, lambda some: bodies.ingestion(named, batch.audience, some)
        )
        yield from _accepted(taken, request)

    def _remove(self, batch: api.Batch, rows: list[Any]) -> Iterator[api.Outcome]:
        named = self.account.named
        try:
            request, taken = yield from self.account.send(
                REMOVE, rows, lambda some: bodies.removal(named, [batch.audience], (found for _, found in some))
            )
        except answers.GoneError:
            # No list, no members; one that is there and takes no removals is another matter.
            if self.account.read_list(batch.audience) is not None:
                raise
            yield from (member.delivered() for member, _ in rows)
            return
        yield from _accepted(taken, request)

    def _fit(self, list_id: str) -> None:
        """See once that members of a list stay as long as hub thinks, and that it is open."""
        if self._is_fitted(list_id):
            return
        found = self.account.read_list(list_id)
        if found is None:
            raise answers.GoneError(
                f"there is no list {list_id} in Google Ads any more",
                next_step="Give the sync another audience; the old one is named by `hub status`.",
            )
        wanted = {"membershipDuration": bodies.duration(self.config.membership), "membershipStatus": "OPEN"}
        changes = {name: value for name, value in wanted.items() if found.get(name) != value}
        if changes:
            self.account.change_list(list_id, changes)
        self._note_fitted(list_id)

    def _is_fitted(self, list_id: str) -> bool:
        return self._fitted().get(list_id) == bodies.duration(self.config.membership)

    def _fitted(self) -> dict[str, str]:
        return dict(self.remember.get(_FITTED) or {})

    def _note_fitted(self, list_id: str) -> None:
        self.remember.set(_FITTED, self._fitted() | {list_id: bodies.duration(self.config.membership)})


def _accepted(rows: list[Any], request: str) -> Iterator[api.Outcome]:
    return (api.Outcome(member, api.State.ACCEPTED, receipt=request) for member, _ in rows)
