"""Guards: what hub refuses to believe without a human's word."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.config.models import Guards

ALWAYS_ALLOWED_ADDITIONS = 1_000
SMALL_AUDIENCE = 100
APPROVAL_SLACK = 1.1


class Guard(StrEnum):
    """What a guard watches."""

    SOURCE = "source"
    SEGMENT = "segment"
    FIRST = "first-delivery"
    DEFINITION = "changed-definition"
    REMOVALS = "removals"
    EMPTYING = "emptying"
    ADDITIONS = "additions"
    OLD = "older-than-last-run"


LETTING_IN = (Guard.ADDITIONS, Guard.FIRST, Guard.DEFINITION)
"""The guards whose approval lets people into an audience, the one that is about nothing else first."""


@dataclass(frozen=True, slots=True)
class Held:
    """A guard that holds a sync: which, why in a sentence, and how many people it is about."""

    guard: Guard
    text: str
    size: int


@dataclass(frozen=True, slots=True)
class Size:
    """How large a sync's audience and its differences are; ``removals`` leaves out what a record demands."""

    held: int
    add: int
    update: int
    removals: int
    demanded: int

    @property
    def touched(self) -> int:
        """Return how many people a delivery would touch."""
        return self.add + self.update + self.removals


def watch(size: Size, limits: Guards, *, first: bool, definition_changed: bool) -> list[Held]:
    """Return the guards that a plan sets off; none where it would change nothing."""
    if not size.touched:
        return []
    if first:
        return [Held(Guard.FIRST, f"first delivery of this sync: {_first(size)}", size.touched)]
    held = [*_watch_removals(size, limits), *_watch_additions(size, limits)]
    if definition_changed:
        text = f"the definition changed since the last delivery: {people(size.touched)} would be touched"
        held.insert(0, Held(Guard.DEFINITION, text, size.touched))
    return held


def is_approved(held: Held, approved: int | None) -> bool:
    """Tell whether an approval of that size covers a guard: at most a tenth larger."""
    return approved is not None and held.size <= approved * APPROVAL_SLACK


def _first(size: Size) -> str:
    """Say what a first delivery does; where hub takes an audience over, people are in it already."""
    parts = [f"{people(size.add)} would be added"] if size.add or not size.removals else []
    if size.removals:
        parts.append(f"{people(size.removals)} who are in it would be removed")
    return " and ".join(parts)


def _watch_removals(size: Size, limits: Guards) -> list[Held]:
    if not size.removals:
        return []
    if size.removals + size.demanded >= size.held and not size.add:
        return [Held(Guard.EMPTYING, f"this would empty the audience of {people(size.held)}", size.removals)]
    if size.held >= SMALL_AUDIENCE and size.removals > limits.max_removals * size.held:
        text = f"{people(size.removals)} of {size.held:,} would be removed (max_removals is {limits.max_removals:g})"
        return [Held(Guard.REMOVALS, text, size.removals)]
    return []


def _watch_additions(size: Size, limits: Guards) -> list[Held]:
    if size.add <= max(limits.max_additions * size.held, ALWAYS_ALLOWED_ADDITIONS):
        return []
    text = f"{people(size.add)} would be added to {size.held:,} (max_additions is {limits.max_additions:g})"
    return [Held(Guard.ADDITIONS, text, size.add)]


def people(count: int) -> str:
    """Write a number of people."""
    return "1 person" if count == 1 else f"{count:,} people"
