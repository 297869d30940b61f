"""A segment in the past: its members at several instants, what changed between them, and who bought afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from hub.segments.session import SessionLike
from hub.sql import load_queries

_SQL = load_queries("hub.segments", "past.sql")


@dataclass(frozen=True, slots=True)
class Moment:
    """A segment's members at an instant, in naive UTC: an Arrow array of person_ids."""

    at: datetime
    people: pa.Array


@dataclass(frozen=True, slots=True)
class Bought:
    """How many of some people bought within the time after an instant."""

    people: int
    buyers: int

    @property
    def share(self) -> float | None:
        """Return the buyers' share, from 0 to 1; None of nobody."""
        return self.buyers / self.people if self.people else None


@dataclass(frozen=True, slots=True)
class Step:
    """A segment at one instant, against the instant before.

    Attributes:
        entered, left: who is in and was not, who was in and is not; 0 at the first instant.
        returned: of those who entered, who had been in at some instant earlier.
        members_bought, others_bought: who of the members, and of everybody else known then, had a counted order
            within the time after; None where that time has not yet passed.
    """

    at: datetime
    members: int
    entered: int
    left: int
    returned: int
    members_bought: Bought | None = None
    others_bought: Bought | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A segment's steps, oldest first; of the ``people`` who were ever in, ``flapping`` left and came back."""

    steps: tuple[Step, ...]
    people: int
    flapping: int


def compare(session: SessionLike, moments: Sequence[Moment], within: timedelta) -> Past:
    """Compare a segment's members at instants given oldest first; the session's own instant is at least the last's."""
    con = session.con
    steps = pa.array([number for number, moment in enumerate(moments) for _ in range(len(moment.people))], pa.int32())
    people = pa.concat_arrays([moment.people for moment in moments]) if moments else pa.array([], pa.int64())
    instants = pa.table(
        {
            "step": pa.array(range(len(moments)), pa.int32()),
            "at": pa.array([moment.at for moment in moments], pa.timestamp("us")),
        }
    )
    con.register("past_instants", instants)
    con.register("past_members", pa.table({"step": steps, "person_id": people}))
    try:
        values = {"within": within, "until": session.as_of}
        rows = con.execute(_SQL["bought"], values).fetchall()
        changes = con.execute(_SQL["changes"]).fetchall()
        [(ever, flapping)] = con.execute(_SQL["flapping"]).fetchall()
    finally:
        con.unregister("past_members")
        con.unregister("past_instants")
    bought = {
        at: (Bought(int(members), int(member_buyers)), Bought(int(others), int(other_buyers)))
        for at, members, member_buyers, others, other_buyers in rows
    }
    return Past(
        tuple(
            Step(at, int(members), int(entered), int(left), int(returned), *bought.get(at, (None, None)))
            for at, members, entered, left, returned in changes
        ),
        int(ever),
        int(flapping),
    )
