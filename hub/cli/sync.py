"""``hub sync``: do the main job, for one client or for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.console import is_interactive, leave, notes
from hub.cli.options import JsonOption, WorkspaceOption, check_syncs, open_workspace
from hub.cli.progress import Bars
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
from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.sync.surroundings import Surroundings
    from hub.sync.target import PreparedSync


def sync(
    client: Annotated[str | None, typer.Argument(metavar="[CLIENT]", help="The client's id; or give --all.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every client: the syncs that are due.")] = False,
    now: Annotated[bool, typer.Option("--now", help="With --all: everything, due or not.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="SYNC", help="Only this sync; may be given again.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Let every guard through, by hand.")] = False,
    no_pull: NoPullOption = False,
    sandbox: SandboxOption = False,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read, segment, check consent and send the difference; a guard asks on a terminal and refuses elsewhere."""
    if every == (client is not None):
        raise ConfigError("name a client, or give --all", next_step="run `hub sync CLIENT` or `hub sync --all`")
    if client is None:
        _sync_all(workspace, whatever=now, no_pull=no_pull, as_json=as_json)
        return
    from hub.sync.run import RunOptions, run_client

    with surroundings() as around:
        wiring = make_wiring(workspace, client, sandbox=sandbox, around=around)
        check_syncs(wiring.client, only)
        numbers = run_client(
            wiring,
            RunOptions(
                "sync",
                pull=not no_pull,
                as_of=parse_as_of(as_of),
                force=force,
                only=frozenset(only) if only else None,
                ask=_asker(around) if is_interactive() and not as_json else None,
            ),
        )
    show_run(numbers, as_json=as_json, delivered=True)


def _sync_all(workspace: Path | None, *, whatever: bool, no_pull: bool, as_json: bool) -> None:
    from hub.plugins import Plugins
    from hub.schedule.everyone import Everyone
    from hub.sync.numbers import worst
    from hub.sync.run import RunOptions

    opened = open_workspace(workspace)
    codes = []
    with surroundings() as around:
        everyone = Everyone(opened, Plugins(opened.folder), around, whatever)
        for numbers in everyone.run(lambda _client, names: RunOptions("sync", pull=not no_pull, only=names)):
            print_run(numbers, as_json=as_json, delivered=True)
            codes.append(numbers.exit_code)
    if not codes and not as_json:
        notes().print("nothing is due")
    if worst(codes):
        leave(worst(codes))


def _asker(around: Surroundings) -> Callable[[PreparedSync], bool]:
    """Return what shows what the guards hold, and asks."""

    def ask(sync: PreparedSync) -> bool:
        if isinstance(around.progress, Bars):
            around.progress.rest()
        for held in sync.held:
            notes().print(f"{sync.name} is held by the {held.guard.value} guard: {held.text}", highlight=False)
        return typer.confirm(f"Deliver {sync.name} all the same?", default=False, err=True)

    return ask
