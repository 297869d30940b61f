"""The hooks a plugin module may implement, each with an example.

Hooks offer classes and small records. Only the two around a run do work; an extension is active for every client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from hub.api.destinations import Destination
from hub.api.extending import Run, Section, Withholding
from hub.api.segments import Segment
from hub.api.sources import Source
from hub.api.stand_ins import StandIn

if TYPE_CHECKING:
    import typer

PROJECT = "hub"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def hub_sources() -> Iterable[type[Source[Any]]]:  # type: ignore[empty-body]
    """Offer sources. hub configures the ones that a client's file names.

    ::

        @api.hookimpl
        def hub_sources():
            return [WooCommerce]
    """


@hookspec
def hub_segments() -> Iterable[type[Segment[Any]]]:  # type: ignore[empty-body]
    """Offer segment strategies. hub runs the ones that a client's file names.

    ::

        @api.hookimpl
        def hub_segments():
            return [HighSpenders, LowSpenders]
    """


@hookspec
def hub_destinations() -> Iterable[type[Destination[Any]]]:  # type: ignore[empty-body]
    """Offer destinations. hub configures the ones that a client's file names.

    ::

        @api.hookimpl
        def hub_destinations():
            return [Brevo]
    """


@hookspec
def hub_stand_ins() -> Iterable[type[StandIn]]:  # type: ignore[empty-body]
    """Offer local stand-ins of outside systems. ``hub sandbox`` serves them.

    ::

        @api.hookimpl
        def hub_stand_ins():
            return [BrevoStandIn]
    """


@hookspec
def hub_before_run(run: Run) -> None:
    """Do something before a run listens, pulls and plans; called while nobody else may work on the client.

    Where it raises, the run goes on for those who withdrew, and nobody is added anywhere: every sync is refused.

    ::

        @api.hookimpl
        def hub_before_run(run):
            if run.command != "plan" and not (run.workspace / "exports" / run.client / "complete").exists():
                raise api.SourceError("the exports are still being written", next_step="Wait for the file `complete`.")
    """


@hookspec
def hub_after_run(run: Run, numbers: Mapping[str, Any]) -> None:
    """Do something after a run, however it ended; ``numbers`` is what ``--json`` prints, a copy.

    Where it raises, the run's numbers say so in a note; nothing else changes.

    ::

        @api.hookimpl
        def hub_after_run(run, numbers):
            if numbers["status"] != "ok":
                with (run.workspace / "alarms.log").open("a") as file:
                    print(run.client, numbers["status"], file=file)
    """


@hookspec
def hub_withholdings() -> Iterable[type[Withholding]]:  # type: ignore[empty-body]
    """Offer checks that may only withhold. hub asks them for every sync, after consent.

    ::

        class OpenComplaint(api.Withholding):
            code = "OPEN_COMPLAINT"
            description = "complained, and nobody has answered yet"
            sql = "select person_id from people where list_contains(tags, 'complaint')"

        @api.hookimpl
        def hub_withholdings():
            return [OpenComplaint]
    """


@hookspec
def hub_report_sections(run: Run, numbers: Mapping[str, Any]) -> Iterable[Section]:  # type: ignore[empty-body]
    """Offer tables of your own for a run's report. hub keeps them with its numbers and shows them below its own.

    ::

        @api.hookimpl
        def hub_report_sections(run, numbers):
            rows = [(sync["name"], sync["calls"] * 0.01) for sync in numbers["syncs"]]
            yield api.Section("What it cost", ("sync", "EUR"), rows)
    """


@hookspec
def hub_commands() -> Iterable[typer.Typer]:  # type: ignore[empty-body]
    """Offer commands: typer apps with a name each. ``hub --help`` lists them, ``hub NAME`` runs them.

    ::

        app = typer.Typer(name="welcome", help="Greet the clients.")

        @app.command()
        def welcome(context: typer.Context):
            here: api.Here = context.obj
            for client in here.clients():
                typer.echo(f"hello {client}")

        @api.hookimpl
        def hub_commands():
            return [app]
    """
