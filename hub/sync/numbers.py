"""The numbers of a run: one record, from which every rendering is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.api import Section
from hub.errors import HubError


class Status(StrEnum):
    """How a run, or a part of it, ended."""

    OK = "ok"
    PARTIAL = "partial"
    REFUSED = "refused"
    FAILED = "failed"
    SKIPPED = "skipped"


# The worst wins, in the order of the design: 2 configuration, 1 failed, 3 refused, 4 partial, 0 ok or skipped.
EXIT_CODES = {Status.OK: 0, Status.SKIPPED: 0, Status.PARTIAL: 4, Status.REFUSED: 3, Status.FAILED: 1}
CONFIGURATION_EXIT_CODE = 2
_SOURCE_CODES = {Status.FAILED: 3}
_SYNC_CODES = {Status.FAILED: 4, Status.PARTIAL: 4, Status.REFUSED: 3}
_BADNESS = (0, 4, 3, 1, CONFIGURATION_EXIT_CODE)


def worst(codes: list[int]) -> int:
    """Return the worst of several exit codes."""
    return max(codes, key=_BADNESS.index, default=0)


@dataclass(slots=True)
class Trouble:
    """Something that went wrong, with the next step."""

    text: str
    next_step: str | None = None

    @classmethod
    def of(cls, error: HubError) -> Trouble:
        """Make one of an error."""
        return cls(str(error), error.next_step)

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {"text": self.text} | ({"next_step": self.next_step} if self.next_step else {})


@dataclass(slots=True)
class SourceNumbers:
    """What a pull got from one source."""

    name: str
    status: Status = Status.OK
    tables: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    trouble: Trouble | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        data: dict[str, Any] = {"name": self.name, "status": self.status.value, "tables": self.tables}
        if self.notes:
            data["notes"] = self.notes
        if self.trouble:
            data["error"] = self.trouble.as_json()
        return data


@dataclass(slots=True)
class SegmentNumbers:
    """How large a segment is."""

    name: str
    members: int = 0
    notes: list[str] = field(default_factory=list)
    trouble: Trouble | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        data: dict[str, Any] = {"name": self.name, "members": self.members}
        if self.notes:
            data["notes"] = self.notes
        if self.trouble:
            data["error"] = self.trouble.as_json()
        return data


@dataclass(frozen=True, slots=True)
class ForecastNumbers:
    """What a delivery would take: write calls and others, those of later runs that look at jobs, and minutes.

    ``minutes`` is what the limits make it take after the syncs of the same connection before it; None where they do
    not tell.
    """

    calls: int
    reads: int
    later: int
    minutes: float | None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        minutes = None if self.minutes is None else round(self.minutes, 2)
        return {"calls": self.calls, "reads": self.reads, "later": self.later, "minutes": minutes}


@dataclass(slots=True)
class SyncNumbers:
    """What a sync would do, or did.

    ``members = cleared + sum(withheld)``; ``add + update + remove = delivered + accepted + rejected + unknown +
    failed + held_back`` once delivered; before, these are 0. ``settled`` counts what jobs of earlier runs came to.
    ``forecast`` is what a plan says of its delivery, where the destination can tell.
    """

    name: str
    segment: str
    destination: str
    audience: str
    status: Status = Status.OK
    members: int = 0
    cleared: int = 0
    withheld: dict[str, int] = field(default_factory=dict)
    add: int = 0
    update: int = 0
    remove: int = 0
    unchanged: int = 0
    delivered: int = 0
    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    failed: int = 0
    held_back: int = 0
    calls: int = 0
    reads: int = 0
    forecast: ForecastNumbers | None = None
    settled: dict[str, int] = field(default_factory=dict)
    guards: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    trouble: Trouble | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data, with the keys of the documented object first."""
        names = [
            "name",
            "segment",
            "destination",
            "audience",
            "status",
            "members",
            "cleared",
            "withheld",
            "add",
            "update",
            "remove",
            "unchanged",
            "delivered",
            "accepted",
            "rejected",
            "unknown",
            "failed",
            "held_back",
            "calls",
            "reads",
        ]
        data: dict[str, Any] = {name: getattr(self, name) for name in names}
        data["status"] = self.status.value
        if self.forecast is not None:
            data["forecast"] = self.forecast.as_json()
        for name in ("settled", "guards", "notes"):
            if getattr(self, name):
                data[name] = getattr(self, name)
        if self.trouble:
            data["error"] = self.trouble.as_json()
        return data


@dataclass(slots=True)
class RunNumbers:
    """One execution for one client.

    ``codes`` says what extensions' codes among those withheld mean; ``sections`` are what they add to the report.
    """

    client: str
    run_id: str
    as_of: datetime | None = None
    status: Status = Status.OK
    sources: list[SourceNumbers] = field(default_factory=list)
    segments: list[SegmentNumbers] = field(default_factory=list)
    syncs: list[SyncNumbers] = field(default_factory=list)
    retired: list[SyncNumbers] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    trouble: Trouble | None = None
    exit_code: int = 0

    def settle(self, *, delivered: bool = True) -> None:
        """Derive status and exit code from the parts: the worst wins.

        A failed source refuses what reads it; a failed sync leaves the others done, so the run is partial. Where
        nothing was to be delivered (a plan), a guard that would hold a sync is news and no failure.
        """
        codes = [_SOURCE_CODES.get(source.status, 0) for source in self.sources]
        syncs = (*self.syncs, *self.retired)
        codes += [_SYNC_CODES.get(sync.status, 0) for sync in syncs if delivered or sync.status is not Status.REFUSED]
        if self.trouble:
            codes.append(EXIT_CODES[self.status])
        self.exit_code = worst(codes)
        if self.exit_code or not self.trouble:
            self.status = next(state for state, code in EXIT_CODES.items() if code == self.exit_code)

    def as_json(self) -> dict[str, Any]:
        """Return the documented object."""
        data: dict[str, Any] = {
            "client": self.client,
            "run_id": self.run_id,
            "as_of": format_time(self.as_of) if self.as_of else None,
            "status": self.status.value,
            "sources": [part.as_json() for part in self.sources],
            "segments": [part.as_json() for part in self.segments],
            "syncs": [part.as_json() for part in self.syncs],
        }
        if self.retired:
            data["retired"] = [part.as_json() for part in self.retired]
        if self.codes:
            data["codes"] = self.codes
        if self.sections:
            data["sections"] = [_section(each) for each in self.sections]
        if self.notes:
            data["notes"] = self.notes
        if self.trouble:
            data["error"] = self.trouble.as_json()
        return data


def _section(section: Section) -> dict[str, Any]:
    rows = [list(row) for row in section.rows]
    return {"title": section.title, "columns": list(section.columns), "rows": rows}


def unknown_text(client: str, sync: str, count: int) -> str:
    """Say how many may have got what must not happen twice; ``client`` as a command names it."""
    people = "1 person" if count == 1 else f"{count:,} people"
    return (
        f"whether {people} got it is unknown, and it is not sent again by itself; if it did not arrive, run "
        f"`hub retry {client} --unknown --only {sync}`"
    )


def format_time(value: datetime) -> str:
    """Write a naive UTC time as ISO 8601 with Z."""
    return value.isoformat(timespec="seconds") + "Z"
