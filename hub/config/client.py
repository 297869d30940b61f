"""Read a client's file, with what it inherits from ``hub.toml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from json import dumps
from typing import Any

from hub.config.models import (
    ClientModel,
    DestinationTable,
    Guards,
    SegmentTable,
    SourceTable,
    SyncSettings,
)
from hub.config.problems import ConfigFileError, Problems, Where, read_file, suggest
from hub.config.references import check_priority, check_references
from hub.config.settings import Client, ConnectionSettings, SegmentSettings, Workspace
from hub.config.validate import setting_names, validate
from hub.config.workspace import INHERITED, PRIORITY

SECTIONS = ("sources", "segments", "destinations", "syncs")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_NAME_RULE = "use lower-case letters, digits and hyphens, such as acme-shoes"

Table = tuple[dict[str, Any], Where]


def load_client(workspace: Workspace, client_id: str) -> Client:
    """Read a client's configuration.

    Raises:
        ConfigFileError: with every problem that shows without loading a plugin; ``build_config`` finds the rest.
    """
    name = f"clients/{client_id}.toml"
    if not _NAME.fullmatch(client_id):
        raise ConfigFileError([f"{name}: the file's name is the client's id; {_NAME_RULE}"])
    if client_id not in workspace.clients:
        raise ConfigFileError(
            [f"there is no client {client_id!r} ({workspace.folder / name}); {suggest(client_id, workspace.clients)}"],
            next_step=f"Run `hub client add {client_id} --source … --destination …`.",
        )
    file = read_file(workspace.folder / name, name)
    problems = Problems()
    where = Where((file, workspace.shared))
    model = _client_model(where, problems)
    tables = {section: _tables(section, where, problems) for section in SECTIONS}
    sources = _connections(SourceTable, tables["sources"], problems)
    destinations = _connections(DestinationTable, tables["destinations"], problems)
    segments = _segments(tables["segments"], problems)
    syncs = _syncs(tables["syncs"], problems)
    check_references(
        {**dict.fromkeys(tables["segments"]), **segments},
        {**dict.fromkeys(tables["destinations"]), **destinations},
        syncs,
        Where((file,)),
        problems,
    )
    check_priority(model.priority if model else (), tables["segments"], where.below("priority"), problems)
    problems.raise_any(next_step=f"Correct the lines named, then run `hub check {client_id} --offline`.")
    if model is None:
        raise AssertionError("a file is refused only with a problem")
    return Client(
        id=client_id,
        file=workspace.folder / name,
        name=model.name,
        timezone=model.timezone,
        country=model.country,
        currency=model.currency,
        consent=model.consent,
        guards=model.guards,
        currencies=model.currencies,
        priority=model.priority,
        sources=sources,
        segments=segments,
        destinations=destinations,
        syncs=syncs,
        state=workspace.home / client_id,
        digest=_digest(model, tables),
        where=where,
    )


def _client_model(where: Where, problems: Problems) -> ClientModel | None:
    """Read everything but the tables of named things; ``consent`` and ``guards`` inherit key by key."""
    own, shared = (file.data for file in where.files)
    data = {key: value for key, value in own.items() if key not in SECTIONS}
    if PRIORITY in shared:
        data.setdefault(PRIORITY, shared[PRIORITY])
    for section in ("consent", "guards"):
        if isinstance(data.get(section, {}), dict):
            data[section] = {**shared.get(section, {}), **data.get(section, {})}
    return validate(ClientModel, data, where, problems, also_known=SECTIONS)


def _tables(section: str, where: Where, problems: Problems) -> dict[str, Table]:
    """Return a section's tables by name, inherited ones first, each with the place it stands in."""
    own, shared = (file.data.get(section, {}) for file in where.files)
    if section not in INHERITED:
        shared = {}
    if not isinstance(own, dict):
        problems.add(where.below(section), f"should be tables; write [{section}.NAME]")
        return {}
    tables: dict[str, Table] = {}
    for name in dict.fromkeys((*shared, *own)):
        place = where.below(section, name)
        if not _NAME.fullmatch(name):
            problems.add(place, f"{name!r} is not a name; {_NAME_RULE}")
        elif not all(isinstance(table.get(name, {}), dict) for table in (own, shared)):
            problems.add(place, f"should be a table; write [{section}.{name}]")
        else:
            tables[name] = _inherit(own.get(name), shared.get(name), place)
    return tables


def _inherit(own: dict[str, Any] | None, shared: dict[str, Any] | None, place: Where) -> Table:
    """Lay a client's keys over the inherited ones, unless the client makes it something else."""
    if own is None or shared is None:
        return own or shared or {}, place
    combines = bool(own.keys() & {"all", "any", "none"})
    if combines or own.get("plugin", shared.get("plugin")) != shared.get("plugin"):
        return own, Where(place.files[:1], place.path)
    return {**shared, **own}, place


def _connections(
    model: type[SourceTable | DestinationTable], tables: Mapping[str, Table], problems: Problems
) -> dict[str, ConnectionSettings]:
    made: dict[str, ConnectionSettings] = {}
    for name, (table, where) in tables.items():
        reserved, options = _split(model, table)
        settings = validate(model, reserved, where, problems)
        if settings is None:
            continue
        guards = settings.guards if isinstance(settings, SourceTable) else {}
        validate(Guards, guards, where.below("guards"), problems)
        made[name] = ConnectionSettings(name, settings.plugin, options, where, guards, settings.enabled)
    return made


def _segments(tables: Mapping[str, Table], problems: Problems) -> dict[str, SegmentSettings]:
    made: dict[str, SegmentSettings] = {}
    for name, (table, where) in tables.items():
        reserved, options = _split(SegmentTable, table)
        settings = validate(SegmentTable, reserved if "plugin" in table else table, where, problems)
        if settings is not None:
            made[name] = SegmentSettings(
                name, settings.plugin, options, where, settings.all, settings.any, settings.none, settings.enabled,
                sample=settings.sample, limit=settings.limit, min_size=settings.min_size, tests=settings.tests,
            )  # fmt: skip
    return made


def _syncs(tables: Mapping[str, Table], problems: Problems) -> dict[str, SyncSettings]:
    made: dict[str, SyncSettings] = {}
    for name, (table, where) in tables.items():
        settings = validate(SyncSettings, table, where, problems)
        if settings is not None:
            validate(Guards, settings.guards, where.below("guards"), problems)
            made[name] = settings
    return made


def _split(
    model: type[SourceTable | DestinationTable | SegmentTable], table: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return hub's own keys of a table and the plugin's."""
    reserved = setting_names(model)
    return (
        {key: value for key, value in table.items() if key in reserved},
        {key: value for key, value in table.items() if key not in reserved},
    )


def _digest(model: ClientModel, tables: Mapping[str, Mapping[str, Table]]) -> str:
    """Hash everything effective; order counts, since the source listed first wins. Tests of segments change nothing."""
    effective: dict[str, Any] = {"client": model.model_dump(mode="json")}
    for section in SECTIONS:
        apart = "tests" if section == "segments" else None
        effective[section] = [
            (name, {key: value for key, value in table.items() if key != apart})
            for name, (table, _) in tables[section].items()
        ]
    return sha256(dumps(effective, sort_keys=True, default=str).encode()).hexdigest()[:32]
