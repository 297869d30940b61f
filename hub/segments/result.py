"""What a computed segment is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.api import HubError

STALE_SOURCE = "STALE_SOURCE"


@dataclass(frozen=True, slots=True)
class SegmentResult:
    """A computed segment.

    Attributes:
        table: temporary table with person_id and the evidence columns, one row per member; None where there is no
            answer.
        evidence: the evidence columns, in the order declared.
        notes: sentences for the user about what the data could not say.
        version: the strategy's name and version (``high-spenders 1``), or how a combination is put together.
        settings: the strategy's settings as used.
        codes: reason codes that withhold every addition (``STALE_SOURCE``).
        reads: the canonical tables that the answer rests on.
        no_past: in words, what membership rests on that is only known as it is today.
        error: why there is no answer; the segments that are made of this one have none either.
        refused: why its members must not be delivered although nothing failed, such as too little data to rank
            anybody; without a ``table`` the segments that are made of this one are refused with it.
    """

    name: str
    table: str | None
    members: int
    evidence: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    version: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    error: HubError | None = None
    reads: frozenset[str] = frozenset()
    refused: str | None = None
    no_past: tuple[str, ...] = ()

    @property
    def unanswered(self) -> HubError | None:
        """Return why there is no answer; None where there is a table."""
        if self.error is not None:
            return self.error
        return None if self.table is not None else HubError(f"{self.name} has no answer: {self.refused}")

    @property
    def delivers(self) -> bool:
        """Tell whether there are members that may be delivered."""
        return self.table is not None and self.error is None and self.refused is None

    @property
    def stale(self) -> bool:
        """Tell whether additions must wait because orders are older than carts."""
        return STALE_SOURCE in self.codes
