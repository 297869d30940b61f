"""How many people each two segments share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hub.segments.result import SegmentResult
from hub.segments.session import SessionLike
from hub.segments.statements import PERSON, quoted


def overlaps(session: SessionLike, results: Iterable[SegmentResult]) -> Mapping[tuple[str, str], int]:
    """Return the number of people that two segments have in common, for every pair in both orders.

    Segments without an answer are left out; a segment with itself has its members.
    """
    known = {result.name: result.table for result in results if result.table is not None and result.error is None}
    counts = {(one, other): 0 for one in known for other in known}
    if not known:
        return counts
    names = list(known)
    members = " union all ".join(
        f"select {PERSON}, {number} as place from {quoted(table)}" for number, table in enumerate(known.values())
    )
    # People in the same segments are counted together: there are far fewer such groups than people.
    groups = (
        f"select places, count(*) as people from (select list(place order by place) as places from ({members}) "
        f"group by {PERSON}) group by places"
    )
    pairs = f"select a.place, b.place, sum(g.people) from ({groups}) as g, unnest(g.places) as a(place), "
    answer = session.con.execute(f"{pairs} unnest(g.places) as b(place) group by all").fetchall()
    return counts | {(names[one], names[other]): int(people) for one, other, people in answer}
