"""The command ``hub``: every command is registered here, in the order that ``--help`` shows."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Annotated

import typer

from hub.cli import (
    check,
    client,
    demo,
    drift,
    init,
    inside,
    people,
    plan,
    plugins,
    pull,
    sandbox,
    schedule,
    secret,
    segments,
    sync,
)
from hub.cli.failures import report_failure, tell_faults
from hub.cli.group import HubGroup

WIRING = "Wire a client"
DAILY = "Every day"
PEOPLE = "People"
INSIDE = "Look inside"

app = typer.Typer(
    name="hub",
    cls=HubGroup,
    help="The audience hub: customer segments kept in sync with every destination, for those who consented.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command(rich_help_panel=WIRING)(init.init)
app.add_typer(client.app, name="client", rich_help_panel=WIRING)
app.add_typer(secret.app, name="secret", rich_help_panel=WIRING)
app.command(rich_help_panel=WIRING)(check.check)

app.command(rich_help_panel=DAILY)(pull.pull)
app.add_typer(segments.app, name="segments", rich_help_panel=DAILY)
app.command(rich_help_panel=DAILY)(plan.plan)
app.command(rich_help_panel=DAILY)(plan.apply)
app.command(rich_help_panel=DAILY)(plan.approve)
app.command(rich_help_panel=DAILY)(sync.sync)
app.command(rich_help_panel=DAILY)(inside.retry)
app.command(rich_help_panel=DAILY)(inside.retire)
app.command(rich_help_panel=DAILY)(inside.status)
app.add_typer(schedule.app, name="schedule", rich_help_panel=DAILY)

app.command(rich_help_panel=PEOPLE)(people.explain)
app.command(rich_help_panel=PEOPLE)(people.suppress)
app.command(rich_help_panel=PEOPLE)(people.forget)
app.command(rich_help_panel=PEOPLE)(people.export)

app.command(rich_help_panel=INSIDE)(drift.drift)
app.add_typer(inside.runs, name="runs", rich_help_panel=INSIDE)
app.command(rich_help_panel=INSIDE)(inside.rejected)

app.add_typer(plugins.app, name="plugins", rich_help_panel=INSIDE)
app.command(rich_help_panel=INSIDE)(sandbox.sandbox)
app.command(rich_help_panel=INSIDE)(demo.demo)


def _print_version(asked: bool) -> None:
    if asked:
        from hub import __version__

        typer.echo(f"hub {__version__}")
        raise typer.Exit


@app.callback()
def hub(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[  # main() takes it out, wherever it stands; declared for --help
        bool, typer.Option("--debug", help="Show where a failure came from, too.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``hub``; the one place that turns failures into words and exit codes."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        with tell_faults() if debug else nullcontext():
            app([argument for argument in given if argument != "--debug"], prog_name="hub")
    except Exception as error:  # noqa: BLE001  # users see one line; --debug shows the rest
        sys.exit(report_failure(error, debug=debug))
