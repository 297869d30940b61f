"""``hub client``: add, list and remove clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from hub.config import Workspace

app = typer.Typer(help="The shops that this workspace works for.", no_args_is_help=True)


@app.command("add")
def add(
    client: Annotated[str, typer.Argument(metavar="NAME", help="The new client's id: a-z, 0-9 and hyphens.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", metavar="[NAME=]PLUGIN", help="Where data comes from; repeatable.")
    ] = None,
    destination: Annotated[
        list[str] | None,
        typer.Option("--destination", metavar="[NAME=]PLUGIN", help="Where audiences are kept; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting, such as shop.folder=exports/acme; repeatable."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", metavar="TEXT", help="What people call the shop.")] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/Copenhagen.")
    ] = None,
    country: Annotated[str | None, typer.Option("--country", metavar="CC", help="ISO 3166-1, such as DK.")] = None,
    currency: Annotated[str | None, typer.Option("--currency", metavar="CCC", help="ISO 4217, such as DKK.")] = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a client's file: every setting explained, starter segments, one sync per destination."""
    from hub.cli.client_file import Draft, write_client
    from hub.cli.console import is_interactive, note, show
    from hub.cli.options import open_workspace

    opened = open_workspace(workspace)
    draft = Draft(
        client=client,
        sources=tuple(source or ()),
        destinations=tuple(destination or ()),
        settings=tuple(settings or ()),
        header={"name": name, "timezone": timezone, "country": country, "currency": currency},
    )
    written = write_client(opened, draft, ask=_ask if is_interactive() else None)
    show(f"Wrote {written.file}")
    for problem in written.problems:
        note(f"to do: {problem}")
    for command in written.secrets:
        note(f"to do: {command}")
    note(f"next: hub check {client}")


@app.command("list")
def list_clients(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List the clients with what they are wired to."""
    from hub.cli.console import note, show, show_json
    from hub.cli.options import open_workspace
    from hub.report.tables import simple_table

    opened = open_workspace(workspace)
    rows = [_row(opened, client) for client in opened.clients]
    if json:
        show_json(rows)
        return
    if not rows:
        show("No clients yet")
        note("next: hub client add NAME --source PLUGIN --destination PLUGIN")
        return
    table = simple_table("Clients", "client", "name", "sources", "destinations", "syncs", "problems", numbers=2)
    for row in rows:
        parts = (", ".join(row[key]) for key in ("sources", "destinations"))
        table.add_row(row["client"], row["name"], *parts, str(len(row["syncs"])), str(len(row["problems"]) or ""))
    show(table)
    for row in rows:
        for problem in row["problems"]:
            note(f"error: {problem}")


@app.command("remove")
def remove(
    client: ClientArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Annotated[
        bool, typer.Option("--data", help="Remove the client's catalog, ledger and key in .hub/, too, for good.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Remove a client's file. Its audiences stay as they are at the destinations: empty them first if they must go."""
    import shutil

    from hub.cli.console import is_interactive, note, show
    from hub.cli.options import open_workspace
    from hub.config.problems import suggest
    from hub.errors import ConfigError

    opened = open_workspace(workspace)
    if client not in opened.clients:
        raise ConfigError(
            f"there is no client {client!r}; {suggest(client, opened.clients)}", next_step="Run `hub client list`."
        )
    state = opened.home / client
    what = f"clients/{client}.toml" + (f" and {state}" if data else "")
    if not yes and not is_interactive():
        raise ConfigError(f"removing {what} needs a yes", next_step="Run it again with --yes.")
    if not yes:
        typer.confirm(f"Remove {what}?", abort=True, err=True)
    (opened.folder / "clients" / f"{client}.toml").unlink()
    if data:
        shutil.rmtree(state, ignore_errors=True)
    show(f"Removed {what}")
    if state.exists():
        note(f"kept: {state} (catalog, ledger and key)")


def _ask(question: str, default: str | None) -> str:
    return str(typer.prompt(question, default="" if default is None else default, err=True, show_default=bool(default)))


def _row(workspace: Workspace, client: str) -> dict[str, Any]:
    from hub.config import ConfigFileError, load_client

    try:
        loaded = load_client(workspace, client)
    except ConfigFileError as error:
        empty: dict[str, Any] = {"sources": [], "destinations": [], "syncs": []}
        return {"client": client, "name": "", **empty, "problems": list(error.problems)}
    return {
        "client": client,
        "name": loaded.name,
        "sources": list(loaded.sources),
        "destinations": list(loaded.destinations),
        "syncs": list(loaded.syncs),
        "problems": [],
    }
