"""The loader: three ways to be found, one way to be used.

A plugin is found as an entry point of an installed distribution (hub's own are no exception) or as a file in the
workspace's ``plugins/``. Listing reads metadata and source text; only ``load`` imports.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from importlib.metadata import Distribution, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from hub.errors import ConfigError, PluginError
from hub.plugins.names import offers_stand_ins, read_plugin_names

if TYPE_CHECKING:
    from hub.api import StandIn

Kind = Literal["source", "segment", "destination"]
KINDS: tuple[Kind, ...] = ("source", "segment", "destination")

_ORDER: dict[str, int] = {kind: position for position, kind in enumerate(KINDS)}
_EXTENSIONS = "hub.extensions"
_FOLDER = "plugins"


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin as listed; nothing of it was imported.

    ``module`` is importable where the plugin is installed; ``file`` is set where it lives in the workspace.
    """

    kind: str
    name: str
    module: str
    distribution: str | None = None
    version: str | None = None
    file: Path | None = None

    @property
    def origin(self) -> str:
        """Return where the plugin comes from, for messages: distribution and version, or file."""
        if self.file is not None:
            return f"{_FOLDER}/{self.file.name}"
        return f"{self.distribution or 'unknown distribution'} {self.version or ''}".strip()

    def __str__(self) -> str:
        return f"{self.kind} plugin {self.name!r} ({self.origin})"


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin, or a file that should hold some, that cannot be used, and why."""

    origin: str
    reason: str


class Plugins:
    """Everything that is installed, and everything in the workspace's ``plugins/``."""

    def __init__(self, workspace: Path | None = None) -> None:
        self._workspace = workspace
        self._modules: dict[str, ModuleType] = {}
        self._loaded: dict[tuple[str, str], type[Any]] = {}
        self._faults: dict[str, Broken] = {}
        self._distributions: dict[Distribution, tuple[str, str]] = {}

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
        return [*self._local[1], *self._twice(), *self._faults.values()]

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
        classes = self._call(entry, f"hub_{kind}s")
        found = [offered for offered in classes if getattr(offered, "name", None) == name]
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
        from hub.api import StandIn

        found: dict[type[StandIn], None] = {}
        for entry in self._extensions():
            try:
                offered: list[Any] = self._call(entry, "hub_stand_ins")
                strange = [one for one in offered if not (isinstance(one, type) and issubclass(one, StandIn))]
                if strange:
                    raise PluginError(f"{entry}: hub_stand_ins offers {strange[0]!r}, not a subclass of api.StandIn")
            except PluginError as error:
                self._faults.setdefault(entry.origin, Broken(entry.origin, str(error)))
                continue
            found.update(dict.fromkeys(offered))
        return list(found)

    @cached_property
    def _installed(self) -> list[Entry]:
        return [entry for kind in KINDS for entry in self._entry_points(f"hub.{kind}s", kind)]

    @cached_property
    def _metadata(self) -> Any:  # SelectableGroups in 3.11, EntryPoints from 3.12 on; both can select
        """Read every installed distribution's metadata, once: it is the dear part of listing."""
        return entry_points()

    def _entry_points(self, group: str, kind: str) -> Iterator[Entry]:
        for point in self._metadata.select(group=group):
            yield Entry(kind, point.name, point.module, *self._distribution(point.dist))

    def _distribution(self, distribution: Distribution | None) -> tuple[str | None, str | None]:
        """Return name and version; each look parses all that a distribution says of itself, its README included."""
        if distribution is None:
            return None, None
        if distribution not in self._distributions:
            about = distribution.metadata
            self._distributions[distribution] = about["Name"], about["Version"]
        return self._distributions[distribution]

    @cached_property
    def _local(self) -> tuple[list[Entry], list[Broken]]:
        """Read, but do not run, the files in the workspace's ``plugins/``."""
        entries: list[Entry] = []
        broken: list[Broken] = []
        for file in self._files():
            try:
                names = read_plugin_names(file.read_text(encoding="utf-8"))
            except (SyntaxError, ValueError, OSError) as error:
                broken.append(Broken(f"{_FOLDER}/{file.name}", f"cannot be read: {error}"))
                continue
            entries += [Entry(kind, name, _module_name(file), file=file) for kind, name in names.found]
            broken += [Broken(f"{_FOLDER}/{file.name}", reason) for reason in names.problems]
        return entries, broken

    def _files(self) -> list[Path]:
        if self._workspace is None:
            return []
        files = (self._workspace / _FOLDER).glob("*.py")
        return sorted(file for file in files if not file.name.startswith("_"))

    def _extensions(self) -> Iterator[Entry]:
        yield from self._entry_points(_EXTENSIONS, "extension")
        for file in self._files():
            if offers_stand_ins(file.read_text(encoding="utf-8", errors="replace")):
                yield Entry("extension", file.stem, _module_name(file), file=file)

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

    def _call(self, entry: Entry, hook: str) -> list[type[Any]]:
        """Register a plugin's module with a manager of its own and ask one hook; the place that isolates plugins."""
        import pluggy

        from hub.api import hooks

        manager = pluggy.PluginManager(hooks.PROJECT)
        manager.add_hookspecs(hooks)
        try:
            module = self._import(entry)
            _check_hooks(module)
            manager.register(module, entry.module)
            manager.check_pending()
            answers: Sequence[Iterable[type[Any]]] = getattr(manager.hook, hook)()
            return [offered for answer in answers for offered in answer]
        except (Exception, SystemExit) as error:  # whatever a plugin raises is the plugin's fault
            raise PluginError(
                f"{entry} cannot be loaded: {type(error).__name__}: {error}",
                next_step="Correct the plugin, or install a version that fits this hub; --debug shows where it failed.",
            ) from error

    def _import(self, entry: Entry) -> ModuleType:
        if entry.module not in self._modules:
            module = import_module(entry.module) if entry.file is None else _import_file(entry.module, entry.file)
            self._modules[entry.module] = module
        return self._modules[entry.module]


def _module_name(file: Path) -> str:
    """Return a private module name, so that a plugin's file shadows nobody's module."""
    return f"_hub_workspace_{sha256(str(file.resolve()).encode()).hexdigest()[:12]}_{file.stem}"


def _import_file(name: str, file: Path) -> ModuleType:
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _check_hooks(module: ModuleType) -> None:
    """Refuse a function that looks like a hook but is not marked: pluggy would ignore it."""
    from hub.api import hooks

    for name, value in vars(module).items():
        own = callable(value) and getattr(value, "__module__", None) == module.__name__
        if own and name.startswith("hub_") and not hasattr(value, f"{hooks.PROJECT}_impl"):
            raise TypeError(f"{name} is not marked as a hook; write @api.hookimpl above it")


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
