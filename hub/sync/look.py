"""Look at segments without planning anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hub.errors import HubError
from hub.ledger import Ledger
from hub.segments import SegmentResult, overlaps, run_segments
from hub.sync.explain import open_gate, open_session
from hub.sync.run import pull_client
from hub.sync.wiring import Wiring

if TYPE_CHECKING:
    from hub.catalog import Session

CHANNELS = {
    "email": ("email_marketing", ("email",)),
    "sms": ("sms_marketing", ("phone",)),
    "ads": ("ads", ("email", "phone")),
}
"""How a person is reached: the purpose it takes, and the kinds of address, the main one first."""


@dataclass(slots=True)
class SegmentSize:
    """A segment's size and its share of all known people, how it changed, and whom one may reach and finds elsewhere.

    Attributes:
        share: of all known people, from 0 to 1.
        reachable: per channel, how many members consent clears.
        before: the members in the last run before, and that run's instant; None where no run computed it.
        overlap: per segment, how many of the members are also in that one.
        history: the members in earlier runs, by the instant of the run.
    """

    name: str
    members: int
    share: float
    version: str
    reachable: dict[str, int] = field(default_factory=dict)
    history: Mapping[datetime, int] = field(default_factory=dict)
    overlap: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None

    @property
    def before(self) -> tuple[datetime, int] | None:
        """Return the last run that computed the segment, and its members then."""
        return max(self.history.items(), default=None)

    @property
    def change(self) -> int | None:
        """Return by how many the members are more or fewer than in the last run."""
        return None if self.before is None or self.error else self.members - self.before[1]

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        names = ("name", "members", "share", "version", "reachable", "change", "overlap", "notes", "error")
        return {name: getattr(self, name) for name in names}


def list_segments(wiring: Wiring, as_of: datetime | None, *, pull: bool) -> list[SegmentSize]:
    """Compute every segment, count who may be reached, and compare with each other and with earlier runs."""
    if pull:
        pull_first(wiring)
    with wiring.open_ledger() as ledger, open_session(wiring, as_of) as session:
        results = run_segments(session, wiring.definitions, max_lag=wiring.client.guards.max_lag)
        found = [results[name] for name in wiring.client.segments if name in results]
        history = ledger.segment_sizes(session.as_of)
        shared = overlaps(session, found)
        reachable = _reachable(wiring, ledger, session, found)
        ((everybody,),) = session.con.execute("select count(*) from people").fetchall()
        return [
            SegmentSize(
                result.name,
                result.members,
                result.members / everybody if everybody else 0.0,
                result.version,
                reachable.get(result.name, {}),
                history.get(result.name, {}),
                {each.name: shared[result.name, each.name] for each in found if (result.name, each.name) in shared},
                result.notes,
                str(result.error) if result.error else None,
            )
            for result in found
        ]


def preview_segment(
    wiring: Wiring, name: str, *, limit: int, masked: bool, as_of: datetime | None, pull: bool
) -> list[dict[str, Any]]:
    """Return a sample of members with evidence, the same for the same data."""
    if pull:
        pull_first(wiring)
    with open_session(wiring, as_of) as session:
        result = run_segments(session, wiring.definitions, [name], max_lag=wiring.client.guards.max_lag)[name]
        if result.unanswered is not None:
            raise result.unanswered
        evidence = "".join(f', s."{column}"' for column in result.evidence)
        answer = session.con.execute(
            f"select coalesce(p.email, p.phone, p.customer_id) as person{evidence} "
            f"from {result.table} as s join people as p using (person_id) order by keyed_hash(p.person_ref) limit ?",
            [limit],
        )
        names = [column[0] for column in answer.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in answer.fetchall()]
    return [row | {"person": mask(row["person"])} for row in rows] if masked else rows


def mask(address: str | None) -> str:
    """Hide an address but for its first letter and its domain, or the last two digits of a phone."""
    if not address:
        return "…"
    local, at, domain = address.partition("@")
    return f"{local[:1]}…@{domain}" if at else f"…{address[-2:]}"


def pull_first(wiring: Wiring) -> None:
    """Read the sources; a failed one is an error here, since what follows would rest on old data.

    Raises:
        HubError: a source failed, or the pull did.
    """
    numbers = pull_client(wiring)
    for source in numbers.sources:
        if source.trouble:
            step = source.trouble.next_step or "correct the source, or look at what was read last with --no-pull"
            raise HubError(f"{source.name}: {source.trouble.text}", next_step=step)
    if numbers.trouble and numbers.exit_code:
        raise HubError(numbers.trouble.text, next_step=numbers.trouble.next_step)


def _reachable(
    wiring: Wiring, ledger: Ledger, session: Session, found: Sequence[SegmentResult]
) -> dict[str, dict[str, int]]:
    """Count per segment whom consent clears on each channel."""
    tables = {result.name: result.table for result in found if result.table is not None and result.error is None}
    gate = open_gate(wiring, session, ledger)
    counts: dict[str, dict[str, int]] = {name: {} for name in tables}
    for channel, (purpose, identify_by) in CHANNELS.items():
        reached = gate.count(list(tables.values()), purpose=purpose, identify_by=identify_by)
        for name, people in zip(tables, reached, strict=True):
            counts[name][channel] = people
    return counts
