"""Import plugins' modules and ask their hooks: the one place that talks to pluggy, and that isolates plugins."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from hub.errors import HubError, PluginError
from hub.plugins.entries import Entry

if TYPE_CHECKING:
    from pluggy import PluginManager

_CORRECT = "Correct the plugin, or install a version that fits this hub; --debug shows where it failed."


class Modules:
    """The modules of plugins, each imported once, when it is first asked for something."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}

    def load(self, entry: Entry) -> ModuleType:
        """Import a plugin's module and check its hooks.

        Raises:
            PluginError: it cannot be imported, or has a hook that hub does not know.
        """
        self._manager(entry)
        return self._modules[entry.module]

    def offered(self, entry: Entry, hook: str, **told: Any) -> list[Any]:
        """Return everything that a module's hook offers.

        Raises:
            PluginError: the module cannot be loaded, or its hook fails.
        """
        manager = self._manager(entry)
        with isolated(entry, f"failed in {hook}"):
            return [offered for answer in getattr(manager.hook, hook)(**told) for offered in answer]

    def tell(self, entry: Entry, hook: str, **told: Any) -> None:
        """Call a module's hook that gives no answer.

        Raises:
            PluginError: the module cannot be loaded, or its hook fails.
        """
        manager = self._manager(entry)
        with isolated(entry, f"failed in {hook}"):
            getattr(manager.hook, hook)(**told)

    def _manager(self, entry: Entry) -> PluginManager:
        """Register a module with a manager of its own, so that nobody's fault is another's."""
        import pluggy

        from hub.api import hooks

        manager = pluggy.PluginManager(hooks.PROJECT)
        manager.add_hookspecs(hooks)
        with isolated(entry, "cannot be loaded"):
            module = self._import(entry)
            _check_hooks(module)
            manager.register(module, entry.module)
            manager.check_pending()
        return manager

    def _import(self, entry: Entry) -> ModuleType:
        if entry.module not in self._modules:
            module = import_module(entry.module) if entry.file is None else _import_file(entry.module, entry.file)
            self._modules[entry.module] = module
        return self._modules[entry.module]


def module_name(file: Path) -> str:
    """Return a private module name, so that a plugin's file shadows nobody's module."""
    from hashlib import sha256

    return f"_hub_workspace_{sha256(str(file.resolve()).encode()).hexdigest()[:12]}_{file.stem}"


@contextmanager
def isolated(entry: Entry, what: str) -> Iterator[None]:
    """Turn whatever a plugin raises into its own fault, by name and origin; what it prints is no result of hub's."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except HubError as error:
        raise PluginError(f"{entry} {what}: {error}", next_step=error.next_step or _CORRECT) from error
    except (Exception, SystemExit) as error:
        raise PluginError(f"{entry} {what}: {type(error).__name__}: {error}", next_step=_CORRECT) from error


def _import_file(name: str, file: Path) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

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
