"""What requests say: pure functions from members to the bodies of Meta's Marketing API (v26.0)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

from hub import api

ROWS_A_CALL = 10_000
_COLUMNS = (  # Meta's key, hub's identifier, the attribute it is made of
    ("EMAIL", "email", None),
    ("PHONE", "phone", None),
    ("FN", "fn", "first_name"),
    ("LN", "ln", "last_name"),
    ("CT", "ct", "city"),
    ("ST", "st", "region"),
    ("ZIP", "zip", "postcode"),
    ("COUNTRY", "country", "country"),
    ("DOBY", "doby", "birth_date"),
    ("GEN", "gen", "gender"),
)
ATTRIBUTES = tuple(attribute for _, _, attribute in _COLUMNS if attribute)
_LARGEST_SESSION = 2**62

Row = list[str]


def rows(members: Iterable[api.Member]) -> list[tuple[api.Member, dict[str, str]]]:
    """Return each member with what Meta matches it by; nothing where neither e-mail nor phone can be used."""
    found = ((member, api.meta_identifiers(member)) for member in members)
    return [(member, known if known["email"] or known["phone"] else {}) for member, known in found]


def schema(members: Iterable[api.Member]) -> list[str]:
    """Return the keys of a request: the identifiers, and those of the attributes that members carry.

    All members of a sync carry the same ones, so that the schema is the same for a whole session.
    """
    carried = {name for member in members for name in member.attributes}
    return [key for key, _, attribute in _COLUMNS if attribute is None or attribute in carried]


def payload(keys: Sequence[str], known: Iterable[dict[str, str]]) -> dict[str, Any]:
    """Return the payload of people: one row each, hashed, ``""`` for what is missing."""
    names = [name for key, name, _ in _COLUMNS if key in keys]
    return {"schema": list(keys), "data": [[each[name] for name in names] for each in known]}


def session(number: int, sequence: int, *, last: bool, total: int) -> dict[str, Any]:
    """Return which part of which upload a request is; ``total`` is an estimate of people."""
    return {
        "session_id": number,
        "batch_seq": sequence,
        "last_batch_flag": last,
        "estimated_num_total": total,
    }


def session_number(text: str) -> int:
    """Return a session's number: positive, 64 bits, the same for the same text."""
    return int(sha256(text.encode()).hexdigest()[:16], 16) % _LARGEST_SESSION + 1


def new_audience(name: str, customer_file_source: str) -> dict[str, str]:
    """Return the body that creates a custom audience."""
    return {
        "name": name,
        "subtype": "CUSTOM",
        "customer_file_source": customer_file_source,
        "description": "kept by hub",
    }
