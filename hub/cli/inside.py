"""``hub runs``, ``rejected``, ``status``, ``retire`` and ``retry``: what happened, and what to do about it."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.console import leave, show, show_json
from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption, check_syncs, open_workspace
from hub.cli.running import SandboxOption, make_wiring, show_run, surroundings
from hub.errors import ConfigError

runs = typer.Typer(invoke_without_command=True, help="The runs of a client, newest first.")


@runs.command("list")
def list_runs(
    client: ClientArgument,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many.")] = 20,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the newest runs."""
    from hub.report.inside import runs_table

    with make_wiring(workspace, client, sandbox=sandbox).open_ledger() as ledger:
        found = ledger.runs(limit)
    if as_json:
        show_json(
            [
                {
                    "run_id": run.run_id,
                    "command": run.command,
                    "status": run.status,
                    "started_at": run.started_at.isoformat(),
                }
                for run in found
            ]
        )
    else:
        show(runs_table(found))


@runs.command("show")
def show_one(
    client: ClientArgument,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its beginning.")],
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Print one run's numbers as JSON."""
    with make_wiring(workspace, client, sandbox=sandbox).open_ledger() as ledger:
        found = [run for run in ledger.runs(10_000) if run.run_id.startswith(run_id)]
    if len(found) != 1:
        raise ConfigError(
            f"{len(found)} runs of {client} begin with {run_id!r}", next_step=f"run `hub runs list {client}`"
        )
    show_json(found[0].report or {"run_id": found[0].run_id, "status": found[0].status})


def rejected(
    client: ClientArgument,
    source: Annotated[str | None, typer.Option("--source", help="Only this source's.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many rows.")] = 50,
    raw: Annotated[bool, typer.Option("--raw", help="Show the rows as they were; they hold personal data.")] = False,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the rows that could not be used: file, record, reason."""
    from hub.report.inside import rejected_json, rejected_table
    from hub.sync.explain import open_session

    wiring = make_wiring(workspace, client, sandbox=sandbox)
    with open_session(wiring) as session:
        rows = session.rejected(limit, source)
    # Of a source that was taken out of the file, rows may still be there.
    if source is not None and not rows and source not in wiring.client.sources:
        known = ", ".join(wiring.client.sources) or "none"
        raise ConfigError(f"there is no source {source!r}; there are {known}")
    if as_json:
        show_json([rejected_json(row, raw=raw) for row in rows])
    else:
        show(rejected_table(rows, raw=raw))


def status(
    client: Annotated[
        str | None,
        typer.Argument(metavar="CLIENT", show_default=False, help="Only this client, with how fresh its data is."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how every client stands; exits 1 if someone must act."""
    from hub.schedule.status import client_status
    from hub.sync.surroundings import Surroundings

    opened = open_workspace(workspace)
    around = Surroundings()
    if client is not None and client not in opened.clients:
        from hub.config.problems import suggest

        known = suggest(client, opened.clients)
        raise ConfigError(f"there is no client {client!r}; {known}", next_step="run `hub client list`")
    found = [client_status(opened, each, around) for each in ([client] if client else opened.clients)]
    if as_json:
        show_json([each.as_json() for each in found])
    else:
        from hub.report.status import status_parts

        show(*status_parts(found, around.clock()))
    if any(each.must_act for each in found):
        leave(1)


def retire(
    client: ClientArgument,
    audience: Annotated[str, typer.Argument(metavar="AUDIENCE", help="The audience's name, or its sync's.")],
    empty: Annotated[bool, typer.Option("--empty", help="Remove everybody from it first.")] = False,
    leave_it: Annotated[bool, typer.Option("--leave", help="Leave it as it is and forget it.")] = False,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """End an audience that no sync keeps any more."""
    from hub.sync.retired import end_audience

    if empty == leave_it:
        raise ConfigError(
            "say what becomes of the people in it",
            next_step=f"run `hub retire {client} {audience!r} --empty` or `--leave`",
        )
    with surroundings() as around:
        said = end_audience(make_wiring(workspace, client, sandbox=sandbox, around=around), audience, empty=empty)
    show(said)


def retry(
    client: ClientArgument,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SYNC", help="Only this sync; may be given again.")
    ] = None,
    unknown: Annotated[
        bool, typer.Option("--unknown", help="Also whoever may have got it already: may send twice.")
    ] = False,
    refused: Annotated[bool, typer.Option("--refused", help="Also whoever the destination refused for good.")] = False,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try at once what failed for a passing reason, without waiting for its time."""
    from hub.sync.retry import retry as try_again

    with surroundings() as around:
        wiring = make_wiring(workspace, client, sandbox=sandbox, around=around)
        check_syncs(wiring.client, only)
        numbers = try_again(wiring, frozenset(only) if only else None, unknown=unknown, refused=refused)
    show_run(numbers, as_json=as_json, delivered=True)
