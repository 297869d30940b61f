"""Read a module's text without importing it."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

from hub.plugins.entries import Entry


def text_of(entry: Entry) -> str | None:
    """Return the text of a plugin's module; None where there is none to look at."""
    file = entry.file or _installed(entry.module)
    try:
        return None if file is None else file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def _installed(module: str) -> Path | None:
    """Find a module's file as importing it would, but for the packages it lies in: an ordinary search imports those."""
    spec: ModuleSpec | None = None
    name = ""
    for part in module.split("."):
        path = None if spec is None else spec.submodule_search_locations
        name = f"{name}.{part}" if name else part
        found = (finder.find_spec(name, path) for finder in sys.meta_path if hasattr(finder, "find_spec"))
        spec = next((each for each in found if each is not None), None)
        if spec is None:
            return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.origin.endswith(".py") else None
