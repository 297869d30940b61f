"""The loader: three ways to be found, one way to be used.

A plugin is found as an entry point of an installed distribution (hub's own are no exception) or as a file in the
workspace's ``plugins/``. Listing reads metadata and source text; only ``load`` imports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.errors import ConfigError, PluginError
from hub.plugins.entries import EXTENSION, FOLDER, KINDS, Broken, Entry
from hub.plugins.extensions import Extensions
from hub.plugins.modules import Modules, module_name
from hub.plugins.names import read_plugin_names

if TYPE_CHECKING:
    from hub.api import StandIn

_ORDER: dict[str, int] = {kind: position for position, kind in enumerate(KINDS)}


class Plugins:
    """Everything that is installed, and everything in the workspace's ``plugins/``."""

    def __init__(self, workspace: Path | None = None) -> None:
        self._workspace = workspace
        self._modules = Modules()
        self._loaded: dict[tuple[str, str], type[Any]] = {}

    def entries(self, kind: str | None = None) -> list[Entry]:
        """List plugins by kind and name."""
        listed = [entry for entry in (*self._installed, *self._local[0]) if kind in {None, entry.kind}]
        return sorted(listed, key=lambda entry: (_ORDER[entry.kind], entry.name))

    def names(self, kind: str) -> list[str]:
        """Return the names of the plugins of a kind, sorted."""
        return sorted({entry.name for entry in self.entries(kind)})

    @property
    def broken(self) -> list[Broken]:
        """Return what cannot be used: unreadable files, names taken twice, and what failed to load so far."""
        listed = [*self._local[1], *self._twice()]
        told = {each.origin for each in listed}
        return listed + [each for each in self.extensions.broken if each.origin not in told]

    @cached_property
    def extensions(self) -> Extensions:
        """Return the modules with other hooks, installed and in the workspace: they are active for every client."""
        files = (Entry(EXTENSION, file.stem, module_name(file), file=file) for file in self._files())
        return Extensions([*self._entry_points("hub.extensions", EXTENSION), *files], self._modules)

    def entry(self, kind: str, name: str) -> Entry:
        """Return the plugin of that kind and name.

        Raises:
            ConfigError: there is none, or there are two.
        """
        found = [entry for entry in self.entries(kind) if entry.name == name]
        if not found:
            raise ConfigError(
                f"there is no {kind} plugin {name!r}; {self._suggest(kind, name)}",
                next_step="Run `hub plugins list`; install what has it, or put its file into plugins/.",
            )
        if len(found) > 1:
            raise ConfigError(_say_twice(found), next_step="Remove or rename one of them.")
        return found[0]

    def load(self, kind: str, name: str) -> type[Any]:
        """Import a plugin and return its class.

        Raises:
            ConfigError: there is no plugin of that name, or there are two.
            PluginError: the plugin cannot be imported or breaks the contract.
        """
        known = self._loaded.get((kind, name))
        if known is not None:
            return known
        entry = self.entry(kind, name)
        classes = self._modules.offered(entry, f"hub_{kind}s")
        found: list[type[Any]] = [offered for offered in classes if getattr(offered, "name", None) == name]
        if not found:
            names = ", ".join(repr(getattr(offered, "name", offered)) for offered in classes) or "nothing"
            raise PluginError(
                f"{entry}: hub_{kind}s offers {names}, not {name!r}",
                next_step="Correct the plugin: the name it is listed by must be that of a class it offers.",
            )
        _check_class(entry, found[0])
        self._loaded[kind, name] = found[0]
        return found[0]

    def stand_ins(self) -> list[type[StandIn]]:
        """Return the stand-ins of all extensions; one that cannot be loaded is recorded in ``broken``."""
        return self.extensions.stand_ins()

    @cached_property
    def _installed(self) -> list[Entry]:
        return [entry for kind in KINDS for entry in self._entry_points(f"hub.{kind}s", kind)]

    @cached_property
    def _metadata(self) -> Any:  # SelectableGroups in 3.11, EntryPoints from 3.12 on; both can select
        """Read every installed distribution's metadata, once: it is the dear part of listing."""
        return entry_points()

    def _entry_points(self, group: str, kind: str) -> Iterator[Entry]:
        for point in self._metadata.select(group=group):
            yield Entry(kind, point.name, point.module, point.dist)

    @cached_property
    def _local(self) -> tuple[list[Entry], list[Broken]]:
        """Read, but do not run, the files in the workspace's ``plugins/``."""
        entries: list[Entry] = []
        broken: list[Broken] = []
        for file in self._files():
            try:
                names = read_plugin_names(file.read_text(encoding="utf-8"))
            except (SyntaxError, ValueError, OSError) as error:
                broken.append(Broken(f"{FOLDER}/{file.name}", f"cannot be read: {error}"))
                continue
            entries += [Entry(kind, name, module_name(file), file=file) for kind, name in names.found]
            broken += [Broken(f"{FOLDER}/{file.name}", reason) for reason in names.problems]
        return entries, broken

    def _files(self) -> list[Path]:
        if self._workspace is None:
            return []
        files = (self._workspace / FOLDER).glob("*.py")
        return sorted(file for file in files if not file.name.startswith("_"))

    def _twice(self) -> Iterator[Broken]:
        groups: dict[tuple[str, str], list[Entry]] = {}
        for entry in self.entries():
            groups.setdefault((entry.kind, entry.name), []).append(entry)
        for same in groups.values():
            if len(same) > 1:
                yield Broken(" and ".join(entry.origin for entry in same), _say_twice(same))

    def _suggest(self, kind: str, name: str) -> str:
        known = self.names(kind)
        close = get_close_matches(name, known, n=1)
        question = f"did you mean {close[0]!r}? " if close else ""
        return f"{question}Known are: {', '.join(known) or 'none'}"


def _say_twice(same: Sequence[Entry]) -> str:
    origins = " and by ".join(entry.origin for entry in same)
    return f"{same[0].kind} plugin {same[0].name!r} is offered twice: by {origins}"


def _check_class(entry: Entry, offered: type[Any]) -> None:
    from hub.plugins.contract import contract_problems

    problems = contract_problems(entry.kind, offered)
    if problems:
        raise PluginError(
            f"{entry} breaks the contract: {'; '.join(problems)}",
            next_step="Correct the plugin's class; the reference of hub.api says what it must declare.",
        )
