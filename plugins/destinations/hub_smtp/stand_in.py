"""A mail relay on this machine that keeps every mail and delivers none."""

from __future__ import annotations

import asyncio
import email
import email.policy
import logging
import ssl
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from types import MappingProxyType
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from hub import api

PASSWORD = "sandbox"  # noqa: S105 - the stand-in's own, good for nothing else
_LARGEST_MAIL = 25_000_000  # what most relays take
_UNTIL_HEALED = {"times": "always if empty"}
_ONCE = {"times": "once if empty"}
_FAULTS = (
    api.Fault(
        "refuse-recipient",
        "Refuse recipients for good.",
        {
            "address": "everyone if empty",
            "code": "550 if empty",
            "text": "5.1.1 user unknown if empty",
            **_UNTIL_HEALED,
        },
    ),
    api.Fault(
        "temporary",
        "Refuse recipients for now.",
        {"code": "451 if empty", "text": "4.3.0 try again later if empty", **_ONCE},
    ),
    api.Fault(
        "refuse-sender",
        "Take no mail from anyone.",
        {
            "code": "550 if empty",
            "text": "5.7.1 sender not allowed if empty",
            **_UNTIL_HEALED,
        },
    ),
    api.Fault(
        "refuse-message",
        "Refuse mails after their last byte.",
        {
            "code": "554 if empty",
            "text": "5.6.0 content refused if empty",
            **_UNTIL_HEALED,
        },
    ),
    api.Fault("drop-before-data", "Hang up when a mail is about to be sent.", _ONCE),
    api.Fault("drop-after-data", "Take the mail, then hang up without an answer.", _ONCE),
    api.Fault("refuse-login", "Refuse name and password.", {"code": "535 if empty", **_UNTIL_HEALED}),
    api.Fault("slow", "Wait before every answer about a recipient.", {"seconds": "1 if empty", **_UNTIL_HEALED}),
)
_ONCE_BY_DEFAULT = frozenset(fault.name for fault in _FAULTS if fault.parameters.get("times") == _ONCE["times"])


@dataclass(slots=True)
class _Active:
    """A fault that was asked for; ``left`` None means until healed."""

    values: dict[str, str]
    left: int | None


class SmtpStandIn(api.StandIn):
    """Receive, store and list mails.

    ``tls`` makes it offer STARTTLS, ``implicit_tls`` TLS from the first byte; without them it speaks plain text.
    """

    plugin = "smtp"
    faults = _FAULTS
    secrets = MappingProxyType({"password": PASSWORD})

    def __init__(self, *, tls: ssl.SSLContext | None = None, implicit_tls: bool = False) -> None:
        self._tls = tls
        self._implicit = implicit_tls
        self._lock = threading.Lock()
        self._active: dict[str, _Active] = {}
        self._mails: list[dict[str, Any]] = []
        self._counts = {"served": 0, "refused": 0, "connections": 0}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self, port: int = 0) -> str:
        """Start serving and return the address."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd warns of its own deprecations at each login
        loop = asyncio.new_event_loop()
        tls = self._tls if self._implicit else None
        server = loop.run_until_complete(loop.create_server(self._session, "127.0.0.1", port, ssl=tls))
        self._loop = loop
        self._thread = threading.Thread(target=_serve, args=(loop, server), name="smtp stand-in", daemon=True)
        self._thread.start()
        host, port = server.sockets[0].getsockname()[:2]
        return f"{'smtps' if tls else 'smtp'}://{host}:{port}"

    def stop(self) -> None:
        """Stop serving; the mails stay readable."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop = self._thread = None

    def fault(self, name: str, **parameters: Any) -> None:
        """Ask for a fault from now on."""
        known = {fault.name: fault for fault in self.faults}
        if name not in known:
            raise ValueError(f"there is no fault {name!r}; known: {', '.join(known)}")
        given = {key: str(value) for key, value in parameters.items() if value not in (None, "")}
        strange = given.keys() - known[name].parameters.keys()
        if strange:
            raise ValueError(f"{name} has no parameter {sorted(strange)[0]!r}")
        if "text" in given and not given["text"].isprintable():
            raise ValueError("the text of an answer is one line")
        numbers = {key: float(given[key]) for key in ("code", "times", "seconds") if key in given}
        if not 400 <= numbers.get("code", 500) < 600 or min(numbers.values(), default=0) < 0:
            raise ValueError("a code is 400 to 599, times and seconds are not negative")
        once = 1 if name in _ONCE_BY_DEFAULT else None
        left = int(numbers["times"]) if "times" in numbers else once
        with self._lock:
            self._active[name] = _Active(given, left)

    def heal(self) -> None:
        """End all faults."""
        with self._lock:
            self._active.clear()

    def state(self) -> Mapping[str, Any]:
        """Return the mails and the counts."""
        with self._lock:
            faults = {name: {**active.values, "left": active.left} for name, active in self._active.items()}
            return {**self._counts, "faults": faults, "mails": list(self._mails)}

    def take(self, name: str, **where: str) -> dict[str, str] | None:
        """Use up one turn of a fault, where its parameters fit; None: behave."""
        with self._lock:
            active = self._active.get(name)
            if active is None or active.left == 0:
                return None
            if any(key in active.values and active.values[key].lower() != where[key].lower() for key in where):
                return None
            if active.left is not None:
                active.left -= 1
            return active.values

    def count(self, what: str) -> None:
        """Count something served or refused."""
        with self._lock:
            self._counts[what] += 1

    def keep(self, envelope: Envelope) -> None:
        """Store a mail."""
        shown = _read(envelope)
        with self._lock:
            self._mails.append(shown)

    def _session(self) -> SMTP:
        self.count("connections")
        return _Session(
            _Handler(self),
            data_size_limit=_LARGEST_MAIL,
            enable_SMTPUTF8=True,
            hostname="sandbox",
            ident="hub mail stand-in",
            tls_context=None if self._implicit else self._tls,
            auth_require_tls=False,
            authenticator=self._authenticate,
            loop=self._loop,
        )

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _method: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        fault = self.take("refuse-login")
        if right and fault is None:
            return AuthResult(success=True)
        self.count("refused")
        code = (fault or {}).get("code", "535")
        return AuthResult(success=False, handled=False, message=f"{code} 5.7.8 Authentication credentials invalid")


