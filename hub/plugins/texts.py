"""Read a module's text without importing it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

from hub.plugins.entries import Entry


def text_of(entry: Entry) -> str | None:
    """Return the text of a plugin's module; None where there is none to look at."""
    if entry.file is None:
        return _installed(entry.module)
    try:
        return entry.file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _installed(module: str) -> str | None:
    """Find a module as importing it would, but for the packages it lies in, which an ordinary search would import."""
    spec: ModuleSpec | None = None
    name = ""
    for part in module.split("."):
        path = None if spec is None else spec.submodule_search_locations
        name = f"{name}.{part}" if name else part
        found = (finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next((each for each in found if each is not None), None)
        if spec is None:
            return None
    read = getattr(spec and spec.loader, "get_source", None)
    try:
        return read(name) if read is not None else None
    except (ImportError, OSError):
        return None
