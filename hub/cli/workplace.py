"""Where an extension's command was called, as ``hub.api.Here`` promises it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigError

if TYPE_CHECKING:
    from hub.api import Destination, Source


class Workplace:
    """The workspace that ``HUB_WORKSPACE`` or the current folder names; looked for when it is asked for."""

    @cached_property
    def workspace(self) -> Path | None:
        """Return the workspace's folder; None where there is none."""
        from hub.config import find_workspace

        try:
            return find_workspace()
        except ConfigError:
            return None

    def clients(self) -> Sequence[str]:
        """Return the ids of the workspace's clients."""
        from hub.config import client_ids, find_workspace

        return client_ids(self.workspace or find_workspace())

    @contextmanager
    def connection(self, client: str, name: str, kind: str | None = None) -> Iterator[Source[Any] | Destination[Any]]:
        """Make a source or destination of a client, and close it at the end."""
        from hub.cli.running import make_wiring
        from hub.sync.lines import close_line

        wiring = make_wiring(self.workspace, client)
        live: dict[str, Mapping[str, Any]] = {"source": wiring.live_sources, "destination": wiring.live_destinations}
        found = _kind_of(client, name, {kind: live.get(kind, {})} if kind else live)
        with wiring.open_ledger() as ledger:
            made = wiring.source(name, ledger) if found == "source" else wiring.destination(name, ledger)
            try:
                yield made
            finally:
                close_line(made)


def _kind_of(client: str, name: str, connections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return whether a name is a source's or a destination's."""
    kinds = [kind for kind, named in connections.items() if name in named]
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise ConfigError(f"{client} has a source {name!r} and a destination {name!r}: say which kind is meant")
    from hub.config.problems import suggest

    known = sorted({each for named in connections.values() for each in named})
    words = " or ".join(connections)
    raise ConfigError(f"{client} has no {words} {name!r}; {suggest(name, known)}")
