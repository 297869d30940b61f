"""The connection to the relay, and what its answers mean."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from dataclasses import dataclass
from enum import Enum

from hub import api

_TIMEOUT = 30.0
_MAILS_PER_CONNECTION = 100
_PORTS = {"smtp": 587, "smtps": 465}
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_LOGIN_WANTED = {530, 534, 535, 538}
_NO_SUCH_PERSON = {(1, 1), (1, 2), (1, 10)}
_MAILBOX_FULL_OR_OFF = {(2, 1), (2, 2)}
_UNKNOWN_USER = re.compile(
    r"(user|recipient|mailbox|account|address).{0,40}(unknown|not found|does ?n[o']t exist|invalid|no such)"
    r"|(no such|unknown|invalid) (user|recipient|mailbox|account|address|person)",
    re.IGNORECASE,
)
_LINE_START_DOT = re.compile(rb"^\.", re.MULTILINE)
_START, _END = 354, b".\r\n"


class Verdict(Enum):
    """What a relay's answer about one mail means for the person it is for."""

    TAKEN = "taken"
    NO_SUCH_PERSON = "there is no such mailbox"
    FULL = "the mailbox is full or switched off"
    POLICY = "refused by policy or reputation"
    CONTENT = "the message was refused"
    REFUSED = "refused"
    LOST = "the answer was lost"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict with the relay's code; the relay's own words are not kept, they may repeat the address."""

    verdict: Verdict
    code: str = ""

    def __str__(self) -> str:
        return f"{self.verdict.value} ({self.code})" if self.code else self.verdict.value


def judge(code: int, text: str, *, about_recipient: bool) -> Answer:
    """Say what a permanent refusal (5xx) of a recipient or of a message means."""
    found = _ENHANCED.search(text[:80])
    status = (int(found[2]), int(found[3])) if found and found[1] == "5" else None
    shown = f"{code} 5.{status[0]}.{status[1]}" if status else str(code)
    if status and status[0] == 7:
        return Answer(Verdict.POLICY, shown)
    if about_recipient and status in _NO_SUCH_PERSON:
        return Answer(Verdict.NO_SUCH_PERSON, shown)
    if about_recipient and status in _MAILBOX_FULL_OR_OFF:
        return Answer(Verdict.FULL, shown)
    if about_recipient and status is None and code == 550 and _UNKNOWN_USER.search(text):
        return Answer(Verdict.NO_SUCH_PERSON, shown)
    return Answer(Verdict.REFUSED if about_recipient else Verdict.CONTENT, shown)


class Relay:
    """One relay: connects when needed, keeps the connection for up to 100 mails, never sends twice."""

    def __init__(
        self, server: api.Endpoint, login: tuple[str, str] | None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._login = login
        self._tls = tls
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0

    @property
    def international(self) -> bool:
        """Connect, and tell whether the relay takes addresses beyond ASCII (SMTPUTF8)."""
        return self._connected().has_extn("smtputf8")

    def send(self, sender: str, recipient: str, mail: bytes) -> Answer:
        """Send one mail and say what the relay answered.

        Raises:
            AuthError: the relay wants no mail from us at all.
            TransientError: surely not taken, for a passing reason.
        """
        try:
            self._begin(sender, international=not recipient.isascii())
            code, reply = self._connected().rcpt(recipient)
            if code >= 500:
                self.reset()
                self._refuse_without_login(code)
                return judge(code, _text(reply), about_recipient=True)
            self._expect(code, reply, 200, "the recipient")
            code, reply = self._connected().docmd("DATA")
            if code >= 500:
                self.reset()
                return judge(code, _text(reply), about_recipient=False)
            self._expect(code, reply, 300, "the message")
            self._connected().send(_stuffed(mail))
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise _passing(f"the connection to {self._server} broke before the mail was sent", error) from None
        return self._finish()

    def probe(self, sender: str) -> None:
        """Connect, log in and name the sender, without sending anything; errors as in ``send``."""
        try:
            self._begin(sender)
            self.reset()
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise _passing(f"the connection to {self._server} broke", error) from None

    def reset(self) -> None:
        """Forget the mail that was begun; a relay that cannot is left."""
        try:
            code, _ = self._connected().rset()
        except (smtplib.SMTPException, OSError):
            code = -1
        if code != 250:
            self.close()

    def close(self) -> None:
        """Leave the relay, politely if it still listens."""
        smtp, self._smtp, self._sent = self._smtp, None, 0
        if smtp is None:
            return
        try:
            smtp.quit()
        except (smtplib.SMTPException, OSError):
            smtp.close()

    def _begin(self, sender: str, *, international: bool = False) -> None:
        """Name the sender; where a kept connection has gone stale meanwhile, on a new one."""
        options = ["SMTPUTF8", "BODY=8BITMIME"] if international else []
        if self._sent >= _MAILS_PER_CONNECTION:
            self.close()
        kept = self._smtp is not None
        try:
            code, reply = self._connected().mail(sender, options)
        except (smtplib.SMTPServerDisconnected, ConnectionError):
            code, reply = 421, b""
            if not kept:
                raise
        if kept and code == 421:
            self.close()
            code, reply = self._connected().mail(sender, options)
        if code >= 500:
            self.close()
            self._refuse_without_login(code)
            raise api.AuthError(
                f"{self._server} takes no mail from this sender: {_code(code, reply)}",
                next_step="Check sender, bounce_address and username, and what the relay allows, with `hub check`.",
            )
        self._expect(code, reply, 200, "the sender")

    def _expect(self, code: int, reply: bytes, hundred: int, what: str) -> None:
        if hundred <= code < hundred + 100:
            return
        if code in {-1, 421}:
            self.close()
        else:
            self.reset()
        raise api.TransientError(f"{self._server} does not take {what} now: {_code(code, reply)}")

    def _finish(self) -> Answer:
        """Send the final dot; from here on a lost answer means that nobody knows."""
        smtp = self._connected()
        self._sent += 1
        try:
            smtp.send(_END)
            code, reply = smtp.getreply()
        except (smtplib.SMTPException, OSError):
            self.close()
            return Answer(Verdict.LOST)
        if 200 <= code < 300:
            return Answer(Verdict.TAKEN, str(code))
        if code >= 500:
            return judge(code, _text(reply), about_recipient=False)
        if code < 400:
            self.close()
            return Answer(Verdict.LOST, str(code))
        if code == 421:
            self.close()
        raise api.TransientError(f"{self._server} did not take the message now: {_code(code, reply)}")

    def _connected(self) -> smtplib.SMTP:
        if self._smtp is None:
            self._smtp = self._connect()
            self._sent = 0
        return self._smtp

    def _connect(self) -> smtplib.SMTP:
        server, host = self._server, self._server.host
        port = server.port or _PORTS[server.scheme]
        smtp: smtplib.SMTP | None = None
        try:
            if server.scheme == "smtps":
                smtp = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT, context=self._context())
            else:
                smtp = smtplib.SMTP(host, port, timeout=_TIMEOUT)
            if smtp.sock is not None:
                # The final dot is sent apart: it must not wait 40 ms for the acknowledgement of the mail before it.
                smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            smtp.ehlo_or_helo_if_needed()
            if server.scheme == "smtp" and not server.is_loopback:
                self._start_tls(smtp)
            if self._login:
                self._log_in(smtp, *self._login)
        except ssl.SSLCertVerificationError as error:
            _drop(smtp)
            raise api.ConfigError(
                f"the certificate of {server} cannot be trusted: {error.verify_message}",
                next_step="Use the name that the certificate was made for, and a relay whose certificate is valid.",
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            _drop(smtp)
            raise _passing(f"cannot connect to {server}", error) from None
        except api.HubError:
            _drop(smtp)
            raise
        return smtp

    def _start_tls(self, smtp: smtplib.SMTP) -> None:
        if not smtp.has_extn("starttls"):
            raise api.ConfigError(
                f"{self._server} offers no STARTTLS; mails and passwords would travel in clear",
                next_step="Use a port that offers it (587), or smtps:// (465).",
            )
        smtp.starttls(context=self._context())
        smtp.ehlo()

    def _log_in(self, smtp: smtplib.SMTP, username: str, password: str) -> None:
        try:
            smtp.login(username, password)
        except smtplib.SMTPAuthenticationError as error:
            if 400 <= error.smtp_code < 500:
                raise api.TransientError(f"{self._server} cannot log in now: {error.smtp_code}") from None
            raise self._refused_login(str(error.smtp_code)) from None
        except smtplib.SMTPNotSupportedError:
            raise self._refused_login("it offers no login") from None

    def _refuse_without_login(self, code: int) -> None:
        if code in _LOGIN_WANTED:
            raise self._refused_login(f"{code}, it wants a login")

    def _refused_login(self, why: str) -> api.AuthError:
        return api.AuthError(
            f"{self._server} refused the login: {why}",
            next_step="Check username, and set the password anew with `hub secret set`.",
        )

    def _context(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()


def _stuffed(mail: bytes) -> bytes:
    """Double the dots at line starts (RFC 5321, 4.5.2); the final dot is sent apart."""
    return _LINE_START_DOT.sub(b"..", mail if mail.endswith(b"\r\n") else mail + b"\r\n")


def _text(reply: bytes) -> str:
    return reply.decode("utf-8", "replace")


def _code(code: int, reply: bytes) -> str:
    """Show a reply's codes, without its words: they may repeat the address."""
    found = _ENHANCED.search(_text(reply)[:80])
    return f"{code} {found[0]}" if found else str(code)


def _passing(what: str, error: Exception) -> api.TransientError:
    why = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return api.TransientError(f"{what} ({why})")


def _drop(smtp: smtplib.SMTP | None) -> None:
    if smtp is not None:
        smtp.close()
