"""Workspace settings that the environment may set, for containers."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(BaseSettings):
    """What ``HUB_…`` variables say; they win over ``hub.toml``."""

    model_config = SettingsConfigDict(env_prefix="HUB_", env_ignore_empty=True, frozen=True)

    secrets_dir: Path | None = Field(default=None, description="folder with secrets, <client>/<connection>/<field>")
    memory_limit: str | None = Field(default=None, description="memory DuckDB may use, such as 4GB")
