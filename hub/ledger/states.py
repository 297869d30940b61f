"""The states of a member of an audience, and the one letter each is stored as."""

from __future__ import annotations

from enum import StrEnum


class MemberState(StrEnum):
    """What the ledger knows about one member of one audience.

    Everything but absent and refused *may be held* by the destination, and is removed when it must be. ``adding``
    lives in an open intent only: a run that starts finds what an earlier one left there and makes it unknown.
    """

    ABSENT = "absent"
    ADDING = "adding"
    ACCEPTED = "accepted"
    HELD = "held"
    REMOVING = "removing"
    UNKNOWN = "unknown"
    REFUSED = "refused"

    @property
    def may_be_held(self) -> bool:
        """Tell whether the destination may have the member."""
        return self not in {MemberState.ABSENT, MemberState.REFUSED}


LETTERS = {
    "n": MemberState.ABSENT,
    "g": MemberState.ADDING,
    "a": MemberState.ACCEPTED,
    "h": MemberState.HELD,
    "r": MemberState.REMOVING,
    "u": MemberState.UNKNOWN,
    "x": MemberState.REFUSED,
}
