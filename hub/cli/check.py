"""``hub check``: is the wiring right?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.options import ClientArgument, JsonOption, WorkspaceOption
from hub.cli.running import SandboxOption

if TYPE_CHECKING:
    from hub.api import Finding
    from hub.config import Workspace

_SIGNS = {"ok": ("✓", "green"), "info": ("·", "dim"), "warning": ("!", "yellow"), "error": ("✗", "red")}


def check(
    client: ClientArgument,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody outside this machine: files, settings and secrets only.")
    ] = False,
    sandbox: SandboxOption = False,
    workspace: WorkspaceOption = None,
    json: JsonOption = False,
) -> None:
    """Check a client's files, settings and secrets, and ask every source and destination; changes nothing."""
    from hub.cli.console import leave, show_json
    from hub.cli.options import open_workspace

    opened = open_workspace(workspace)
    groups = {"configuration": check_wiring(opened, client, stand_in=sandbox)}
    if not has_errors(groups["configuration"]):
        groups["configuration"] += _check_segments(opened, client)
        if extensions := _check_extensions(opened, client):
            groups["extensions"] = extensions
    if not offline and not has_errors(groups["configuration"]):
        for where, finding in _ask_connections(opened, client, sandbox=sandbox):
            groups.setdefault(where, []).append(finding)
    if json:
        show_json([_as_json(where, each) for where, findings in groups.items() for each in findings])
    else:
        for where, findings in groups.items():
            show_findings(findings, title=where)
    if any(has_errors(findings) for findings in groups.values()):
        leave(2 if has_errors(groups["configuration"]) else 1)


def check_wiring(workspace: Workspace, client: str, *, stand_in: bool = False) -> list[Finding]:
    """Return what can be known about a client without leaving the machine."""
    import os

    from hub.config import check_offline
    from hub.plugins import Plugins
    from hub.secrets import ConnectionSecrets, Secrets

    plugins = Plugins(workspace.folder)
    secrets = Secrets(client, workspace.secrets_dir, os.environ)
    accepted = {key: value for each in plugins.stand_ins() for key, value in each.secrets.items()} if stand_in else None

    def find(connection: str) -> ConnectionSecrets:
        return secrets.of(connection, accepted)

    return check_offline(workspace, client, plugins, find)


def has_errors(findings: list[Finding]) -> bool:
    """Tell whether something stops the client from running."""
    return any(finding.level == "error" for finding in findings)


def show_findings(findings: list[Finding], *, title: str) -> None:
    """Print findings as lines with a sign each."""
    from rich.text import Text

    from hub.cli.console import show

    show(Text(title, style="bold"))
    said: set[str] = set()
    for finding in findings:
        sign, style = _SIGNS[finding.level]
        show(Text.assemble((f"  {sign} ", style), finding.text))
        if finding.next_step and finding.next_step not in said:
            said.add(finding.next_step)
            show(Text(f"    → {finding.next_step}"))


def _check_segments(workspace: Workspace, client: str) -> list[Finding]:
    from hub.cli.running import make_wiring
    from hub.sync.check import check_segments

    return list(check_segments(make_wiring(workspace.folder, client)))


def _check_extensions(workspace: Workspace, client: str) -> list[Finding]:
    from hub.cli.app import app
    from hub.cli.running import make_wiring
    from hub.sync.check import check_extensions

    own: Any = typer.main.get_command(app)
    return list(check_extensions(make_wiring(workspace.folder, client), own.commands))


def _ask_connections(workspace: Workspace, client: str, *, sandbox: bool) -> list[tuple[str, Finding]]:
    from hub.cli.running import make_wiring
    from hub.sync.check import check_online

    return list(check_online(make_wiring(workspace.folder, client, sandbox=sandbox)))


def _as_json(where: str, finding: Finding) -> dict[str, object]:
    from dataclasses import asdict

    return {"about": where, **asdict(finding)}
