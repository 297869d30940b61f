"""``hub drift``: did somebody change an audience by hand?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption
from hub.cli.running import SandboxOption, make_wiring

if TYPE_CHECKING:
    from hub.sync.drift import Drift


def drift(
    client: ClientArgument,
    only: Annotated[str | None, typer.Option("--only", metavar="SYNC", help="Look at this sync only.")] = None,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare each audience at its destination with what hub delivered; changes nothing on either side."""
    from hub.cli.console import show, show_json
    from hub.sync.drift import find_drift

    found = list(find_drift(make_wiring(workspace, client, sandbox=sandbox), only))
    if as_json:
        show_json([each.as_json() for each in found])
        return
    for each in found:
        show(*_lines(each))


def _lines(drift: Drift) -> list[str]:
    name = f"{drift.sync} ({drift.audience}, {drift.destination})"
    if drift.why_not is not None:
        return [f"{name}: not read: {drift.why_not}"]
    open_ones = f"; of {drift.unsettled:,} more it is not settled yet whether they are" if drift.unsettled else ""
    if not drift.added_count and not drift.missing_count:
        return [f"{name}: all {drift.held:,} that hub holds are there, and nobody else{open_ones}"]
    lines = [f"{name}: hub holds {drift.held:,}, {drift.read:,} are there{open_ones}"]
    if drift.added_count:
        lines.append(f"  {drift.added_count:,} added there, hub leaves them alone: {_sample(drift.added)}")
    if drift.missing_count:
        lines.append(f"  {drift.missing_count:,} missing there: {_sample(drift.missing)}")
    return lines


def _sample(addresses: list[str]) -> str:
    return ", ".join(addresses)
