"""What the stand-in answers: JSON:API objects, pages and errors in Klaviyo's shapes."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from hub import api
from hub_klaviyo.stand_in.people import Job, Json, List, Profile, iso

Answer = api.Answer


class Refusal(Exception):
    """A request that Klaviyo refuses."""

    def __init__(self, status: int, code: str, detail: str, *, pointer: str | None = None, title: str = "") -> None:
        super().__init__(detail)
        self.answer = Answer(status, {"errors": [error(status, code, title or code, detail, pointer)]})


def error(status: int, code: str, title: str, detail: str, pointer: str | None = None) -> Json:
    """Return one error object."""
    source = {"pointer": pointer} if pointer else {}
    return {
        "id": str(uuid.uuid4()),
        "status": status,
        "code": code,
        "title": title,
        "detail": detail,
        "source": source,
        "links": {},
        "meta": {},
    }


def page(rows: Sequence[Json], query: Mapping[str, str], url: str, *, largest: int = 100, default: int = 20) -> Answer:
    """Return one page of some objects, with the link to the next."""
    text = query.get("page[size]", str(default))
    size = int(text) if text.isdigit() else 0
    if not 1 <= size <= largest:
        raise Refusal(400, "invalid", f"Page size must be an integer between 1 and {largest}.")
    start = _place(query.get("page[cursor]"))
    more = start + size < len(rows)
    return Answer(
        200,
        {
            "data": list(rows[start : start + size]),
            "links": {
                "self": f"{url}?{urlencode(query)}",
                "next": f"{url}?{urlencode({**query, 'page[cursor]': _cursor(start + size)})}" if more else None,
                "prev": None,
            },
        },
    )


def list_object(each: List, base: str) -> Json:
    """Return a list."""
    attributes = {"name": each.name, "created": iso(each.created), "updated": iso(each.created)}
    return {
        "type": "list",
        "id": each.id,
        "attributes": attributes | {"opt_in_process": each.opt_in_process},
        "links": {"self": f"{base}/api/lists/{each.id}/"},
    }


def profile_object(each: Profile, base: str, *, subscriptions: bool = False, joined: float | None = None) -> Json:
    """Return a profile, with its state on e-mail where asked for."""
    attributes = {"email": each.email, "created": iso(each.created), "updated": iso(each.updated), **each.fields}
    attributes |= {"location": dict(each.location), "properties": dict(each.properties)}
    if joined is not None:
        attributes["joined_group_at"] = iso(joined)
    if subscriptions:
        attributes["subscriptions"] = _subscriptions(each)
    return {
        "type": "profile",
        "id": each.id,
        "attributes": attributes,
        "links": {"self": f"{base}/api/profiles/{each.id}/"},
    }


def job_object(job: Job, base: str, now: float) -> Json:
    """Return an import job as far as it is."""
    done = job.completed is not None
    begun = now >= job.created + (job.due - job.created) / 4
    status = "complete" if done else "processing" if begun else "queued"
    return {
        "type": "profile-bulk-import-job",
        "id": job.id,
        "attributes": {
            "status": status,
            "created_at": iso(job.created),
            "started_at": iso(job.created) if begun or done else None,
            "completed_at": iso(job.completed) if job.completed is not None else None,
            "expires_at": iso(job.created + 7 * 86_400),
            "total_count": job.total,
            "completed_count": len(job.profiles),
            "failed_count": len(job.errors),
        },
        "links": {"self": f"{base}/api/profile-bulk-import-jobs/{job.id}/"},
    }


def account_object(base: str) -> Json:
    """Return the account."""
    address = dict.fromkeys(("address1", "address2", "city", "country", "region", "zip"), "")
    contact = {
        "default_sender_name": "Sandbox",
        "default_sender_email": "news@sandbox.example.com",
        "website_url": "https://sandbox.example.com",
        "organization_name": "hub sandbox",
        "street_address": address,
    }
    return {
        "type": "account",
        "id": "SANDBX",
        "attributes": {
            "test_account": True,
            "contact_information": contact,
            "industry": None,
            "timezone": "Europe/Copenhagen",
            "preferred_currency": "DKK",
            "public_api_key": "SANDBX",
            "locale": "en-US",
        },
        "links": {"self": f"{base}/api/accounts/SANDBX/"},
    }


def _subscriptions(each: Profile) -> Json:
    """Return what a profile said of each channel; of those of phones only where it said something."""
    told: Json = {"email": {"marketing": _marketing(each)}}
    if "sms" in each.agreed:
        may = {"can_receive_sms_marketing": each.agreed["sms"]["consent"] == "SUBSCRIBED"}
        told["sms"] = {"marketing": may | each.agreed["sms"]}
    if "whatsapp" in each.agreed:
        may = {"can_receive": each.agreed["whatsapp"]["consent"] == "SUBSCRIBED"}
        told["whatsapp"] = {"marketing": may | each.agreed["whatsapp"]}
    return told


def _marketing(each: Profile) -> Json:
    consent = "UNSUBSCRIBED" if any(why == "UNSUBSCRIBE" for why, _ in each.suppressed) else "NEVER_SUBSCRIBED"
    unsaid = {"consent": consent, "consent_timestamp": None, "method": None, "double_optin": None}
    return {
        "can_receive_email_marketing": not each.suppressed,
        **unsaid,
        **each.agreed.get("email", {}),
        "suppression": [{"reason": why, "timestamp": iso(when)} for why, when in each.suppressed],
        "list_suppressions": [
            {"list_id": list_id, "reason": why, "timestamp": iso(when)} for list_id, why, when in each.left
        ],
    }


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"next:{place}".encode()).decode()


def _place(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(cursor).decode().removeprefix("next:"))
    except (binascii.Error, ValueError):
        raise Refusal(400, "invalid", "Invalid cursor.") from None
