"""Write a new client's file: complete, explained, and loadable at once."""

from __future__ import annotations

import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.cli.client_text import file_text
from hub.cli.plugin_info import type_word
from hub.config import Client, Problems, Workspace, load_client
from hub.config.build import collect_config
from hub.config.problems import suggest
from hub.config.validate import is_secret, setting_names
from hub.errors import ConfigError, PluginError
from hub.plugins import Plugins
from hub.secrets import Secrets

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

Ask = Callable[[str, str | None], str]
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_TEXTS = {"text", "address", "duration", "secret"}
_FIRST_SOURCE = "shop"


@dataclass(frozen=True, slots=True)
class Draft:
    """What was asked for on the command line."""

    client: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    settings: tuple[str, ...]
    header: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Written:
    """The file, what is still to be filled in, and the commands that store its secrets."""

    file: Path
    problems: tuple[str, ...]
    secrets: tuple[str, ...]


@dataclass(slots=True)
class NewConnection:
    """A source or destination to be written."""

    kind: str
    name: str
    plugin: str
    model: type[BaseModel]
    values: dict[str, Any] = field(default_factory=dict)
    purpose: str | None = None


def write_client(workspace: Workspace, draft: Draft, ask: Ask | None) -> Written:
    """Write ``clients/<id>.toml`` and load it; ``ask`` is None where nobody is there to answer.

    Raises:
        ConfigError: the id is taken or no id, or a plugin or setting is not known.
    """
    file = workspace.folder / "clients" / f"{draft.client}.toml"
    if not _NAME.fullmatch(draft.client):
        raise ConfigError(f"{draft.client!r} is no client id", next_step="Use lower-case letters, digits and hyphens.")
    if file.exists():
        raise ConfigError(f"{file} exists already", next_step="Edit it, or choose another id.")
    plugins = Plugins(workspace.folder)
    connections = [
        *_connections("source", draft.sources, plugins),
        *_connections("destination", draft.destinations, plugins),
    ]
    _give_values(connections, draft.settings)
    header = _header(draft, ask)
    for connection in connections:
        _fill(connection, draft.client, ask)
    shared = workspace.shared.data.get("segments", {})
    segments = {name: model for name, model in _starters(plugins) if name not in shared}
    text = file_text(draft.client, header, connections, segments, first_segment=next(iter([*shared, *segments]), None))
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    try:
        written = _look_again(workspace, draft.client, connections)
    except ConfigError:
        file.unlink()  # a value from the command line was wrong: nothing was added
        raise
    _copy_starters(workspace, connections, plugins)
    return written


def _copy_starters(workspace: Workspace, connections: list[NewConnection], plugins: Plugins) -> None:
    """Put the files that plugins want a new client to begin with into the workspace, keeping what is there."""
    for connection in connections:
        for place, file in plugins.load(connection.kind, connection.plugin).starter_files().items():
            target = workspace.folder / place
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)


def _connections(kind: str, specs: tuple[str, ...], plugins: Plugins) -> Iterator[NewConnection]:
    taken: set[str] = set()
    for spec in specs:
        given, _, plugin = spec.rpartition("=")
        name = given or (plugin if kind == "destination" or taken else _FIRST_SOURCE)
        if not _NAME.fullmatch(name) or name in taken:
            raise ConfigError(
                f"{name!r} is {'taken' if name in taken else 'no name'} in --{kind} {spec}",
                next_step=f"Give it a name of its own: --{kind} NAME={plugin}.",
            )
        taken.add(name)
        offered = plugins.load(kind, plugin)
        purpose = offered.can.purpose if kind == "destination" else None
        yield NewConnection(kind, name, plugin, offered.Config, purpose=purpose)


