"""What sources and destinations have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest

from hub.api import Connection, Finding, Level, StandIn
from hub.testing.declared import DeclaredConformance
from hub.testing.gaps import require
from hub.testing.making import Notes, make_connection, writes


class ConnectionConformance(DeclaredConformance):
    """Make the plugin under test, beside its stand-in where it has one.

    Attributes:
        plugin: the class under test.
        settings: what a client's file would say. Secrets come from the stand-in; without one, say them here.
        stand_in: the stand-in that the plugin talks to. It takes the place of every address among the settings.
    """

    plugin: ClassVar[type[Any]]
    settings: ClassVar[Mapping[str, Any]] = {}
    stand_in: ClassVar[type[StandIn] | None] = None

    def fill(self, workspace: Path) -> None:
        """Put the files into the workspace that the plugin reads; ``starter_files`` are there already."""

    def make(self, workspace: Path, remember: Notes, served: StandIn | None, address: str | None) -> Any:
        """Make the plugin under test; override it where ``settings`` cannot say how."""
        secrets = served.secrets if served is not None else {}
        return make_connection(
            self.plugin, self.settings, workspace, remember=remember, address=address, secrets=secrets
        )

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        """Return what the other side holds now, for comparing: the stand-in's state, else the workspace's files."""
        if served is not None:
            return dict(served.state())
        files = (path for path in sorted(workspace.rglob("*")) if path.is_file() and ".hub" not in path.parts)
        return {str(path.relative_to(workspace)): sha256(path.read_bytes()).hexdigest() for path in files}

    @pytest.fixture
    def served(self) -> Iterator[tuple[StandIn | None, str | None]]:
        """Serve the stand-in."""
        if self.stand_in is None:
            yield None, None
            return
        stand_in = self.stand_in()
        address = stand_in.start()
        yield stand_in, address
        stand_in.stop()

    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Path:
        """Make a workspace with what the plugin needs to begin with."""
        for place, file in self.plugin.starter_files().items():
            target = tmp_path / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
        self.fill(tmp_path)
        return tmp_path

    @pytest.fixture
    def fresh(self, workspace: Path, served: tuple[StandIn | None, str | None]) -> Iterator[Callable[[], Any]]:
        """Return a function that makes the connection as a new run would, with the memory of the one before."""
        remember, made = Notes(), []

        def make() -> Any:
            made.append(self.make(workspace, remember, *served))
            return made[-1]

        yield make
        for connection in made:
            connection.close()

    @pytest.fixture
    def look(self, workspace: Path, served: tuple[StandIn | None, str | None]) -> Callable[[], Any]:
        """Return a function that tells what the other side holds."""
        return lambda: self.other_side(workspace, served[0])

    def test_it_is_a_connection(self, fresh: Callable[[], Any]) -> None:
        require(isinstance(fresh(), Connection), "make() returns no api.Source or api.Destination")

    def test_check_finds_and_changes_nothing(self, fresh: Callable[[], Any], look: Callable[[], Any]) -> None:
        connection, before = fresh(), look()

        found = list(connection.check())

        require(all(isinstance(each, Finding) for each in found), "check yields something that is not an api.Finding")
        errors = [each.text for each in found if each.level is Level.ERROR]
        require(not errors, f"check finds an error where all is well: {'; '.join(errors)}")
        require(look() == before, "check changed the other side")
        require(writes(connection) == 0, "check made write calls")

    def test_close_may_come_after_nothing(self, fresh: Callable[[], Any]) -> None:
        fresh().close()
