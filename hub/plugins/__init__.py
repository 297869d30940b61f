"""Find plugins without importing them, load them on demand, and keep a broken one from harming the others."""

from __future__ import annotations

from hub.plugins.entries import EXTENSION, KINDS, Broken, Entry
from hub.plugins.extensions import Extensions
from hub.plugins.loader import Plugins

__all__ = ["EXTENSION", "KINDS", "Broken", "Entry", "Extensions", "Plugins"]
