"""Check that segments, destinations and syncs name each other rightly."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence

from hub.config.models import SyncSettings
from hub.config.problems import Problems, Where, suggest
from hub.config.settings import ConnectionSettings, SegmentSettings

Segments = Mapping[str, SegmentSettings | None]
Destinations = Mapping[str, ConnectionSettings | None]


def check_references(
    segments: Segments,
    destinations: Destinations,
    syncs: Mapping[str, SyncSettings],
    where: Where,
    problems: Problems,
) -> None:
    """Record names that lead nowhere, cycles and audiences kept twice; None stands for what is broken already."""
    for segment in segments.values():
        if segment and segment.enabled:
            _check_operands(segment, segments, problems)
    _check_cycles(segments, problems)
    audiences: dict[tuple[str, str], str] = {}
    for name, sync in syncs.items():
        place = where.below("syncs", name)
        if sync.enabled:
            _check_name("segment", sync.segment, segments, place.below("segment"), problems)
            _check_name("destination", sync.destination, destinations, place.below("destination"), problems)
        if sync.was in syncs:
            problems.add(place.below("was"), f"there still is a sync {sync.was!r}; remove it, or this line")
        audience = (sync.destination, sync.audience_id or sync.audience_name)
        first = audiences.setdefault(audience, name)
        if first != name:
            problems.add(
                place,
                f"audience {audience[1]!r} at {sync.destination!r} is kept by sync {first!r} already; "
                "name another audience",
            )


def check_priority(priority: Sequence[str], segments: Collection[str], where: Where, problems: Problems) -> None:
    """Record names in the priority list that lead nowhere or stand there twice; one switched off is passed over."""
    for index, name in enumerate(priority):
        if name not in segments:
            problems.add(where.below(index), f"there is no segment {name!r}; {suggest(name, segments)}")
        if name in priority[:index]:
            problems.add(where.below(index), f"{name!r} stands in the list already; remove one of them")


def _check_operands(segment: SegmentSettings, segments: Segments, problems: Problems) -> None:
    for key in ("all", "any", "none"):
        for index, operand in enumerate(getattr(segment, key)):
            _check_name("segment", operand, segments, segment.where.below(key, index), problems)


def _check_name(kind: str, name: str, known: Segments | Destinations, where: Where, problems: Problems) -> None:
    if name not in known:
        problems.add(where, f"there is no {kind} {name!r}; {suggest(name, known)}")
        return
    found = known[name]
    if found and not found.enabled:
        problems.add(where, f"{kind} {name!r} is switched off; set enabled = false here too, or switch it on")


def _check_cycles(segments: Segments, problems: Problems) -> None:
    said: set[str] = set()
    for name, segment in segments.items():
        cycle = None if name in said else _way_back(name, segments)
        if cycle and segment:
            said.update(cycle)
            problems.add(segment.where, f"segments must not need each other in a circle: {' → '.join(cycle)}")


def _way_back(name: str, segments: Segments) -> tuple[str, ...] | None:
    """Return the shortest way from a segment over its operands back to itself."""
    ways: deque[tuple[str, ...]] = deque([(name,)])
    seen: set[str] = set()
    while ways:
        way = ways.popleft()
        segment = segments.get(way[-1])
        for operand in segment.operands if segment else ():
            if operand == name:
                return (*way, name)
            if operand not in seen:
                seen.add(operand)
                ways.append((*way, operand))
    return None
