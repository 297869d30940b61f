"""From ``hub.toml`` and ``clients/*.toml`` to typed settings that know where each value came from.

Names are loaded when they are used: finding the workspace must not cost pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.config.build import FoundSecret, SecretLookup, build_config
    from hub.config.client import load_client
    from hub.config.locate import HOME, WORKSPACE_FILE, client_ids, find_workspace
    from hub.config.models import ConsentFrom, ConsentSettings, Guards, SyncSettings
    from hub.config.offline import check_offline
    from hub.config.problems import ConfigFileError, Problems, Where
    from hub.config.settings import Client, ConnectionSettings, SegmentSettings, Workspace
    from hub.config.workspace import load_workspace

__all__ = [
    "HOME",
    "WORKSPACE_FILE",
    "Client",
    "ConfigFileError",
    "ConnectionSettings",
    "ConsentFrom",
    "ConsentSettings",
    "FoundSecret",
    "Guards",
    "Problems",
    "SecretLookup",
    "SegmentSettings",
    "SyncSettings",
    "Where",
    "Workspace",
    "build_config",
    "check_offline",
    "client_ids",
    "find_workspace",
    "load_client",
    "load_workspace",
]

_MODULES = {
    "build": ("FoundSecret", "SecretLookup", "build_config"),
    "client": ("load_client",),
    "locate": ("HOME", "WORKSPACE_FILE", "client_ids", "find_workspace"),
    "models": ("ConsentFrom", "ConsentSettings", "Guards", "SyncSettings"),
    "offline": ("check_offline",),
    "problems": ("ConfigFileError", "Problems", "Where"),
    "settings": ("Client", "ConnectionSettings", "SegmentSettings", "Workspace"),
    "workspace": ("load_workspace",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
