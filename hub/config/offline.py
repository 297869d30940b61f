"""Check a client's wiring without asking anyone outside this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from hub.api import Config, Finding
from hub.config.build import SecretLookup, collect_config
from hub.config.client import load_client
from hub.config.problems import ConfigFileError, Problems, Where, suggest
from hub.config.settings import Client, Workspace
from hub.config.validate import is_secret, setting_names
from hub.errors import ConfigError, PluginError


class Loader(Protocol):
    """The part of ``hub.plugins.Plugins`` that a check needs."""

    def names(self, kind: Any) -> list[str]:
        """Return the known plugins of a kind."""

    def load(self, kind: Any, name: str) -> Any:
        """Return a plugin's class."""


def check_offline(
    workspace: Workspace, client_id: str, plugins: Loader, secrets: Callable[[str], SecretLookup]
) -> list[Finding]:
    """Return everything that can be known about a client without leaving the machine; errors are findings too."""
    try:
        client = load_client(workspace, client_id)
    except ConfigFileError as error:
        return [Finding.error(problem, next_step=error.next_step, code="config") for problem in error.problems]
    findings = [Finding.ok(f"clients/{client.id}.toml: {_count(client)}")]
    for kind, where, plugin, options, lookup in _plugged(client, secrets):
        findings += _check_settings(plugins, kind, where, plugin, options, lookup)
    return findings


Plugged = tuple[str, Where, str, Any, SecretLookup | None]


def _plugged(client: Client, secrets: Callable[[str], SecretLookup]) -> Iterator[Plugged]:
    for kind, connections in (("source", client.sources), ("destination", client.destinations)):
        for connection in connections.values():
            if connection.enabled:
                yield kind, connection.where, connection.plugin, connection.options, secrets(connection.name)
    for segment in client.segments.values():
        if segment.enabled and segment.plugin:
            yield "segment", segment.where, segment.plugin, segment.options, None


def _check_settings(
    plugins: Loader, kind: str, where: Where, plugin: str, options: Any, lookup: SecretLookup | None
) -> list[Finding]:
    if plugin not in plugins.names(kind):
        problem = f"there is no {kind} plugin {plugin!r}; {suggest(plugin, plugins.names(kind))}"
        return [Finding.error(where.below("plugin").say(problem), next_step="Run `hub plugins list`.", code="plugin")]
    try:
        model = plugins.load(kind, plugin).Config
    except (ConfigError, PluginError) as error:
        return [Finding.error(where.below("plugin").say(str(error)), next_step=error.next_step, code="plugin")]
    problems = Problems()
    collect_config(model, options, where=where, secrets=lookup, problems=problems)
    findings = [Finding.error(problem, code="config") for problem in problems.lines]
    return findings + _secrets_found(model, where, lookup)


def _secrets_found(model: type[Config], where: Where, lookup: SecretLookup | None) -> list[Finding]:
    findings = []
    for name, field in setting_names(model).items():
        found = lookup.find(name) if lookup and is_secret(field.annotation) else None
        if found:
            findings.append(Finding.ok(f"{where.below(name).key}: secret found in {found.where}"))
    return findings


def _count(client: Client) -> str:
    parts = (
        (len(client.sources), "source"),
        (len(client.segments), "segment"),
        (len(client.destinations), "destination"),
        (len(client.syncs), "sync"),
    )
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in parts)
