"""How every client stands: last good run, next run, freshness, withheld, failures, one next step each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hub.config import Client, Workspace, load_client
from hub.errors import ConfigError, HubError
from hub.ledger import Freshness, Ledger, MemberState, Run
from hub.plugins import Plugins
from hub.schedule.clock import next_run
from hub.sync.numbers import unknown_text
from hub.sync.retired import retired_text
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring

_GOOD = {"ok", "partial"}


@dataclass(slots=True)
class ClientStatus:
    """One client's standing; ``next_step`` is set when somebody must act. Times are aware UTC."""

    client: str
    last_run: datetime | None = None
    last_status: str | None = None
    last_good: datetime | None = None
    next_run: datetime | None = None
    freshness: list[Freshness] = field(default_factory=list)
    withheld: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    next_step: str | None = None

    @property
    def must_act(self) -> bool:
        """Tell whether somebody must do something."""
        return self.next_step is not None

    def as_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "client": self.client,
            "last_run": _text(self.last_run),
            "last_status": self.last_status,
            "last_good_run": _text(self.last_good),
            "next_run": _text(self.next_run),
            "freshness": [
                {
                    "source": each.source,
                    "table": each.table,
                    "status": each.status,
                    "from": _text(each.start),
                    "fresh_until": _text(each.fresh_until),
                    "read_at": _text(each.read_at),
                    "rows": each.rows,
                    "rejected": each.rejected,
                }
                for each in self.freshness
            ],
            "withheld": self.withheld,
            "problems": self.problems,
            "next_step": self.next_step,
        }


def client_status(workspace: Workspace, client_id: str, around: Surroundings) -> ClientStatus:
    """Read one client's standing from its configuration and its ledger; the catalog is not touched."""
    status = ClientStatus(client_id)
    try:
        client = load_client(workspace, client_id)
    except ConfigError as error:
        status.problems = str(error).splitlines()
        status.next_step = f"correct clients/{client_id}.toml, then run `hub check {client_id} --offline`"
        return status
    due = [
        next_run(sync.schedule, around.clock(), client.tz)
        for sync in client.syncs.values()
        if sync.enabled and sync.schedule
    ]
    status.next_run = min(due, default=None)
    if not (client.state / "ledger.sqlite").exists():
        status.problems = ["never run"]
        status.next_step = f"run `hub check {client_id}`, then `hub plan {client_id}`"
        return status
    try:
        with Ledger.open(client.state, around.clock) as ledger:
            _read(status, ledger, client)
            _tell_unknown(status, ledger, Wiring(workspace, client, Plugins(workspace.folder), around))
    except HubError as error:
        status.problems.append(str(error))
        status.next_step = error.next_step or f"run `hub check {client_id}`"
    return status


def _read(status: ClientStatus, ledger: Ledger, client: Client) -> None:
    runs = [run for run in ledger.runs(200) if run.ended_at is not None and run.command in {"sync", "apply", "retry"}]
    status.freshness = ledger.freshness()
    for audience in ledger.audiences():
        if audience.retired_at is not None:
            states = ledger.count_members(audience.audience_id)
            if left := sum(count for state, count in states.items() if state.may_be_held):
                status.problems.append(retired_text(audience, left, client))
        for code, number in ledger.withheld_counts(audience.audience_id).items():
            status.withheld[code] = status.withheld.get(code, 0) + number
    if runs:
        status.last_run, status.last_status = runs[0].ended_at, runs[0].status
        status.last_good = next((run.ended_at for run in runs if run.status in _GOOD), None)
        _blame(status, runs[0])
    waiting = [held for held in ledger.held() if held.approved_at is None]
    for held in waiting:
        status.problems.append(f"{held.sync} is held by the {held.guard} guard: {held.detail}")
    if waiting:
        status.next_step = (
            f"look at `hub plan {status.client}`, then run `hub approve {status.client} {waiting[0].sync}`"
        )


def _tell_unknown(status: ClientStatus, ledger: Ledger, wiring: Wiring) -> None:
    """Tell of members who may have got what must not be sent twice: nobody but a human may decide to repeat it."""
    for audience in ledger.audiences():
        unknown = ledger.count_members(audience.audience_id).get(MemberState.UNKNOWN, 0)
        if not unknown or audience.retired_at is not None or audience.destination not in wiring.live_destinations:
            continue
        if not wiring.destination_class(audience.destination).can.repeatable:
            status.problems.append(f"{audience.sync}: {unknown_text(wiring.named, audience.sync, unknown)}")


def _blame(status: ClientStatus, run: Run) -> None:
    """Name what went wrong in the last run, with its next step."""
    if run.status in {"ok", "skipped"}:
        return
    report = run.report or {}
    troubles = [part["error"] for part in (*report.get("sources", ()), *report.get("syncs", ())) if "error" in part]
    troubles += [report["error"]] if "error" in report else []
    status.problems += [trouble["text"] for trouble in troubles]
    step = next((trouble["next_step"] for trouble in troubles if "next_step" in trouble), None)
    status.next_step = step or f"look at `hub runs show {status.client} {run.run_id}`"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
