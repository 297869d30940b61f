"""``hub schedule``: when syncs run, and how a scheduler is told."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.config import Client, Workspace

app = typer.Typer(help="When syncs run, and how cron or systemd is told.", no_args_is_help=True)


class Format(StrEnum):
    CRON = "cron"
    SYSTEMD = "systemd"


@app.command("list")
def list_schedules(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List every sync with its schedule and when it is due next, in the client's time zone."""
    from datetime import UTC, datetime

    from hub.cli.console import show, show_json
    from hub.cli.options import open_workspace
    from hub.report.tables import simple_table
    from hub.schedule import next_run

    now = datetime.now(UTC)
    rows = []
    for client in _clients(open_workspace(workspace)):
        for name, sync in client.syncs.items():
            due = next_run(sync.schedule, now, client.tz) if sync.schedule and sync.enabled else None
            rows.append((client, name, sync, due))
    if json:
        show_json(
            [
                {
                    "client": client.id,
                    "sync": name,
                    "schedule": sync.schedule,
                    "enabled": sync.enabled,
                    "next": f"{due:%Y-%m-%dT%H:%M:%SZ}" if due else None,
                }
                for client, name, sync, due in rows
            ]
        )
        return
    table = simple_table("Schedules", "client", "sync", "schedule", "next")
    for client, name, sync, due in rows:
        when = f"{due.astimezone(client.tz):%a %Y-%m-%d %H:%M} {client.timezone}" if due else "at every tick"
        table.add_row(client.id, name, sync.schedule or "", when if sync.enabled else "paused")
    show(table)


@app.command("export")
def export_schedule(
    format: Annotated[Format, typer.Option("--format", help="For which scheduler.")] = Format.CRON,  # noqa: A002  # the option's name
    workspace: WorkspaceOption = None,
) -> None:
    """Print what the system's scheduler needs: one tick that runs whatever is due, for all clients."""
    from hub.cli.options import open_workspace
    from hub.schedule import export_cron, export_systemd, tick_minutes

    opened = open_workspace(workspace)
    opened.home.mkdir(mode=0o700, exist_ok=True)  # the log lies there
    clients = list(_clients(opened))
    tick = tick_minutes(sync.schedule for client in clients for sync in client.syncs.values() if sync.enabled)
    export = export_cron if format is Format.CRON else export_systemd
    typer.echo(export(opened.folder, _own_command(), tick), nl=False)
    for client in clients:
        _warn_of_keyring(opened, client)


def _clients(workspace: Workspace) -> Iterator[Client]:
    """Yield the clients that can be read; say which cannot."""
    from hub.cli.console import note
    from hub.config import load_client
    from hub.errors import ConfigError

    for name in workspace.clients:
        try:
            yield load_client(workspace, name)
        except ConfigError as error:
            note(f"left out: {error}")


def _own_command() -> list[str]:
    """Return how this hub is called, with full path: a scheduler's PATH is short."""
    import shutil
    import sys
    from pathlib import Path

    beside = Path(sys.executable).with_name("hub")
    found = str(beside) if beside.exists() else shutil.which("hub")
    return [found] if found else [sys.executable, "-m", "hub"]


def _warn_of_keyring(workspace: Workspace, client: Client) -> None:
    import os

    from hub.cli.console import note
    from hub.cli.secret import secret_fields
    from hub.secrets import environment_name, list_secrets

    fields = secret_fields(workspace, client)
    for connection, field, found in list_secrets(
        client.id, fields, secrets_dir=workspace.secrets_dir, environ=os.environ
    ):
        if found and found.place == "keyring":
            variable = environment_name(client.id, connection, field)
            note(
                f"warning: only the keyring has {field} of {connection} for {client.id}, and a scheduler may not be "
                f"able to open it; set {variable} for it, or write it to a file in secrets_dir"
            )
