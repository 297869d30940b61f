"""Find plugins without importing them, load them on demand, and keep a broken one from harming the others."""

from __future__ import annotations

from hub.plugins.loader import KINDS, Broken, Entry, Plugins

__all__ = ["KINDS", "Broken", "Entry", "Plugins"]
