"""``hub plugins``: what is installed, and what each plugin needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from hub.plugins import Plugins

app = typer.Typer(help="Sources, segment strategies, destinations and extensions.", no_args_is_help=True)


@app.command("list")
def list_plugins(workspace: WorkspaceOption = None, json: JsonOption = False) -> None:
    """List every plugin, by kind and name, and where it comes from; imports none of them."""
    from hub.cli.console import show_json

    found = open_plugins(workspace)
    entries = [*found.entries(), *found.extensions.entries()]
    if json:
        show_json([{"kind": entry.kind, "name": entry.name, "from": entry.origin} for entry in entries])
    else:
        for line in _listed([(entry.kind, entry.name, entry.origin) for entry in entries]):
            typer.echo(line)
        typer.echo("more: hub plugins info NAME", err=True)
    for broken in found.broken:
        typer.echo(f"broken: {broken.origin}: {broken.reason}", err=True)


def _listed(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a plain table: to load what draws a better one would take longer than to list the plugins."""
    header = ("kind", "name", "from")
    kinds, names, origins = (max(map(len, column)) for column in zip(header, *rows, strict=True))
    previous = ""
    yield "Plugins\n"
    yield f" {header[0]:{kinds}}   {header[1]:{names}}   {header[2]}"
    yield f" {'─' * (kinds + names + origins + 6)}"
    for kind, name, origin in rows:
        yield f" {kind if kind != previous else '':{kinds}}   {name:{names}}   {origin}"
        previous = kind


@app.command("info")
def show_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name.")],
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind", metavar="KIND", help="source, segment, destination or extension, if several share a name."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Show a plugin's settings with types, defaults and meaning, what it reads or provides, and its limits."""
    from hub.cli.console import show, show_json
    from hub.cli.plugin_info import describe, describe_extension, render
    from hub.errors import ConfigError

    found = open_plugins(workspace)
    extensions = [entry for entry in found.extensions.entries() if kind in {None, entry.kind}]
    listed = [*found.entries(kind), *extensions]
    kinds = [entry.kind for entry in listed if entry.name == name and entry not in extensions]
    extending = [entry for entry in extensions if entry.name == name]
    if not kinds and not extending:
        from difflib import get_close_matches

        known = sorted({entry.name for entry in listed})
        close = get_close_matches(name, known, n=1)
        question = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"there is no plugin {name!r}; {question}Known are: {', '.join(known)}",
            next_step="Run `hub plugins list`.",
        )
    described = [describe(found.entry(each, name), found.load(each, name)) for each in dict.fromkeys(kinds)]
    described += [describe_extension(entry, found.extensions) for entry in extending]
    if json:
        show_json(described[0] if len(described) == 1 else described)
        return
    for one in described:
        show(*render(one))


def open_plugins(workspace: Path | None) -> Plugins:
    """Return the plugins of the workspace, or only the installed ones where there is no workspace."""
    from hub.config.locate import find_workspace
    from hub.errors import ConfigError
    from hub.plugins import Plugins

    try:
        folder = find_workspace(workspace)
    except ConfigError:
        if workspace is not None:
            raise
        return Plugins()
    return Plugins(folder)
