"""Local stand-ins of outside systems, for the sandbox and for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault a stand-in can be asked for: its name, what happens, and its parameters with their meaning."""

    name: str
    description: str
    parameters: Mapping[str, str]


class StandIn:
    """Serve one vendor's interface on 127.0.0.1, with real state and the documented limits.

    ``plugin`` is the name of the source or destination whose address it replaces. ``secrets`` are the
    values that it accepts, by field, so that ``--sandbox`` needs no real ones.
    """

    plugin: ClassVar[str]
    faults: ClassVar[Sequence[Fault]] = ()
    secrets: ClassVar[Mapping[str, str]] = {}

    def start(self, port: int = 0) -> str:
        """Start serving (port 0: a free one) and return the address, as an ``Endpoint`` would be written."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop serving; the state stays readable."""
        raise NotImplementedError

    def fault(self, name: str, **parameters: Any) -> None:
        """Ask for a fault from now on. Raises ValueError for one it does not know."""
        raise NotImplementedError

    def heal(self) -> None:
        """End all faults."""
        raise NotImplementedError

    def state(self) -> Mapping[str, Any]:
        """Return what it holds (mails, audiences with members, requests served and refused) as JSON data."""
        raise NotImplementedError
