"""The destination ``smtp``: a personal mail to each person who newly enters."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from hub import api
from hub_smtp.message import Mail, RowError, ascii_address, build, message_id
from hub_smtp.relay import Answer, Relay, Verdict
from hub_smtp.settings import SmtpConfig, split_sender
from hub_smtp.template import MailTemplate, MissingError, Rendered, open_template
from hub_smtp.tokens import Tokens

_MAILTO_ONLY_PER_DAY = 1_000
_REFUSALS_IN_A_ROW = 3
_NOT_THE_PERSON = {Verdict.POLICY, Verdict.CONTENT}
_FULL_DAYS = 3
_DAY = 86_400.0
_PURPOSES = ("email_marketing", "cart_reminder")
_LARGEST_HTML = 100_000  # Gmail cuts longer mails, and the unsubscribe link with them


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Smtp(api.Destination[SmtpConfig]):
    """Mail each person who newly enters the audience, once, through a relay.

    One mail is one batch, so that a crash leaves at most one mail of which nobody knows whether it left.
    """

    name = "smtp"
    Config = SmtpConfig
    can = api.Capabilities(
        ops={api.Op.ADD: api.Limit(1)},
        rate=api.Rate(per_second=10),
        identify_by=("email",),
        purpose="email_marketing",
        repeatable=False,
        cooldown=timedelta(days=7),
        cap=timedelta(hours=16),
    )

    def __init__(
        self,
        *,
        connection: str,
        config: SmtpConfig,
        shop: api.Shop,
        remember: api.Memory,
        clock: Callable[[], datetime] = _utc_now,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(connection=connection, config=config, shop=shop, remember=remember)
        self.can = replace(self.can, rate=api.Rate(per_second=config.per_second), cooldown=config.cooldown)
        self._clock = clock
        self._relay = Relay(config.server, _login(config), tls=tls)
        self._sender = split_sender(config.sender)
        self._refusals = 0

    @classmethod
    def starter_files(cls) -> Mapping[str, Path]:
        """Return the template of a first reminder, to be changed to taste."""
        folder = Path(__file__).with_name("templates") / "reminder"
        return {f"templates/reminder/{path.name}": path for path in sorted(folder.iterdir())}

    @property
    def cooldown(self) -> timedelta | None:
        """Return the pause from the settings."""
        return self.config.cooldown

    @cached_property
    def _template(self) -> MailTemplate:
        return open_template(self.shop, self.config.template)

    @cached_property
    def _tokens(self) -> Tokens:
        return Tokens.recall(self.connection, self.remember)

    def serving(self, purpose: str) -> api.Destination[SmtpConfig]:
        """Refuse syncs of a purpose for which nobody is asked whether they take mails.

        Raises:
            ConfigError: the purpose is neither email_marketing nor cart_reminder.
        """
        if purpose not in _PURPOSES:
            raise api.ConfigError(
                f"{self.connection} sends mails to people who agreed to mails, the purpose cannot be {purpose}",
                next_step=f"Take `purpose` out of the sync, or set one of {', '.join(_PURPOSES)}.",
            )
        return self

    def prepare(self, attributes: Sequence[str]) -> None:
        """Look for attributes that the template needs and the sync does not send, so that no mail goes before.

        What the template's text does not tell, such as a file that it includes by a name reckoned while it renders, is
        found by rendering it with made-up values.

        Raises:
            ConfigError: the template needs an attribute that the sync does not send.
        """
        if missing := self._template.needs() - frozenset(attributes):
            raise self._not_sent(sorted(missing))
        samples = self._template.samples(frozenset(attributes))
        try:
            self._template.render(samples, self._given("you@example.com", "0"))
        except MissingError as error:
            if error.name is not None and error.name not in samples:
                raise self._not_sent([error.name]) from None
        except RowError:
            return  # made-up values prove nothing about real ones

    def _not_sent(self, names: Sequence[str]) -> api.ConfigError:
        return api.ConfigError(
            f"the template {self.config.template} needs {', '.join(names)}, which the sync does not send",
            next_step=f"Add {', '.join(names)} to `attributes` of the sync, or write "
            f"{{{{ {names[0]} | default('') }}}} in the template.",
        )

    def seconds(self, forecast: api.Forecast) -> float | None:
        """Reckon the pauses between mails, and a day for each day's mails beyond those of today."""
        within = super().seconds(forecast)
        days = max(0, self._sent_today() + forecast.calls - 1) // self._per_day()
        return (within or 0.0) + days * _DAY if days else within

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Mail the members; hub gives one at a time."""
        for number, member in enumerate(batch):
            try:
                yield self._mail(member, batch)
            except api.TransientError as error:
                if number == 0:
                    raise
                yield member.failed(str(error))

    def check(self) -> Iterator[api.Finding]:
        """Log in, name the sender, and render the template with made-up values; nothing is sent."""
        yield from self._check_template()
        try:
            self._relay.probe(self._envelope_sender("0"))
        except api.HubError as error:
            yield api.Finding.error(str(error), next_step=error.next_step or "Is the relay's address right?")
        else:
            yield api.Finding.ok(f"{self.config.server} takes mail from {self._sender[1]}")
        if self._password_unused():
            yield api.Finding.warning(
                "there is a password but no name to log in with: mails go without a login",
                next_step="Set username, or delete the password with `hub secret delete`.",
                code="no-username",
            )
        if self.config.unsubscribe_url is None:
            yield api.Finding.warning(
                f"no one-click unsubscribe: at most {_MAILTO_ONLY_PER_DAY:,} mails a day are sent",
                next_step="Set unsubscribe_url; large mailbox providers demand it from bulk senders.",
                code="mailto-only",
            )

    def close(self) -> None:
        """Leave the relay."""
        self._relay.close()

    def _password_unused(self) -> bool:
        # The sandbox, on loopback, gives every secret there is: nobody has set that password.
        given = self.config.password is not None and self.config.username is None
        return given and not self.config.server.is_loopback

    def _mail(self, member: api.Member, batch: api.Batch) -> api.Outcome:
        if not member.email:
            return member.rejected("there is no e-mail address to write to")
        if self._sent_today() >= self._per_day():
            return member.failed(f"the day's {self._per_day():,} mails are sent; the rest goes tomorrow (UTC)")
        token = self._tokens.make(member.key, batch.audience)
        try:
            to = ascii_address(member.email)
            rendered = self._template.render(member.attributes, self._given(to, token))
            mail = build(self._compose(to, rendered, token, f"{batch.key}/{member.key}"))
        except RowError as error:
            return member.rejected(str(error))
        if not to.isascii() and not self._relay.international:
            return member.rejected("the relay takes no addresses beyond ASCII (SMTPUTF8)")
        return self._outcome(member, self._relay.send(self._envelope_sender(token), to, mail))

    def _compose(self, to: str, rendered: Rendered, token: str, key: str) -> Mail:
        return Mail(
            sender=self._sender,
            to=to,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_id=message_id(key, self._sender[1].rpartition("@")[2]),
            date=self._clock(),
            links=self._links(token),
            reply_to=split_sender(self.config.reply_to) if self.config.reply_to else None,
            list_id=self.config.list_id,
        )

    def _outcome(self, member: api.Member, answer: Answer) -> api.Outcome:
        if answer.verdict in {Verdict.TAKEN, Verdict.LOST}:
            self._count()
        if answer.verdict is Verdict.LOST:
            return member.unknown("the connection broke after the mail was sent, before the relay's answer")
        self._refusals = self._refusals + 1 if answer.verdict in _NOT_THE_PERSON else 0
        if self._refusals >= _REFUSALS_IN_A_ROW:
            raise api.AuthError(
                f"{self.config.server} refused {self._refusals} mails in a row: {answer}",
                next_step="Before sending on, check SPF, DKIM, DMARC and reputation of the sender, and the template.",
            )
        if answer.verdict is Verdict.TAKEN:
            self._forget_full(member)
            return member.delivered()
        if answer.verdict is Verdict.FULL:
            return self._full(member, answer)
        blocks = "hard_bounce" if answer.verdict is Verdict.NO_SUCH_PERSON else None
        return member.rejected(str(answer), blocks=blocks)

    def _given(self, to: str, token: str) -> dict[str, str]:
        return {
            "email": to,
            "unsubscribe": self._links(token)[0],
            "postal_address": self.config.postal_address,
            "shop": self.shop.name,
        }

    def _links(self, token: str) -> tuple[str, ...]:
        url, address = self.config.unsubscribe_url, self.config.unsubscribe_mailto
        links = [url.replace("{token}", token)] if url else []
        if address and "{token}" in address:
            links.append(f"mailto:{address.replace('{token}', token)}?subject=unsubscribe")
        elif address:
            links.append(f"mailto:{address}?subject=unsubscribe%20{token}")
        return tuple(links)

    def _envelope_sender(self, token: str) -> str:
        return (self.config.bounce_address or self._sender[1]).replace("{token}", token)

    def _per_day(self) -> int:
        limits = [self.config.per_day, None if self.config.unsubscribe_url else _MAILTO_ONLY_PER_DAY]
        return min((limit for limit in limits if limit is not None), default=10**9)

    def _today(self) -> str:
        return self._clock().astimezone(UTC).date().isoformat()

    def _sent_today(self) -> int:
        kept = self.remember.get("sent") or {}
        return int(kept.get("mails", 0)) if kept.get("day") == self._today() else 0

    def _count(self) -> None:
        self.remember.set("sent", {"day": self._today(), "mails": self._sent_today() + 1})

    def _full(self, member: api.Member, answer: Answer) -> api.Outcome:
        """Try a full mailbox on three days, then leave it alone until the person opts in anew."""
        entry = f"full/{member.key}"
        days = sorted({*(self.remember.get(entry) or ()), self._today()})
        if len(days) >= _FULL_DAYS:
            self.remember.set(entry, None)
            return member.rejected(str(answer), blocks="soft_bounce")
        self.remember.set(entry, days)
        return member.failed(str(answer))

    def _forget_full(self, member: api.Member) -> None:
        entry = f"full/{member.key}"
        if self.remember.get(entry):
            self.remember.set(entry, None)

    def _check_template(self) -> Iterator[api.Finding]:
        try:
            template = self._template
            names = template.names()
            rendered = template.render(template.samples(names), self._given("you@example.com", "0"))
            build(self._compose("you@example.com", rendered, "0", "check"))
        except api.ConfigError as error:
            yield api.Finding.error(str(error), next_step=error.next_step)
        except RowError as error:
            yield api.Finding.warning(f"{self.config.template}, tried with made-up values: {error}", code="template")
        else:
            yield api.Finding.ok(f"{self.config.template} renders")
            if names:
                yield api.Finding.info(f"{self.config.template} can show: {', '.join(sorted(names))}")
            if len(rendered.html.encode()) > _LARGEST_HTML:
                yield api.Finding.warning(
                    f"body.html is larger than {_LARGEST_HTML // 1000} kB; Gmail cuts it, with the unsubscribe link",
                    next_step="Make it smaller.",
                    code="template-size",
                )


def _login(config: SmtpConfig) -> tuple[str, str] | None:
    """Return name and password; without a name there is no login.

    Raises:
        ConfigError: there is a name without a password.
    """
    if config.username is None:
        return None
    if config.password is None:
        raise api.ConfigError(
            f"the login of {config.username} at {config.server} needs a password",
            next_step="Set it with `hub secret set`, or take `username` out.",
        )
    return config.username, config.password.get_secret_value()
