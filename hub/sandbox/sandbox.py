"""Start the stand-ins and the page that shows them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from hub.api import StandIn
from hub.errors import ConfigError
from hub.sandbox.control import Control
from hub.sandbox.running import Running, find_sandbox, remove_note, write_note


class Sandbox:
    """Serve stand-ins on 127.0.0.1 for one workspace, until stopped; use it with ``with``.

    ``stand_ins`` are classes, one per plugin; ``port`` is the control page's (0: a free one).
    """

    def __init__(self, stand_ins: Iterable[type[StandIn]], workspace: Path, *, port: int = 0) -> None:
        self.stand_ins: dict[str, StandIn] = {}
        for kind in stand_ins:
            if kind.plugin in self.stand_ins:
                raise ConfigError(
                    f"two stand-ins say they are {kind.plugin}: "
                    f"{_origin(type(self.stand_ins[kind.plugin]))} and {_origin(kind)}",
                    next_step="Uninstall one of the two plugins.",
                )
            self.stand_ins[kind.plugin] = kind()
        self._workspace = workspace
        self._port = port
        self._started: list[StandIn] = []
        self._control: Control | None = None
        self._running: Running | None = None

    @property
    def running(self) -> Running:
        """Return where everything is; only after ``start``."""
        if self._running is None:
            raise RuntimeError("the sandbox is not running")
        return self._running

    def start(self) -> Running:
        """Start everything, or nothing.

        Raises:
            ConfigError: a sandbox already runs for this workspace, or a port is taken.
        """
        other = find_sandbox(self._workspace)
        if other is not None:
            raise ConfigError(
                f"a sandbox already runs for this workspace (process {other.pid}, {other.control})",
                next_step="Use that one, or end it with Ctrl-C where it runs.",
            )
        try:
            addresses = {name: self._start(stand_in) for name, stand_in in self.stand_ins.items()}
            self._control = Control(self.stand_ins, addresses, self._port)
            self._running = Running(os.getpid(), self._control.start(), addresses)
            write_note(self._workspace, self._running)
        except OSError as error:
            self.stop()
            raise ConfigError(
                f"the sandbox cannot start: {error.strerror}", next_step="Choose another port, or 0 for a free one."
            ) from error
        except BaseException:
            self.stop()
            raise
        return self._running

    def stop(self) -> None:
        """Stop everything and remove the note; harmless twice."""
        if self._running is not None:
            remove_note(self._workspace, self._running)
            self._running = None
        if self._control is not None:
            self._control.stop()
            self._control = None
        while self._started:
            self._started.pop().stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, stand_in: StandIn) -> str:
        address = stand_in.start()
        self._started.append(stand_in)
        return address


def _origin(kind: type[StandIn]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
