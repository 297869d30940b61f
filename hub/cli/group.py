"""hub's own commands, and below them those of extensions."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from hub.api import Here
    from hub.plugins import Entry, Extensions


class HubGroup(TyperGroup):
    """Look for a command among hub's own; only then, and for ``--help``, load the extensions that have commands."""

    def list_commands(self, ctx: Any) -> list[str]:
        """List hub's own in their order, then those of extensions by name."""
        return [*super().list_commands(ctx), *sorted(self._added)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Find a command; of one that is not there, an extension that is broken may be the reason."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        if cmd_name not in self._added and not ctx.resilient_parsing:
            self._tell_broken()
        return self._added[cmd_name][1] if cmd_name in self._added else None

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, and what keeps extensions' commands out of it."""
        super().format_help(ctx, formatter)
        self._tell_broken()

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what one of an extension breaks is told as that extension's fault."""
        from hub.cli.workplace import Workplace
        from hub.errors import HubError, PluginError

        here: Here = Workplace()
        ctx.obj = here
        try:
            return super().invoke(ctx)
        except Exception as error:
            # How typer says that a command is left, or was called wrongly, has an exit code of its own.
            expected = isinstance(error, HubError | typer.Abort) or hasattr(error, "exit_code")
            if expected or ctx.invoked_subcommand in {None, *self.commands}:
                raise
            from hub.catalog import safe_error

            entry, _ = self._added[str(ctx.invoked_subcommand)]
            text = f"{entry} failed in its command {ctx.invoked_subcommand!r}: {safe_error(error)}"
            raise PluginError(text, next_step="Correct the plugin; --debug shows where it failed.") from error

    @cached_property
    def _extensions(self) -> Extensions:
        from hub.cli.plugins import open_plugins

        return open_plugins(None).extensions

    @cached_property
    def _added(self) -> dict[str, tuple[Entry, Any]]:
        return self._extensions.commands(self.commands)

    def _tell_broken(self) -> None:
        for broken in self._extensions.broken:
            typer.echo(f"broken: {broken.origin}: {broken.reason}", err=True)
