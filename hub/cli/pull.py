"""``hub pull``: read the sources into the catalog."""

from __future__ import annotations

import typer

from hub.cli.console import leave, show, show_json
from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption
from hub.cli.running import SandboxOption, make_wiring, surroundings


def pull(
    client: ClientArgument,
    force: bool = typer.Option(False, "--force", help="Believe a table that shrank, by hand."),
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read what is new from every source; interrupt it anywhere, the next pull continues."""
    from hub.sync.run import pull_client

    with surroundings() as around:
        numbers = pull_client(make_wiring(workspace, client, sandbox=sandbox, around=around), force=force)
    if as_json:
        show_json(numbers.as_json())
    else:
        from hub.report.tables import run_tables

        show(*run_tables(numbers, delivered=False))
    if numbers.exit_code:
        leave(numbers.exit_code)
