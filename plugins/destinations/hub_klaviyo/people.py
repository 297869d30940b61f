"""Profiles as customers and as what they agreed to: pure functions.

An opt-in is what Klaviyo calls ``SUBSCRIBED`` with a proof: a double opt-in, or a method by which people sign up
themselves. Whatever else it says, new words included, is none; a suppression withdraws.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub import api
from hub_klaviyo.account import instant

_STATUSES = {"SUBSCRIBED": "subscribed", "UNSUBSCRIBED": "unsubscribed", "NEVER_SUBSCRIBED": "never"}
_INVALID = frozenset({"HARD_BOUNCE", "INVALID_EMAIL"})
_COUNTRY_CODE = 2

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Proof:
    """What proves an opt-in: methods of signing up, in lower case; ``trusts_all``: any subscription does, undated."""

    methods: Collection[str]
    trusts_all: bool = False

    @classmethod
    def of(cls, methods: Sequence[str], *, trusts_all: bool) -> Proof:
        """Read the settings; case and separators of methods do not matter."""
        return cls(frozenset(map(_word, methods)), trusts_all)

    def basis(self, told: Mapping[str, Any]) -> tuple[str | None, str]:
        """Return on what ground somebody is subscribed, and whose time that has: the record's own or a file's."""
        dated = "record" if told.get("consent_timestamp") else "file"
        if told.get("double_optin") is True:
            return "opt_in_double", dated
        if _word(told.get("method")) in self.methods:
            return "opt_in_single", dated
        return ("opt_in_single" if self.trusts_all else None), "file"


def address(email: Any) -> str | None:
    """Return an e-mail as hub writes it in its tables, so that it can stand for a customer's id."""
    local, at, domain = str(email or "").strip().lower().rpartition("@")
    if not (local and at and domain):
        return None
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return None


def customer(profile: Mapping[str, Any]) -> Row | None:
    """Return a profile as a customer, who is known by address; None where there is neither e-mail nor phone."""
    told = profile["attributes"]
    email, phone = told.get("email") or None, told.get("phone_number") or None
    if email is None and phone is None:
        return None
    place = told.get("location") or {}
    return {
        "customer_id": address(email),
        "email": email,
        "phone": phone,
        "first_name": told.get("first_name"),
        "last_name": told.get("last_name"),
        "country": _country(place),
        "region": place.get("region"),
        "city": place.get("city"),
        "postcode": place.get("zip"),
        "locale": told.get("locale"),
        "created_at": told.get("created"),
        "updated_at": told.get("updated"),
        "_origin": _origin(profile),
    }


def consents(profile: Mapping[str, Any], proof: Proof) -> Iterator[Row]:
    """Yield what a profile agreed to or refused, by channel."""
    told = profile["attributes"]
    subscriptions = told.get("subscriptions") or {}
    country = _country(told.get("location") or {})
    for channel, kind, subject, statement in _channels(told, subscriptions):
        marketing = (subscriptions.get(channel) or {}).get("marketing")
        if subject and isinstance(marketing, dict):
            about = {"subject": subject, "subject_kind": kind, "channel": channel, "country": country}
            yield about | statement(marketing, proof) | {"_origin": _origin(profile)}


def subjects(rows: Sequence[Row]) -> set[str]:
    """Return whom consents are about, as hub writes them."""
    every = ((row["subject"], row["subject_kind"]) for row in rows)
    return {found for subject, kind in every if (found := address(subject) if kind == "email" else str(subject))}


def unreadable(profile: Any) -> api.Reject | None:
    """Return the rejection of a profile that has not the shape of one."""
    if isinstance(profile, dict) and isinstance(profile.get("attributes"), dict):
        return None
    number = profile.get("id") if isinstance(profile, dict) else None
    raw = json.dumps(profile, default=str)
    return api.Reject("customers", f"profile {number or 'without id'}", "the profile has no attributes", raw)


def updated(profile: Mapping[str, Any]) -> datetime | None:
    """Return when a profile last changed."""
    try:
        return instant(profile["attributes"]["updated"])
    except (KeyError, TypeError, ValueError):
        return None


def _channels(told: Mapping[str, Any], subscriptions: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    phone = told.get("phone_number")
    whatsapp = (subscriptions.get("whatsapp") or {}).get("marketing") or {}
    yield "email", "email", told.get("email"), _by_mail
    yield "sms", "phone", phone, _by_phone
    yield "whatsapp", "phone", whatsapp.get("phone_number") or phone, _by_phone


def _by_mail(marketing: Mapping[str, Any], proof: Proof) -> Row:
    """Return what is said of e-mail. Whoever is suppressed said no, and is not reachable where mails bounce."""
    barred = [each for each in marketing.get("suppression") or () if isinstance(each, dict)]
    if barred:
        reasons = sorted({str(each.get("reason")) for each in barred})
        status = "invalid" if _INVALID.intersection(reasons) else "unsubscribed"
        at = max((str(each["timestamp"]) for each in barred if each.get("timestamp")), key=_order, default=None)
        return _said(status, at, f"Klaviyo: suppressed, {', '.join(reasons)}")
    if marketing.get("can_receive_email_marketing") is False:
        return _said("unsubscribed", marketing.get("last_updated"), "Klaviyo: may not receive marketing")
    return _statement(marketing, proof)


def _by_phone(marketing: Mapping[str, Any], proof: Proof) -> Row:
    """Return what is said of texts; somebody subscribed who cannot get any is a riddle, and no consent."""
    may = marketing.get("can_receive_sms_marketing", marketing.get("can_receive"))
    if marketing.get("consent") == "SUBSCRIBED" and may is False:
        return _said("unknown", marketing.get("consent_timestamp"), "Klaviyo: subscribed, may not receive marketing")
    return _statement(marketing, proof)


def _statement(marketing: Mapping[str, Any], proof: Proof) -> Row:
    status = _STATUSES.get(str(marketing.get("consent")), "unknown")
    at = marketing.get("consent_timestamp") or marketing.get("last_updated")
    told = ("method", "method_detail", "custom_method_detail")
    said = ", ".join(str(marketing[name]) for name in told if marketing.get(name)) or "method not given"
    row = _said(status, at, f"Klaviyo: {said}")
    if status == "subscribed":
        row["basis"], row["dated_by"] = proof.basis(marketing)
        row["expires_at"] = marketing.get("valid_until")
    return row


def _said(status: str, at: Any, evidence: str) -> Row:
    return {"status": status, "recorded_at": at, "dated_by": "record" if at else None, "evidence": evidence}


def _order(text: str) -> datetime:
    return instant(text)


def _country(place: Mapping[str, Any]) -> str | None:
    """Return the country where it is a code: Klaviyo mostly has a name, in whatever language somebody wrote it."""
    told = str(place.get("country") or "").strip()
    return told if len(told) == _COUNTRY_CODE and told.isascii() and told.isalpha() else None


def _word(text: Any) -> str:
    return str(text or "").strip().lower().replace(" ", "_").replace("-", "_")


def _origin(profile: Mapping[str, Any]) -> str:
    return f"profile {profile.get('id') or 'without id'}"
