"""Typical use of hub.api in an extension, for the type checker; never run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from hub import api
from hub.cli.workplace import Workplace

app = typer.Typer(name="connections")
here: api.Here = Workplace()


class Complaint(api.Withholding):
    code = "OPEN_COMPLAINT"
    description = "complained, and nobody has answered yet"
    sql = "select person_id from people where list_contains(tags, 'complaint')"


@app.command()
def connections(context: typer.Context) -> None:
    called: api.Here = context.obj
    for client in called.clients():
        with called.connection(client, "shop", "source") as connection:
            findings: list[api.Finding] = list(connection.check())
            typer.echo(f"{connection.connection}: {len(findings)}")


@api.hookimpl
def hub_before_run(run: api.Run) -> None:
    folder: Path = run.workspace / run.client
    assert run.delivers or run.sandbox or folder.exists()


@api.hookimpl
def hub_after_run(run: api.Run, numbers: Mapping[str, Any]) -> None:
    typer.echo(f"{run.command} {numbers['status']}")


@api.hookimpl
def hub_withholdings() -> Iterable[type[api.Withholding]]:
    return [Complaint]


@api.hookimpl
def hub_report_sections(run: api.Run, numbers: Mapping[str, Any]) -> Iterable[api.Section]:
    yield api.Section("Syncs", ("sync", "members", "share"), [("news", 12, 0.5)])


@api.hookimpl
def hub_commands() -> Iterable[typer.Typer]:
    return [app]
