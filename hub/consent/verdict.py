"""What the gate answers: about the members of a segment, and about one person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from hub.consent.cleared import Cleared


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who of a segment may be reached for a purpose.

    Every member is either in ``cleared`` or in ``withheld``, once. ``withheld`` names a temporary table
    (person_id, person_key, code); ``counts`` is its number of people per code, the most frequent first;
    ``hints`` says in whole sentences what keeps everybody out and what to do about it.
    """

    cleared: Cleared
    withheld: str
    counts: Mapping[str, int]
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Barrier:
    """A block on one of a person's addresses. ``recorded_at`` is None where nobody knows when."""

    address_kind: str
    address: str = field(repr=False)
    reason: str
    origin: str | None
    recorded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The gate's answer for one person, with what it rests on.

    ``code`` says why: what cleared the person, or what withholds them. The record's fields are None where no
    record decided. ``address`` and the barriers' addresses are for the user's own screen only. ``place_from``
    says where country and region come from; ``rule`` is the rule in words. ``blocks`` are all blocks on the
    channel, also those that a newer opt-in lifted.
    """

    purpose: str
    cleared: bool
    code: str
    address_kind: str | None
    address: str | None = field(repr=False)
    source: str | None
    status: str | None
    basis: str | None
    recorded_at: datetime | None
    dated_by: str | None
    evidence: str | None
    expires_at: datetime | None
    regime: str | None
    country: str | None
    region: str | None
    place_from: str | None
    rule: str
    blocks: tuple[Barrier, ...]
