"""``hub secret``: put secrets where hub finds them; no command prints one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from hub.config import Client, Workspace

app = typer.Typer(help="Passwords and tokens: kept in the system's keyring, never in files.", no_args_is_help=True)

ConnectionArgument = Annotated[
    str, typer.Argument(metavar="CONNECTION", help="Name of the source or destination, as in the client's file.")
]
FieldArgument = Annotated[str, typer.Argument(metavar="FIELD", help="The setting that is a secret.")]


@app.command("set")
def set_value(
    client: ClientArgument, connection: ConnectionArgument, field: FieldArgument, workspace: WorkspaceOption = None
) -> None:
    """Store a secret in the keyring; it is read from a prompt or standard input, never from the command line."""
    from hub.cli.console import show
    from hub.cli.options import open_client
    from hub.secrets import set_secret

    opened, loaded = open_client(workspace, client)
    _check_field(opened, loaded, connection, field)
    set_secret(client, connection, field, _read_value(f"{connection}.{field}"))
    show(f"Stored {field} of {connection} for {client} in the system keyring")


@app.command("list")
def list_values(client: ClientArgument, workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List the secrets that a client's connections need, and where each was found."""
    import os

    from hub.cli.console import show, show_json
    from hub.cli.options import open_client
    from hub.report.tables import simple_table
    from hub.secrets import list_secrets

    opened, loaded = open_client(workspace, client)
    listed = list_secrets(client, secret_fields(opened, loaded), secrets_dir=opened.secrets_dir, environ=os.environ)
    if json:
        show_json(
            [
                {"connection": connection, "field": field, "found": found.where if found else None}
                for connection, field, found in listed
            ]
        )
        return
    if not listed:
        show(f"No connection of {client} needs a secret")
        return
    table = simple_table(f"Secrets of {client}", "connection", "field", "found in")
    for connection, field, found in listed:
        table.add_row(connection, field, found.where if found else "nowhere")
    show(table)


@app.command("delete")
def delete_value(
    client: ClientArgument, connection: ConnectionArgument, field: FieldArgument, workspace: WorkspaceOption = None
) -> None:
    """Remove a secret from the keyring; works for a connection that has left the file, too."""
    from hub.cli.console import show
    from hub.cli.options import open_workspace
    from hub.secrets import delete_secret

    open_workspace(workspace)
    gone = delete_secret(client, connection, field)
    show(f"{'Removed' if gone else 'The keyring has no'} {field} of {connection} for {client}")


def secret_fields(workspace: Workspace, client: Client) -> list[tuple[str, str]]:
    """Return (connection, field) of every secret that the plugins of a client's connections know."""
    from hub.config.validate import is_secret, setting_names
    from hub.plugins import Plugins

    plugins = Plugins(workspace.folder)
    fields: dict[tuple[str, str], None] = {}
    for kind, connections in (("source", client.sources), ("destination", client.destinations)):
        for connection in connections.values():
            model = plugins.load(kind, connection.plugin).Config
            for name, field in setting_names(model).items():
                if is_secret(field.annotation):
                    fields[connection.name, name] = None
    return list(fields)


def _check_field(workspace: Workspace, client: Client, connection: str, field: str) -> None:
    from hub.config.problems import suggest
    from hub.errors import ConfigError

    known = [*client.sources, *client.destinations]
    if connection not in known:
        raise ConfigError(
            f"{client.id} has no connection {connection!r}; {suggest(connection, known)}",
            next_step=f"Look into clients/{client.id}.toml.",
        )
    fields = [name for owner, name in secret_fields(workspace, client) if owner == connection]
    if field not in fields:
        raise ConfigError(
            f"{connection!r} has no secret {field!r}; {suggest(field, fields)}",
            next_step=f"Run `hub secret list {client.id}`.",
        )


def _read_value(what: str) -> str:
    import sys

    from hub.errors import ConfigError

    if sys.stdin.isatty():
        value = str(typer.prompt(what, hide_input=True, err=True))
    else:
        value = sys.stdin.read().rstrip("\r\n")
    if not value.strip():
        raise ConfigError("the secret is empty", next_step="Type it at the prompt, or send it to standard input.")
    return value
