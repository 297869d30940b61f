"""What the hooks of an extension are told and what they may add: runs, checks that withhold, sections, commands."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hub.api.destinations import Destination
from hub.api.sources import Source


@dataclass(frozen=True, slots=True)
class Run:
    """One execution for one client.

    Attributes:
        client: the client's id.
        run_id: the run's name in ``hub runs``.
        command: what was called: ``sync``, ``plan``, ``pull``, ``apply``, ``retry``.
        delivers: whether it may send anything; a plan and a pull do not.
        sandbox: whether everything goes to the sandbox's stand-ins.
        workspace: the folder with ``hub.toml``.
    """

    client: str
    run_id: str
    command: str
    delivers: bool
    sandbox: bool
    workspace: Path


@dataclass(frozen=True, slots=True)
class Section:
    """A table that a report gets: a title, the names of its columns, and rows of texts and numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | float]]


class Withholding:
    """A check that may only withhold: whoever its select finds is not sent, whatever they consented to.

    ``code`` is the reason in plans, numbers and ``hub explain``: upper case, and none of hub's own. ``description``
    says the same to people. ``sql`` is one select with a column person_id over the tables that strategies read; it
    may name ``$as_of``, ``$client``, ``$sync``, ``$destination``, ``$audience`` and ``$purpose``. Where it cannot be
    computed, nobody is added to that audience.
    """

    code: ClassVar[str]
    description: ClassVar[str]
    sql: ClassVar[str]


class Here(Protocol):
    """Where an extension's command was called: the ``obj`` of its ``typer.Context``."""

    @property
    def workspace(self) -> Path | None:
        """Return the folder with ``hub.toml`` that the command was called in; None where there is none."""

    def clients(self) -> Sequence[str]:
        """Return the ids of the workspace's clients."""

    def connection(
        self, client: str, name: str, kind: str | None = None
    ) -> AbstractContextManager[Source[Any] | Destination[Any]]:
        """Make a client's source or destination with its settings, secrets and pace; it is closed at the end.

        ``kind``, ``source`` or ``destination``, is needed only where both have the name.

        Raises:
            ConfigError: there is no such client or connection, or a setting or secret is missing.
        """
