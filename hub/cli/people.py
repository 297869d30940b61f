"""``hub explain``, ``suppress``, ``forget`` and ``export``: one person at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.console import note, show, show_json
from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption, check_out
from hub.cli.running import AsOfOption, SandboxOption, make_wiring, parse_as_of

PersonArgument = Annotated[str, typer.Argument(metavar="PERSON", help="An e-mail, a phone or a customer id.")]


def explain(
    client: ClientArgument,
    person: PersonArgument,
    as_of: AsOfOption = None,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say why a person is, or is not, in each segment and audience."""
    from hub.report.person import explanation_json, explanation_parts
    from hub.sync.explain import explain as explain_person

    wiring = make_wiring(workspace, client, sandbox=sandbox)
    found = explain_person(wiring, person, parse_as_of(as_of))
    if as_json:
        show_json([explanation_json(each) for each in found])
    elif not found:
        show(f"Nobody in {client}'s catalog goes by that address or id.")
        note(f"It may not have been read yet: run `hub pull {wiring.named}`.")
    else:
        for each in found:
            show(*explanation_parts(each, wiring.around.now()))


def suppress(
    client: ClientArgument,
    person: PersonArgument,
    channel: Annotated[str, typer.Option("--channel", help="email, sms, whatsapp, ads; default: all.")] = "*",
    lift: Annotated[
        bool, typer.Option("--lift", help="Lift the blocks instead, those that only a hand may lift too.")
    ] = False,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Never contact a person again; a run that is under way heeds it too."""
    from hub.sync.people import suppress as suppress_person

    wiring = make_wiring(workspace, client, sandbox=sandbox)
    changed = suppress_person(wiring, person, channel=channel, lift=lift)
    what = "lifted" if lift else "written"
    show(f"{changed} blocks {what}." if changed != 1 else f"1 block {what}.")
    note(f"The next `hub sync {wiring.named}` {'may add' if lift else 'removes'} the person{' again' if lift else ''}.")


def forget(
    client: ClientArgument,
    person: PersonArgument,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person from hub and from every destination that can, and never take them in again."""
    from hub.sync.people import forget as forget_person

    receipt = forget_person(make_wiring(workspace, client, sandbox=sandbox), person)
    if as_json:
        show_json(receipt.as_json())
        return
    for line in receipt.done:
        show(f"✓ {line}")
    for line in receipt.still_open:
        show(f"! {line}")
    if not receipt.still_open:
        show("Nothing is open.")


def export(
    client: ClientArgument,
    person: PersonArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write to a file of mode 0600 instead.")
    ] = None,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Give everything held about a person as JSON."""
    import json
    import os

    from hub.sync.people import export as export_person

    if out is not None:
        check_out(out)
    held = json.dumps(
        export_person(make_wiring(workspace, client, sandbox=sandbox), person),
        indent=2,
        default=str,
        ensure_ascii=False,
    )
    if out is None:
        typer.echo(held)
        return
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(held + "\n")
    note(f"Everything held about the person is in {out}.")