def _give_values(connections: list[NewConnection], settings: tuple[str, ...]) -> None:
    """Read ``--set shop.folder=exports/acme``."""
    by_name = {connection.name: connection for connection in connections}
    for setting in settings:
        place, equals, text = setting.partition("=")
        name, dot, key = place.partition(".")
        if not (equals and dot):
            raise ConfigError(
                f"--set {setting} is not CONNECTION.KEY=VALUE", next_step="Write shop.folder=exports/acme."
            )
        if name not in by_name:
            raise ConfigError(f"--set {setting}: there is no connection {name!r}; {suggest(name, by_name)}")
        fields = setting_names(by_name[name].model)
        if key not in fields:
            raise ConfigError(f"--set {setting}: {name} has no setting {key!r}; {suggest(key, fields)}")
        if is_secret(fields[key].annotation):
            raise ConfigError(
                f"{place} is a secret and must not stand in a file",
                next_step=f"Leave it out; run `hub secret set CLIENT {name} {key}` afterwards.",
            )
        by_name[name].values[key] = _read_value(fields[key], text)


def _read_value(known: FieldInfo, text: str) -> Any:
    """Read a value as TOML would, unless the setting is text anyway."""
    if type_word(known.annotation) in _TEXTS:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _header(draft: Draft, ask: Ask | None) -> dict[str, str | None]:
    header = dict(draft.header)
    header["name"] = header["name"] or draft.client.replace("-", " ").title()
    if ask is None:
        return header
    questions = (
        ("name", "The shop's name"),
        ("timezone", "Its time zone (IANA, such as Europe/Copenhagen)"),
        ("country", "Its country (ISO 3166-1, such as DK)"),
        ("currency", "Its currency (ISO 4217, such as DKK)"),
    )
    for key, question in questions:
        if not draft.header.get(key):
            header[key] = ask(question, header[key]) or None
    return header


def _fill(connection: NewConnection, client: str, ask: Ask | None) -> None:
    """Give settings a value that must have one (required) or had better (their plugin gives an example)."""
    for key, known in setting_names(connection.model).items():
        example = str(known.examples[0]).replace("{client}", client) if known.examples else None
        wanted = known.is_required() or example is not None
        if not wanted or key in connection.values or is_secret(known.annotation):
            continue
        answer = ask(f"{connection.name}: {known.description or key} ({key})", example) if ask else example
        if answer:
            connection.values[key] = _read_value(known, answer)


def _starters(plugins: Plugins) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the strategies to start with, which work without any setting; a broken one is no reason not to start."""
    for entry in plugins.entries("segment"):
        try:
            strategy = plugins.load("segment", entry.name)
        except (ConfigError, PluginError):
            continue
        if strategy.starter and not any(known.is_required() for known in strategy.Config.model_fields.values()):
            yield entry.name, strategy.Config


def _look_again(workspace: Workspace, client: str, connections: list[NewConnection]) -> Written:
    loaded = load_client(workspace, client)
    problems = Problems()
    commands = []
    for connection in connections:
        tables = loaded.sources if connection.kind == "source" else loaded.destinations
        where = tables[connection.name].where
        secrets = [key for key, known in setting_names(connection.model).items() if is_secret(known.annotation)]
        lookup = Secrets(client, None, {}).of(connection.name, dict.fromkeys(secrets, "set later"))
        collect_config(connection.model, connection.values, where=where, secrets=lookup, problems=problems)  # type: ignore[type-var]  # Config of a plugin
        for key in secrets:
            optional = "" if setting_names(connection.model)[key].is_required() else "   (optional)"
            commands.append(f"hub secret set {client} {connection.name} {key}{optional}")
    todo = [*_undecided(loaded), *problems.lines]
    return Written(loaded.file, tuple(todo), tuple(dict.fromkeys(commands)))


def _undecided(client: Client) -> Iterator[str]:
    """Yield what hub runs without, and yet wants to be told."""
    place = f"clients/{client.file.name}"
    if client.currency is None:
        yield f"{place}: currency: which is the shop's? Until then rows with an amount in any currency are rejected"
    if client.country is None:
        yield f"{place}: country: where is the shop? Until then nobody is cleared whose own country is unknown"
