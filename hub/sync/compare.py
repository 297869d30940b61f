"""Two segments held against each other, each as of an instant of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from hub.segments import Explanation, explain, run_segments
from hub.sync.explain import open_session
from hub.sync.look import mask, pull_first
from hub.sync.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Side:
    """A segment at an instant (naive UTC; None: now), with its members and what it is."""

    name: str
    as_of: datetime | None
    members: int
    version: str

    @property
    def label(self) -> str:
        """Return the name, with its instant where it is not now."""
        return self.name if self.as_of is None else f"{self.name} at {self.as_of:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Sample:
    """A person who is on one side only: what the other side says of them."""

    person: str
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two segments: how many people are in both, or in one only, with a sample of each and why."""

    one: Side
    other: Side
    both: int
    only_one: tuple[Sample, ...]
    only_other: tuple[Sample, ...]

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        sides = {}
        for key, side, samples in (("one", self.one, self.only_one), ("other", self.other, self.only_other)):
            sides[key] = {
                "segment": side.name,
                "as_of": side.as_of,
                "version": side.version,
                "members": side.members,
                "only_here": side.members - self.both,
                "sample": [{"person": each.person, "not_in_the_other_because": each.reason} for each in samples],
            }
        return {"both": self.both, **sides}


def compare_segments(
    wiring: Wiring,
    one: tuple[str, datetime | None],
    other: tuple[str, datetime | None],
    *,
    limit: int,
    masked: bool,
    pull: bool,
) -> Comparison:
    """Compare the members of two segments, each (name, as_of).

    Raises:
        HubError: one of them has no answer; nothing was read yet.
    """
    if pull:
        pull_first(wiring)
    sides, members = [], []
    for name, as_of in (one, other):
        with open_session(wiring, as_of) as session:
            result = run_segments(session, wiring.definitions, [name], max_lag=wiring.client.guards.max_lag)[name]
            if result.unanswered is not None:
                raise result.unanswered
            found = session.con.sql(f"select person_id from {result.table}").to_arrow_table().column(0)
        sides.append(Side(name, as_of, result.members, result.version))
        members.append(found.combine_chunks())
    shared = int(pa.compute.sum(pa.compute.is_in(members[0], members[1])).as_py() or 0)
    return Comparison(
        sides[0],
        sides[1],
        shared,
        _samples(wiring, _only(members[0], members[1]), other, limit, masked=masked),
        _samples(wiring, _only(members[1], members[0]), one, limit, masked=masked),
    )


def _only(these: pa.Array, those: pa.Array) -> pa.Array:
    return these.filter(pa.compute.invert(pa.compute.is_in(these, those)))


def _samples(
    wiring: Wiring, people: pa.Array, asked: tuple[str, datetime | None], limit: int, *, masked: bool
) -> tuple[Sample, ...]:
    """Explain a few people, the same for the same data, by the segment that they are not in."""
    name, as_of = asked
    if not len(people) or not limit:
        return ()
    with open_session(wiring, as_of) as session:
        session.con.register("compared", pa.table({"person_id": people}))
        chosen = session.con.execute(
            "select p.person_id, coalesce(p.email, p.phone, p.customer_id) from compared as c "
            "join merged.people as p using (person_id) order by keyed_hash(p.person_ref) limit ?",
            [limit],
        ).fetchall()
        session.con.unregister("compared")
        lag = wiring.client.guards.max_lag
        told: Sequence[tuple[str | None, Explanation]] = [
            (person, explain(session, wiring.definitions, name, person_id, max_lag=lag)) for person_id, person in chosen
        ]
    return tuple(
        Sample((mask(person) if masked else person) or "…", explanation.reason) for person, explanation in told
    )
