"""Plan files: write what a run computed, and apply exactly that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hub.errors import RefusedError
from hub.plan.diff import entries, restrict
from hub.plan.file import Entry, PlanFile, PlannedSync, compare, read_plan, write_plan
from hub.sync.numbers import RunNumbers, format_time
from hub.sync.prepare import Preparation
from hub.sync.run import Prepared, RunOptions, run_client
from hub.sync.target import PreparedSync
from hub.sync.wiring import Wiring

NAMED = 20
"""How many dropped members a message names."""


def plan_writer(path: Path) -> Callable[[Prepared], None]:
    """Return what writes the plan of a run to a file."""

    def write(run: Prepared) -> None:
        syncs = [
            PlannedSync(
                sync.name, sync.target.audience.name, sync.target.audience.generation, list(_entries(run, sync))
            )
            for sync in run.syncs
        ]
        plan = PlanFile(
            client=run.wiring.client.id,
            run_id=run.run_id,
            as_of=run.session.as_of.isoformat(),
            created_at=run.session.now.isoformat(),
            configuration=run.wiring.client.digest,
            plugins=run.wiring.plugin_versions(),
            syncs=syncs,
        )
        write_plan(path, plan)

    return write


def apply_plan(wiring: Wiring, plan: PlanFile) -> RunNumbers:
    """Deliver a reviewed plan: computed again at its instant, without pulling, and compared.

    Members who meanwhile withdrew, bought or left are dropped and named.

    Raises:
        RefusedError: the plan is too old, or anything else differs from what was reviewed.
    """
    plan.check(now=wiring.around.now(), configuration=wiring.client.digest, plugins=wiring.plugin_versions())
    options = RunOptions(
        "apply",
        pull=False,
        as_of=datetime.fromisoformat(plan.as_of),
        force=True,
        only=frozenset(sync.name for sync in plan.syncs),
        inspect=_Review(plan).check,
    )
    return run_client(wiring, options)


@dataclass(slots=True)
class _Review:
    """Holds a run against the plan that was reviewed."""

    plan: PlanFile
    dropped: list[Entry] = field(default_factory=list)

    def check(self, run: Prepared) -> None:
        reviewed = {sync.name: sync for sync in self.plan.syncs}
        now = self._still_wanted(run)
        for sync in run.syncs:
            self._check_sync(run, sync, reviewed[sync.name], now.get(sync.name))

    def _check_sync(self, run: Prepared, sync: PreparedSync, planned: PlannedSync, wanted: str | None) -> None:
        again = f"run `hub plan {run.wiring.named} --out FILE` again and review it"
        if sync.target.audience.generation != planned.generation:
            raise RefusedError(f"the audience of {sync.name} changed since the plan was made", next_step=again)
        if not sync.difference.is_judged:
            return
        if wanted is not None:
            restrict(run.session.con, sync.difference, wanted)
        dropped, unseen = compare(planned.changes, _entries(run, sync))
        new = [entry for entry in unseen if not _is_demanded(run, sync, entry)]
        if new:
            text = f"{len(new)} changes of {sync.name} are not in the plan: the data behind it changed"
            raise RefusedError(text, next_step=again)
        numbers, size = sync.numbers, sync.difference.size
        numbers.add, numbers.update, numbers.remove = size.add, size.update, size.removals + size.demanded
        if dropped:
            names = ", ".join(f"{operation} {key[:8]}…" for operation, key, _ in sorted(dropped)[:NAMED])
            numbers.notes.append(
                f"{len(dropped)} planned changes were dropped (withdrew, bought or left since): {names}"
            )

    def _still_wanted(self, run: Prepared) -> dict[str, str]:
        """Compute the same syncs for now, and return per sync the table of members who are still cleared."""
        now = run.wiring.around.now()
        if not run.wiring.catalog.is_readable:
            return {}
        wanted: dict[str, str] = {}
        with run.wiring.catalog.session(now, now) as session:
            preparation = Preparation(run.wiring, session, run.ledger, (), {}, force=True)
            preparation.segments()
            for sync in run.syncs:
                cleared = preparation.cleared_now(sync.target)
                if cleared is None:
                    continue
                table = f"wanted_{len(wanted)}"
                keys = session.con.sql(f"select member_key from {cleared.table}").to_arrow_table()
                run.session.con.register("wanted_keys", keys)
                run.session.con.execute(f"create temporary table {table} as select member_key from wanted_keys")
                run.session.con.unregister("wanted_keys")
                wanted[sync.name] = table
        return wanted


def read_reviewed(path: Path) -> PlanFile:
    """Read the plan file that somebody reviewed."""
    return read_plan(path)


def describe(plan: PlanFile) -> str:
    """Say in one line which plan this is."""
    return f"plan of {plan.client}, computed for {format_time(datetime.fromisoformat(plan.as_of))}"


def _entries(run: Prepared, sync: PreparedSync) -> list[Entry]:
    return list(entries(run.session.con, sync.difference))


def _is_demanded(run: Prepared, sync: PreparedSync, entry: Entry) -> bool:
    """Tell whether a change that the review never saw is a removal that a record demands: those always go."""
    if entry[0] != "remove":
        return False
    sql = f"select demanded from {sync.difference.removals} where member_key = ?"
    return bool(run.session.con.execute(sql, [entry[1]]).fetchall()[0][0])
