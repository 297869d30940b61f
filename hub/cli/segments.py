"""``hub segments``: how large each segment is, and who is in it."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli.console import leave, note, show, show_json
from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption
from hub.cli.running import AsOfOption, NoPullOption, make_wiring, parse_as_of, surroundings

app = typer.Typer(no_args_is_help=True, help="The segments of a client: sizes and samples.")


@app.command("list")
def list_segments(
    client: ClientArgument,
    no_pull: NoPullOption = False,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how large each segment is, and how many of it may be reached by e-mail and ads."""
    from hub.sync.look import list_segments as look

    with surroundings() as around:
        wiring = make_wiring(workspace, client, around=around)
        found = look(wiring, parse_as_of(as_of), pull=not no_pull)
    if as_json:
        show_json([each.as_json() for each in found])
    else:
        from hub.report.segments import sizes_table

        show(sizes_table(found))
        for each in found:
            for text in each.notes:
                note(f"note: {each.name}: {text}")
            if each.error:
                note(f"✗ {each.name}: {each.error}")
    if any(each.error for each in found):
        leave(4)


@app.command("preview")
def preview(
    client: ClientArgument,
    segment: Annotated[str, typer.Argument(metavar="SEGMENT", help="The segment's name.")],
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many members.")] = 10,
    show_addresses: Annotated[bool, typer.Option("--show-addresses", help="Do not mask addresses.")] = False,
    no_pull: NoPullOption = False,
    as_of: AsOfOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a sample of a segment's members with their evidence; addresses are masked unless asked for."""
    from hub.sync.look import preview_segment

    with surroundings() as around:
        wiring = make_wiring(workspace, client, around=around)
        rows = preview_segment(
            wiring, segment, limit=limit, masked=not show_addresses, as_of=parse_as_of(as_of), pull=not no_pull
        )
    if as_json:
        show_json(rows)
        return
    from hub.report.segments import preview_table

    show(preview_table(segment, rows))
