"""What sample, limit, priority and min_size leave of a segment, and what they say of one person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hub.api import PluginError
from hub.config.models import Limit
from hub.segments.definitions import Definition
from hub.segments.result import SegmentResult
from hub.segments.session import SessionLike
from hub.segments.statements import (
    Operand,
    Query,
    combination,
    known_values,
    last_in,
    limited,
    one_person,
    place_in_draw,
    quoted,
    sampled,
    temporary_table,
)
from hub.segments.strategies import execute
from hub.segments.words import label, written


def narrowed(session: SessionLike, definition: Definition, result: SegmentResult) -> SegmentResult:
    """Return a segment after its sample and then its limit; what is made of it gets what they leave."""
    if result.table is None or (definition.sample is None and definition.limit is None):
        return result
    if definition.sample is not None:
        _keep(session, definition, sampled(result.table, definition.name, definition.sample))
    if definition.limit is not None:
        _keep(session, definition, limited(result.table, definition.name, definition.limit))
    version = " ".join((result.version, *definition.narrowing))
    return replace(result, members=_size(session, result.table), version=version)


def settled(session: SessionLike, definition: Definition, results: Mapping[str, SegmentResult]) -> SegmentResult:
    """Return what is delivered of a segment: without those whom an earlier one has, and refused where too small."""
    result = results[definition.name]
    if result.table is not None and definition.earlier:
        result = _after_earlier(session, definition, result, [results[name] for name in definition.earlier])
    if result.table is None or definition.min_size is None or result.members >= definition.min_size:
        return result
    refused = f"{_people(result.members)}, fewer than min_size = {definition.min_size}"
    return replace(result, refused=refused, notes=(*result.notes, refused))


def left_out(session: SessionLike, definition: Definition, person_id: int, evidence: Mapping[str, Any]) -> str | None:
    """Say why sample or limit leave out a person who would be a member, or None; the segment's table must be there."""
    if definition.sample is not None:
        places = execute(session, place_in_draw(definition.name, person_id))
        if not places:
            return "nobody whom the shop knows, so not drawn"
        place = float(places[0][0])
        if place >= definition.sample:
            share = written(definition.sample, "share")
            return f"not in the sample of {share}: place {place:.4f} in the draw, needs less than {definition.sample:g}"
    if definition.limit is None or execute(session, one_person(Query(quoted(definition.table)), person_id)):
        return None
    return _below(session, definition, definition.limit, evidence[definition.limit.by])


def _below(session: SessionLike, definition: Definition, limit: Limit, value: Any) -> str:
    name = label(limit.by)
    if value is None:
        return f"{name} is not known, and the limit ranks by it: out (insufficient data)"
    last = execute(session, last_in(definition.table, limit))[0][0]
    side = "more" if limit.first == "largest" else "less"
    draw = "; among equal ones a fixed draw decides" if value == last else ""
    return f"{name} {written(value)}, the first {limit.count} have {written(last)} or {side}: out{draw}"


def _keep(session: SessionLike, definition: Definition, query: Query) -> None:
    kept = f"kept_{definition.table}"
    execute(session, temporary_table(kept, query))
    execute(session, temporary_table(definition.table, Query(f"select * from {quoted(kept)}")))
    execute(session, Query(f"drop table {quoted(kept)}"))


def _after_earlier(
    session: SessionLike, definition: Definition, result: SegmentResult, earlier: list[SegmentResult]
) -> SegmentResult:
    for each in earlier:
        first = f"segment {each.name!r}, which comes first in the priority list,"
        if each.error is not None:
            error = PluginError(f"segment {definition.name!r}: {first} failed: {each.error}")
            return replace(result, table=None, members=0, error=error)
        if each.table is None:
            refused = f"{first} has no answer: {each.refused}"
            return replace(result, table=None, members=0, refused=refused, notes=(*result.notes, refused))
    table = f"settled_{definition.table}"
    barred = [each.table for each in earlier if each.table]
    execute(session, temporary_table(table, combination([Operand(result.table or "", result.evidence)], [], barred)))
    members = _size(session, table)
    gone = result.members - members
    note = (
        f"{_people(gone)} of {result.members:,} left to {', '.join(definition.earlier)}, earlier in the priority list"
    )
    return replace(result, table=table, members=members, notes=(*result.notes, *((note,) if gone else ())))


def _size(session: SessionLike, table: str) -> int:
    return int(execute(session, known_values(table, []))[0][0])


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"
