"""Look at segments without planning anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.consent.gate import Gate
from hub.errors import HubError
from hub.segments import SegmentResult, run_segments
from hub.sync.explain import open_session
from hub.sync.run import pull_client
from hub.sync.wiring import Wiring

_REACHABLE = (("email", "email_marketing", ("email",)), ("ads", "ads", ("email", "phone")))


@dataclass(slots=True)
class SegmentSize:
    """A segment's size, its share of all known people, and how many of it may be reached per channel."""

    name: str
    members: int
    share: float
    version: str
    reachable: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        names = ("name", "members", "share", "version", "reachable", "notes", "error")
        return {name: getattr(self, name) for name in names}


def list_segments(wiring: Wiring, as_of: datetime | None, *, pull: bool) -> list[SegmentSize]:
    """Compute every segment and count who may be reached."""
    if pull:
        pull_first(wiring)
    with wiring.open_ledger() as ledger, open_session(wiring, as_of) as session:
        results = run_segments(session, wiring.definitions, max_lag=wiring.client.guards.max_lag)
        gate = Gate(
            session.con,
            settings=wiring.client.consent,
            country=wiring.client.country,
            as_of=session.as_of,
            now=session.now,
            blocks=ledger.blocks().table,
        )
        ((everybody,),) = session.con.execute("select count(*) from people").fetchall()
        order = [name for name in wiring.client.segments if name in results]
        return [_size(gate, results[name], everybody) for name in order]


def preview_segment(
    wiring: Wiring, name: str, *, limit: int, masked: bool, as_of: datetime | None, pull: bool
) -> list[dict[str, Any]]:
    """Return a sample of members with evidence, the same for the same data."""
    if pull:
        pull_first(wiring)
    with open_session(wiring, as_of) as session:
        result = run_segments(session, wiring.definitions, [name], max_lag=wiring.client.guards.max_lag)[name]
        if result.error is not None:
            raise result.error
        if result.table is None:
            raise HubError(result.refused or f"{name} has no answer")
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
        HubError: a source failed.
    """
    numbers = pull_client(wiring)
    for source in numbers.sources:
        if source.trouble:
            step = source.trouble.next_step or "correct the source, or look at what was read last with --no-pull"
            raise HubError(f"{source.name}: {source.trouble.text}", next_step=step)


def _size(gate: Gate, result: SegmentResult, everybody: int) -> SegmentSize:
    size = SegmentSize(
        result.name,
        result.members,
        result.members / everybody if everybody else 0.0,
        result.version,
        notes=result.notes,
        error=str(result.error) if result.error else None,
    )
    if result.table is not None and result.error is None:
        for channel, purpose, identify_by in _REACHABLE:
            size.reachable[channel] = len(gate.clear(result.table, purpose=purpose, identify_by=identify_by).cleared)
    return size
