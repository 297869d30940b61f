"""``hub plan``, ``hub apply``, ``hub approve``: see before it happens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.console import leave, note, show, show_json
from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption, check_out, open_workspace
from hub.cli.running import (
    AsOfOption,
    NoPullOption,
    SandboxOption,
    make_wiring,
    parse_as_of,
    print_run,
    show_run,
    surroundings,
)
from hub.errors import ConfigError, HubError


def plan(
    client: Annotated[str | None, typer.Argument(metavar="[CLIENT]", help="The client's id; or give --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every client.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the plan to a file for `hub apply`.")
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a ticket or a chat.")] = False,
    no_pull: NoPullOption = False,
    sandbox: SandboxOption = False,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who would be added, removed and withheld, why, and what it would take; nothing is sent."""
    if every == (client is not None):
        raise ConfigError("name a client, or give --all", next_step="run `hub plan CLIENT` or `hub plan --all`")
    if every and out:
        raise ConfigError("--out takes one client's plan", next_step="run `hub plan CLIENT --out FILE`")
    if out:
        check_out(out)
    given: dict[str, Any] = {"markdown": markdown, "pull": not no_pull, "sandbox": sandbox, "as_of": as_of}
    given |= {"workspace": workspace, "as_json": as_json}
    if client is not None:
        codes = [_plan_one(client, out=out, **given)]
    else:
        codes = [_plan_any(each, **given) for each in open_workspace(workspace).clients]
    from hub.sync.numbers import worst

    if worst(codes):
        leave(worst(codes))


def _plan_any(client: str, *, as_json: bool, **given: Any) -> int:
    """Plan one of all clients: one that cannot be planned is told of, and the next one comes."""
    from hub.schedule.everyone import failed
    from hub.sync.numbers import CONFIGURATION_EXIT_CODE

    try:
        return _plan_one(client, out=None, as_json=as_json, **given)
    except HubError as error:
        numbers = failed(client, error, CONFIGURATION_EXIT_CODE if isinstance(error, ConfigError) else 1)
    print_run(numbers, as_json=as_json, delivered=False)
    return numbers.exit_code


def _plan_one(
    client: str,
    *,
    out: Path | None,
    markdown: bool,
    pull: bool,
    sandbox: bool,
    as_of: str | None,
    workspace: Path | None,
    as_json: bool,
) -> int:
    from hub.sync.apply import plan_writer
    from hub.sync.run import RunOptions, run_client

    with surroundings() as around:
        wiring = make_wiring(workspace, client, sandbox=sandbox, around=around)
        options = RunOptions(
            "plan", pull=pull, deliver=False, as_of=parse_as_of(as_of), inspect=plan_writer(out) if out else None
        )
        numbers = run_client(wiring, options)
    if markdown and not as_json:
        from hub.report.markdown import plan_markdown

        typer.echo(plan_markdown(numbers))
    else:
        print_run(numbers, as_json=as_json, delivered=False)
    if out and numbers.trouble is None:
        apply = f"hub apply {'--sandbox ' if sandbox else ''}{out}"
        note(f"The plan is in {out}; deliver exactly this with `{apply}` within 24 hours.")
    return numbers.exit_code


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `hub plan --out` wrote.")],
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deliver a reviewed plan, and nothing else; who is known to have withdrawn, bought or left is dropped and named.

    It reads no source again: what the shop knows since the plan was made is known after the next `hub pull`.
    """
    from hub.plan.file import read_plan
    from hub.sync.apply import apply_plan

    reviewed = read_plan(file)
    with surroundings() as around:
        numbers = apply_plan(make_wiring(workspace, reviewed.client, sandbox=sandbox, around=around), reviewed)
    show_run(numbers, as_json=as_json, delivered=True)


def approve(
    client: ClientArgument,
    sync: Annotated[str, typer.Argument(metavar="SYNC", help="The sync (or source) that a guard holds.")],
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let the next run deliver what a guard holds; sends nothing itself."""
    from hub.sync.approve import approve as approve_held

    wiring = make_wiring(workspace, client, sandbox=sandbox)
    approved = approve_held(wiring, sync)
    if as_json:
        show_json(
            [{"sync": held.sync, "guard": held.guard, "size": held.size, "text": held.detail} for held in approved]
        )
        return
    for held in approved:
        show(f"approved: {held.sync}, {held.guard}: {held.detail}")
    if not approved:
        show(f"Nothing holds {sync}. Run `hub plan {wiring.named}` to see what a run would do.")
        return
    note(f"Run `hub sync {wiring.named}` to deliver it; a plan larger by more than a tenth is held again.")
