"""Settings of the destination ``smtp``; what can be judged without the relay is judged here."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import ValidationInfo, field_validator

from hub import api
from hub_smtp.message import LONGEST_LOCAL_PART, fits_one_line
from hub_smtp.tokens import TOKEN_LENGTH

_ADDRESS = re.compile(r"[!#$%&'*+/=?^_`{|}~.A-Za-z0-9-]+@(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]+")
_SENDER = re.compile(r"(?P<name>.*?)\s*<(?P<address>[^<>]*)>|(?P<bare>[^<>]*)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_URL = re.compile(r"[!-;=?-~]+")  # printable ASCII without space, < and >
_LIST_ID = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_SCHEMES = {"smtp", "smtps"}
_LONGEST_URL = 800


def split_sender(text: str) -> tuple[str, str]:
    """Split ``Shop <news@shop.example>`` into name and address; a name with a comma needs no quotes.

    Raises:
        ValueError: it is not one usable address.
    """
    found = _SENDER.fullmatch(text.strip())
    name, address = (found["name"] or "", found["address"] or found["bare"]) if found else ("", "")
    quoted = _QUOTED.fullmatch(name)
    usable = fits_one_line(text) and "=?" not in text and _ADDRESS.fullmatch(address)
    if not usable or (not quoted and _ADDRESS.search(name)):
        raise ValueError(
            f"{text!r} has no usable address; write one, as in Shop <news@shop.example>, an international domain as "
            "xn--…"
        )
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else name, address


class SmtpConfig(api.Config):
    """How mails reach people, and how people can make them stop."""

    server: api.Endpoint = api.Field(
        description="the relay: smtp://mail.example.com:587 (STARTTLS, certificate verified) or smtps://…:465"
    )
    username: str | None = api.Field(default=None, description="name to log in with; none: no login")
    password: api.Secret | None = api.Field(default=None, description="password of that name at the relay")
    sender: str = api.Field(description='who the mail is from, such as "Shop <news@shop.example>"')
    reply_to: str | None = api.Field(default=None, description="where answers go; default: the sender")
    bounce_address: str | None = api.Field(
        default=None,
        description="envelope sender, where bounces go; bounces+{token}@shop.example names the person; "
        "default: the sender's address",
    )
    template: str = api.Field(
        default="templates/reminder",
        description="folder with subject.txt, body.txt and body.html, in clients/<client>/ or in the workspace",
    )
    postal_address: str = api.Field(min_length=1, description="the shop's postal address, shown in every mail")
    unsubscribe_mailto: str | None = api.Field(
        default=None,
        description="address for opt-outs by mail, {token} allowed; alone (without unsubscribe_url) there is no "
        "one-click unsubscribe and at most 1,000 mails a day",
    )
    unsubscribe_url: str | None = api.Field(
        default=None,
        validate_default=True,
        description="page for opt-outs with {token} in it, such as https://shop.example/unsubscribe?t={token}; "
        "a POST to it must unsubscribe at once, a GET must not",
    )
    list_id: str | None = api.Field(default=None, description="List-ID header, such as reminders.shop.example")
    per_second: float | None = api.Field(default=10, gt=0, description="most mails a second")
    per_day: int | None = api.Field(default=None, gt=0, description="most mails a day (UTC); the rest waits")
    cooldown: api.Duration = api.Field(
        default=timedelta(days=7), description="pause before the same sync mails a person again"
    )

    @field_validator("server")
    @classmethod
    def _known_scheme(cls, server: api.Endpoint) -> api.Endpoint:
        if server.scheme not in _SCHEMES:
            raise ValueError(f"{server} must begin with smtp:// (STARTTLS) or smtps:// (TLS from the start)")
        return server

    @field_validator("sender", "reply_to")
    @classmethod
    def _has_address(cls, text: str | None) -> str | None:
        if text is not None:
            split_sender(text)
        return text

    @field_validator("bounce_address", "unsubscribe_mailto")
    @classmethod
    def _is_address(cls, text: str | None) -> str | None:
        if text is None:
            return None
        text = text.removeprefix("mailto:")
        if not _ADDRESS.fullmatch(text.replace("{token}", "token")):
            raise ValueError(f"{text!r} is not an address; write one such as bounces@shop.example, {{token}} allowed")
        _refuse_long_local_part(text)
        return text

    @field_validator("postal_address")
    @classmethod
    def _not_blank(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("the postal address is empty; the law wants it in every marketing mail")
        return text.strip()

    @field_validator("list_id")
    @classmethod
    def _is_list_id(cls, text: str | None) -> str | None:
        if text is None:
            return None
        text = text.strip("<> ")
        if not _LIST_ID.fullmatch(text):
            raise ValueError(f"{text!r} is not a list id; write one such as reminders.shop.example")
        return text

    @field_validator("unsubscribe_url")
    @classmethod
    def _can_unsubscribe(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is None:
            if "unsubscribe_mailto" in info.data and info.data["unsubscribe_mailto"] is None:
                raise ValueError(
                    "people must be able to unsubscribe: set unsubscribe_url, such as "
                    "https://shop.example/unsubscribe?t={token}, or at least unsubscribe_mailto"
                )
            return None
        if "{token}" not in url:
            raise ValueError("unsubscribe_url needs {token}, which says who unsubscribes from what")
        if not _URL.fullmatch(url) or "," in url or "=?" in url or len(url) > _LONGEST_URL:
            raise ValueError("unsubscribe_url must be plain ASCII without spaces, commas and < >")
        return _secure(url)


def _refuse_long_local_part(address: str) -> None:
    local = address.rpartition("@")[0]
    if len(local.replace("{token}", "t" * TOKEN_LENGTH)) <= LONGEST_LOCAL_PART:
        return
    room = f"at most {LONGEST_LOCAL_PART} characters may stand before the @"
    if "{token}" in local:
        room += (
            f", and the token has {TOKEN_LENGTH}: {LONGEST_LOCAL_PART - TOKEN_LENGTH} may stand beside one {{token}}"
        )
    raise ValueError(f"{address!r} is too long: {room}")


def _secure(url: str) -> str:
    parts = urlsplit(url.replace("{token}", "token"))
    loopback = parts.hostname is not None and api.Endpoint(parts.hostname).is_loopback
    if not parts.hostname or not (parts.scheme == "https" or (loopback and parts.scheme == "http")):
        raise ValueError("unsubscribe_url must begin with https://, or mailbox providers ignore it")
    return url
