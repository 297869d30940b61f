"""What plugins say of members, in hub's own types: the numbers and texts that vendors answer with are meant well."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from hub.api import Member, Outcome, State
from hub.catalog import safe_text
from hub.consent.rules import REASONS
from hub.errors import without_addresses


def is_plain(outcome: Outcome) -> bool:
    """Tell whether an outcome can be kept as it is: nearly all are like this, so that it is worth a look."""
    if outcome.reason is not None or outcome.blocks is not None:
        return False
    if outcome.state is State.DELIVERED:
        return outcome.remote_id is None or type(outcome.remote_id) is str
    return outcome.state is State.ACCEPTED and type(outcome.receipt) is str


def as_kept(told: Any) -> Outcome:
    """Return an outcome as hub keeps it: its state by name, a vendor's ids as text, its reason without addresses.

    Raises:
        ValueError: it is no outcome, or says something that has no meaning; the text goes on behind the plugin's name.
    """
    if not isinstance(told, Outcome) or not isinstance(told.member, Member):
        raise ValueError(f"yielded {type(told).__name__} where an outcome of a member was due")
    if is_plain(told):
        return told
    try:
        state = State(told.state)
    except ValueError:
        raise ValueError("gave an outcome with a state that is none of api.State") from None
    if not isinstance(told.blocks, str | None):
        raise ValueError(f"gave an outcome whose blocks is {type(told.blocks).__name__}, not text")
    if told.blocks is not None and told.blocks not in REASONS:
        raise ValueError(f"gave an outcome whose blocks is {told.blocks!r}, none of {', '.join(REASONS)}")
    return replace(
        told,
        state=state,
        reason=_reason(told.reason),
        remote_id=id_text("remote_id", told.remote_id),
        receipt=id_text("receipt", told.receipt),
    )


def id_text(what: str, told: Any) -> str | None:
    """Return an id as text. Raises ValueError where it is neither text nor a whole number."""
    if told is None or isinstance(told, str):
        return told
    if isinstance(told, UUID) or (isinstance(told, int) and not isinstance(told, bool)):
        return str(told)
    raise ValueError(f"gave a {what} that is {type(told).__name__}, not text")


def _reason(told: Any) -> str | None:
    if told is None:
        return None
    return without_addresses(safe_text(told) if isinstance(told, BaseException) else str(told))