class _Session(SMTP):
    """aiosmtpd's session, with one more way to fail."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd finds it by this name
        """Hang up instead, if asked to."""
        stand_in = self.event_handler.stand_in
        if stand_in.take("drop-before-data") is not None:
            stand_in.count("refused")
            _hang_up(self)
            return
        await super().smtp_DATA(arg)


class _Handler:
    """What aiosmtpd asks at each step; the names are its own."""

    def __init__(self, stand_in: SmtpStandIn) -> None:
        self.stand_in = stand_in

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        fault = self.stand_in.take("refuse-sender")
        if fault is not None:
            return self._refuse(fault, "550", "5.7.1 sender not allowed")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        slow = self.stand_in.take("slow")
        if slow is not None:
            await asyncio.sleep(float(slow.get("seconds", "1")))
        fault = self.stand_in.take("refuse-recipient", address=address)
        if fault is not None:
            return self._refuse(fault, "550", "5.1.1 user unknown")
        fault = self.stand_in.take("temporary")
        if fault is not None:
            return self._refuse(fault, "451", "4.3.0 try again later")
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        fault = self.stand_in.take("refuse-message")
        if fault is not None:
            return self._refuse(fault, "554", "5.6.0 content refused")
        self.stand_in.keep(envelope)
        self.stand_in.count("served")
        if self.stand_in.take("drop-after-data") is not None:
            _hang_up(server)
        return "250 2.0.0 OK"

    def _refuse(self, fault: Mapping[str, str], code: str, text: str) -> str:
        self.stand_in.count("refused")
        return f"{fault.get('code', code)} {fault.get('text', text)}"


def _hang_up(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.WriteTransport):
        session.transport.abort()


def _serve(loop: asyncio.AbstractEventLoop, server: asyncio.AbstractServer) -> None:
    """Run until told to stop, then end what is left."""
    asyncio.set_event_loop(loop)
    loop.run_forever()
    server.close()
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def _read(envelope: Envelope) -> dict[str, Any]:
    raw = envelope.original_content or b""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return {
        "to": ", ".join(envelope.rcpt_tos),
        "subject": str(message["Subject"] or ""),
        "from": str(message["From"] or ""),
        "envelope_from": envelope.mail_from,
        "received_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "headers": [[name, str(value)] for name, value in message.items()],
        "text": _part(message, "plain"),
        "html": _part(message, "html"),
        "raw": raw.decode("utf-8", "replace"),
    }


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return str(part.get_content()) if part else None


@api.hookimpl
def hub_stand_ins() -> Iterable[type[api.StandIn]]:
    """Offer the mail stand-in."""
    return [SmtpStandIn]
