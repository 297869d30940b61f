"""The destination ``meta``: a customer file custom audience that is kept equal to a segment."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from typing import Any

from hub import api
from hub_meta import answers, bodies
from hub_meta.account import Account
from hub_meta.checks import look_at
from hub_meta.names import sensitive
from hub_meta.sessions import Sessions
from hub_meta.settings import MetaConfig

_NOTHING_USABLE = "neither an e-mail address nor a phone that Meta can match"
_ROWS = api.Limit(bodies.ROWS_A_CALL)
_HOUR = 3_600.0


class Meta(api.Destination[MetaConfig]):
    """Keep a custom audience of customers. Everything that tells of a person is hashed before it leaves.

    Meta tells nobody who is in an audience, only about how many.
    """

    name = "meta"
    Config = MetaConfig
    can = api.Capabilities(
        ops={api.Op.ADD: _ROWS, api.Op.UPDATE: _ROWS, api.Op.REMOVE: _ROWS},
        # As many in an hour as the least quota nearly allows; batches for one audience go one after the other.
        rate=api.Rate(per_minute=80, concurrent=1),
        identify_by=("email", "phone"),
        purpose="ads",
        attributes=bodies.ATTRIBUTES,
    )
    quota = 5_000
    """Calls that every account may make in an hour, whatever its tier ("Rate Limiting" in Meta's documentation)."""

    @cached_property
    def account(self) -> Account:
        """Return the ad account behind the client."""
        return Account(self.http, self.config.account)

    @cached_property
    def sessions(self) -> Sessions:
        """Return the uploads of this run."""
        return Sessions(self.config.account, self.clock)

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client; with the app's secret every call carries the proof that Meta may demand."""
        token = self.config.access_token.get_secret_value()
        params = {}
        if self.config.app_secret is not None:
            secret = self.config.app_secret.get_secret_value()
            params["appsecret_proof"] = hmac.new(secret.encode(), token.encode(), sha256).hexdigest()
        base_url = f"{self.config.address}/{self.config.version}"
        return connect(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, params=params)

    def pace(self, reply: api.Reply) -> float | None:
        """Slow down as the quota is used up."""
        return answers.pace(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Read the error in the body, which may stand under any status."""
        return answers.meaning(reply, self.config.account)

    def serving(self, purpose: str) -> api.Destination[Any]:
        """Refuse syncs of another purpose: who agreed to mails did not agree to be told of to Meta."""
        if purpose != self.can.purpose:
            raise api.ConfigError(
                f"{self.connection} takes people who agreed to ads, the purpose cannot be {purpose}",
                next_step="Take `purpose` out of the sync.",
            )
        return self

    def check(self) -> Iterator[api.Finding]:
        """Try the token, the account, the terms, and look for audiences that Meta has barred."""
        yield from look_at(self.http, self.config)

    def first_load(self, audience: str) -> str | None:
        """Warn of a name that Meta may block the audience for."""
        found = sensitive(audience)
        if found is None:
            return None
        word, subject = found
        return (
            f"Meta blocks audiences whose name hints at {subject}, and {audience!r} says {word!r}; "
            "give the sync a neutral `audience` before it is made"
        )

    def seconds(self, forecast: api.Forecast) -> float:
        """Reckon the pauses of the rate, and from three quarters of an hour's least quota on those of the headers."""
        rate, calls = self.can.rate or api.Rate(), forecast.calls + forecast.reads
        quick = int(self.quota * answers.BUSY / 100)
        hours, left = divmod(max(0, calls - 1), quick)
        by_hours = hours * _HOUR + (rate.seconds(left + 1) or 0.0)
        # What comes after the first three quarters goes slowly at once, until the hour ends.
        slowly = (rate.seconds(quick) or 0.0) + (calls - quick) * answers.SLOWER
        return min(by_hours, slowly) if calls > quick else by_hours

    def ensure_audience(self, name: str) -> str:
        """Find the customer file audience by its name or create it."""
        found = self.account.find_audience(name)
        return found or self.account.create_audience(name, self.config.customer_file_source)

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Add or remove with one call. That Meta took it says that it was received, not that it was matched."""
        known = bodies.rows(batch)
        usable = [(member, identifiers) for member, identifiers in known if identifiers]
        invalid: set[str] = set()
        if usable:
            invalid = self._send(batch, usable)
        for member, identifiers in known:
            yield self._outcome(batch.op, member, identifiers, invalid)

    def forget(self, member: api.Member) -> api.Outcome:
        """Take the person out of every audience of the ad account."""
        [(_, identifiers)] = bodies.rows([member])
        if not identifiers:
            return member.rejected(_NOTHING_USABLE)
        self.account.forget(bodies.payload(bodies.schema([]), [identifiers]))
        return member.delivered()

    def _send(self, batch: api.Batch, usable: list[tuple[api.Member, dict[str, str]]]) -> set[str]:
        removes = batch.op is api.Op.REMOVE
        keys = bodies.schema([] if removes else [member for member, _ in usable])
        body = {
            "session": self.sessions.place(batch, len(usable)),
            "payload": bodies.payload(keys, (identifiers for _, identifiers in usable)),
        }
        if not removes:
            return self.account.add(batch.audience, body)
        try:
            self.account.remove(batch.audience, body)
        except answers.GoneError:
            # No audience, no members; one that is there and not for this token's eyes is another matter.
            if self.account.has(batch.audience):
                raise
        return set()

    @staticmethod
    def _outcome(op: api.Op, member: api.Member, identifiers: dict[str, str], invalid: set[str]) -> api.Outcome:
        if op is api.Op.REMOVE:
            # Whoever Meta cannot match was never in it.
            return member.delivered()
        if not identifiers:
            return member.rejected(_NOTHING_USABLE)
        told = {identifiers[name] for name in ("email", "phone") if identifiers[name]}
        return member.rejected("Meta calls every identifier invalid") if told <= invalid else member.delivered()
