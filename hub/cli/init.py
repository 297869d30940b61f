"""``hub init``: make a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HUB_TOML = """\
# A workspace of hub: one file per client in clients/, what all of them share in this one.
requires = ">={version}"

# Where secrets lie as files, <secrets_dir>/<client>/<connection>/<field> (containers mount these).
# secrets_dir = "/run/secrets/hub"

# Memory that DuckDB may use; default: most of the machine's.
# memory_limit = "4GB"

# Every client inherits [sources], [segments], [destinations], [consent] and [guards] from here, may override them
# key by key, and may switch one off with enabled = false.
#
# [segments.high-spenders]
# plugin = "high-spenders"
"""
_GITIGNORE = """\
# What hub keeps for itself: data about people, ledgers, keys, logs.
/.hub/
# Audiences written as files, and shops' exports.
/audiences/
/exports/
__pycache__/
"""


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where to make it. Default: here.", show_default=False)
    ] = Path(),
) -> None:
    """Make a workspace: hub.toml, clients/, plugins/ and a .gitignore that keeps people's data out of Git."""
    from hub import __version__
    from hub.cli.console import note, show
    from hub.errors import ConfigError

    file = folder / "hub.toml"
    if file.exists():
        raise ConfigError(f"{file} exists already", next_step="Run `hub client add NAME` to add a client to it.")
    for name in ("clients", "plugins"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    file.write_text(_HUB_TOML.format(version=".".join(__version__.split(".")[:2])), encoding="utf-8")
    ignored = folder / ".gitignore"
    before = ignored.read_text(encoding="utf-8") if ignored.exists() else ""
    missing = [line for line in _GITIGNORE.splitlines() if line not in before.splitlines()]
    if missing:
        separator = "\n" if before and not before.endswith("\n") else ""
        ignored.write_text(f"{before}{separator}{chr(10).join(missing)}\n", encoding="utf-8")
    show(f"Made a workspace in {folder.resolve()}")
    note("next: hub plugins list, then hub client add NAME --source PLUGIN --destination PLUGIN")
