"""A client's wiring: its configuration turned into connections, segments and a place for its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from json import dumps
from pathlib import Path
from typing import Any

from hub.api import Capabilities, Config, Destination, Endpoint, Segment, Shop, Source
from hub.catalog import Catalog, CatalogSettings, OptOut, safe_text
from hub.config import Client, ConnectionSettings, Where, Workspace, build_config
from hub.config.problems import suggest
from hub.errors import ConfigError, PluginError
from hub.http import Limiter
from hub.keys import LENGTH, fingerprint, load_key, read_key
from hub.ledger import Ledger
from hub.plugins import Plugins
from hub.secrets import Secrets
from hub.segments import Definition, SettingsLike, definitions_from
from hub.sync.lines import open_line
from hub.sync.opt_outs import keep_opt_outs
from hub.sync.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class StandIns:
    """The stand-ins that run: address by plugin, and the secrets each accepts."""

    addresses: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Wiring:
    """One client, ready to be worked on. ``stand_ins`` sends every address to the sandbox, with files of its own."""

    workspace: Workspace
    client: Client
    plugins: Plugins
    around: Surroundings = field(default_factory=Surroundings)
    stand_ins: StandIns | None = None
    limiters: dict[tuple[str, str], Limiter] = field(default_factory=dict)
    """By kind and name, filled as connections are made: one limiter serves all syncs of a connection."""

    @cached_property
    def folder(self) -> Path:
        """Return the client's own folder, made with mode 0700 where it is missing."""
        state = self.client.open_state()
        if self.stand_ins is None:
            return state
        for made in (self.rehearsal.parent, self.rehearsal):
            made.mkdir(mode=0o700, exist_ok=True)
        return self.rehearsal

    @property
    def rehearsal(self) -> Path:
        """Return where ``--sandbox`` keeps this client's files."""
        return self.client.state.parent / "sandbox" / self.client.id

    @property
    def named(self) -> str:
        """Return what a command needs to mean this client: its id, in a rehearsal with the option for it."""
        return self.client.id if self.stand_ins is None else f"--sandbox {self.client.id}"

    @cached_property
    def key(self) -> bytes:
        """Return the client's key, made where the client is new.

        Raises:
            ConfigError: it is not the key that the ledger was written with, whose hashes would mean nobody.
        """
        with self.open_ledger() as ledger:
            memory = ledger.memory("")
            known, found = memory.get("key"), read_key(self.folder)
            if wrong := _wrong_with(found, known):
                raise ConfigError(
                    f"{self.folder / 'key'} {wrong}: nobody who is blocked or a member would be known again",
                    next_step="put the key back from your backup, the one that belongs to ledger.sqlite",
                )
            key = found or load_key(self.folder)
            if not known:
                memory.set("key", fingerprint(key))
        return key

    def open_ledger(self) -> Ledger:
        """Open the client's ledger."""
        return Ledger.open(self.folder, self.around.clock)

    @cached_property
    def catalog(self) -> Catalog:
        """Return the client's catalog."""
        client = self.client
        settings = CatalogSettings(
            country=client.country,
            currency=client.currency,
            currencies=client.currencies,
            timezone=client.timezone,
            sources=[(name, self.system_of(settings)) for name, settings in self.live_sources.items()],
            consent_from=client.consent.sources,
            memory_limit=self.workspace.memory_limit,
        )
        return Catalog(self.folder, settings, self.key, on_refusals=self._keep_refusals)

    def _keep_refusals(self, opt_outs: Sequence[OptOut]) -> None:
        """Write down who said no in a source that is listed no more."""
        with self.open_ledger() as ledger:
            keep_opt_outs(ledger, self.key, opt_outs)

    @property
    def live_sources(self) -> dict[str, ConnectionSettings]:
        """Return the sources that are switched on, in the order listed."""
        return {name: source for name, source in self.client.sources.items() if source.enabled}

    @property
    def live_destinations(self) -> dict[str, ConnectionSettings]:
        """Return the destinations that are switched on."""
        return {name: each for name, each in self.client.destinations.items() if each.enabled}

    @staticmethod
    def system_of(source: ConnectionSettings) -> str:
        """Return the shop that a source is a door to."""
        return str(source.options.get("system") or source.name)

    def known_by(self, destination: str, can: Capabilities) -> tuple[str, ...]:
        """Return the kinds of address that a destination knows people by, as consent is asked about them.

        A customer id means nothing without its shop: the one that the destination's ``system`` names, else the one
        that the sources of the same plugin are doors to, else the client's only one.

        Raises:
            ConfigError: which shop it is cannot be told.
        """
        if "customer_id" not in can.identify_by:
            return can.identify_by
        settings = self.client.destinations[destination]
        named = settings.options.get("system")
        known = {self.system_of(each) for each in self.live_sources.values()}
        alike = {self.system_of(each) for each in self.live_sources.values() if each.plugin == settings.plugin}
        if named is None and len(alike or known) == 1:
            (named,) = alike or known
        if named not in known:
            wrong = "names no `system`" if named is None else f"names the system {named!r}"
            problem = f"knows people by the customer ids of one shop and {wrong}; there are {', '.join(sorted(known))}"
            raise ConfigError(settings.where.say(problem), next_step="Set `system` to the shop's, as its sources do.")
        return (f"customer_id:{named}",)

    def source(self, name: str, ledger: Ledger) -> Source[Any]:
        """Make one source. Raises ConfigError where a setting or secret is missing."""
        source: Source[Any] = self._connection("source", self.client.sources[name], ledger)
        return source

    def sources(self, ledger: Ledger) -> dict[str, Source[Any]]:
        """Make every source. Raises ConfigError where a setting or secret is missing."""
        return {name: self.source(name, ledger) for name in self.live_sources}

    def destination(self, name: str, ledger: Ledger) -> Destination[Any]:
        """Make one destination. Raises ConfigError where a setting or secret is missing."""
        destination: Destination[Any] = self._connection("destination", self.client.destinations[name], ledger)
        return destination

    def purpose_of(self, name: str, ledger: Ledger) -> str:
        """Return a destination's purpose; where it cannot be made (a missing secret), what its plugin declares."""
        try:
            return self.destination(name, ledger).purpose
        except (ConfigError, PluginError):
            return self.destination_class(name).can.purpose

    def destination_class(self, name: str) -> type[Destination[Any]]:
        """Return what a destination is made of. Raises ConfigError or PluginError where there is no such plugin."""
        settings = self.client.destinations[name]
        plugin: type[Destination[Any]] = self._load("destination", settings.plugin, settings.where)
        return plugin

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """Return the segments that are switched on."""
        segments = self.client.segments.values()
        return definitions_from(segments, self._load_segment, self._segment_config, self.client.priority)

    def plugin_versions(self) -> dict[str, str]:
        """Return what each plugin in use is, for plan files: its origin and, for a strategy, its version."""
        versions = {}
        for kind, each in self._plugged():
            entry = self.plugins.entry(kind, each)
            versions[f"{kind} {each}"] = entry.origin
        for entry in self.plugins.extensions.offering("hub_withholdings"):
            versions[f"extension {entry.name}"] = entry.origin
        for definition in self.definitions:
            if definition.strategy is not None:
                versions[f"segment {definition.strategy.name}"] += f", version {definition.strategy.version}"
        return versions

    def definition_digest(self, sync: str, purpose: str) -> str:
        """Hash what a sync delivers: its segments with settings and versions, attributes, mode, purpose and holdout.

        What came to count later, the purpose that the destination may give and the holdout, follows in a hash of its
        own: a ledger that knows only the first one tells nothing of the second (``Target.is_redefined``).
        """
        settings = self.client.syncs[sync]
        known = {definition.name: definition for definition in self.definitions}
        told: dict[str, Any] = {}
        waiting = [settings.segment]
        while waiting:
            definition = known.get(waiting.pop())
            if definition is None or definition.name in told:
                continue
            waiting += [*definition.operands, *definition.earlier]
            told[definition.name] = [
                definition.strategy and [definition.strategy.name, definition.strategy.version, definition.settings],
                [definition.all, definition.any, definition.none],
                *([definition.narrowing, definition.earlier] if definition.narrowing or definition.earlier else ()),
            ]
        what = [settings.segment, told, settings.attributes, settings.purpose, settings.mode]
        return _digest(what) + _digest([purpose, settings.holdout])

    def _plugged(self) -> set[tuple[str, str]]:
        return (
            {("source", each.plugin) for each in self.live_sources.values()}
            | {("destination", each.plugin) for each in self.live_destinations.values()}
            | {("segment", each.strategy.name) for each in self.definitions if each.strategy is not None}
        )

    def _load_segment(self, name: str) -> type[Segment[Any]]:
        where = next(each.where for each in self.client.segments.values() if each.enabled and each.plugin == name)
        return self._load("segment", name, where)

    def _load(self, kind: str, name: str, where: Where) -> type[Any]:
        """Load a plugin; one that does not exist is a mistake in the file, told with its place."""
        if name not in self.plugins.names(kind):
            problem = f"there is no {kind} plugin {name!r}; {suggest(name, self.plugins.names(kind))}"
            step = "Run `hub plugins list`; install what has it, or put its file into plugins/."
            raise ConfigError(where.below("plugin").say(problem), next_step=step)
        return self.plugins.load(kind, name)

    def _segment_config(self, model: type[Config], settings: SettingsLike) -> Config:
        return build_config(model, settings.options, where=self.client.segments[settings.name].where)

    def _connection(self, kind: str, settings: ConnectionSettings, ledger: Ledger) -> Any:
        plugin = self._load(kind, settings.plugin, settings.where)
        stand_in = self.stand_ins.secrets.get(settings.plugin) if self.stand_ins else None
        secrets = Secrets(self.client.id, self.workspace.secrets_dir, self.around.environ).of(settings.name, stand_in)
        config = build_config(plugin.Config, settings.options, where=settings.where, secrets=secrets)
        config = self._redirect(config, settings.plugin)
        try:
            made = plugin(
                connection=settings.name,
                config=config,
                shop=self._shop(settings.name),
                remember=ledger.memory(settings.name),
            )
            today = self.around.clock().date().isoformat()
            used = ledger.usage(settings.name, today)
            self.limiters[kind, settings.name] = open_line(made, self.around, used=used)
        except (ConfigError, PluginError):
            raise
        except Exception as error:  # a plugin's constructor or client: isolated and named
            raise PluginError(
                f"{self.plugins.entry(kind, settings.plugin)} failed to start: {safe_text(error)}"
            ) from error
        return made

    def _redirect(self, config: Config, plugin: str) -> Config:
        """Send a connection's addresses to its stand-in."""
        if self.stand_ins is None or plugin not in self.stand_ins.addresses:
            return config
        address = Endpoint(self.stand_ins.addresses[plugin])
        fields = [name for name in type(config).model_fields if isinstance(getattr(config, name), Endpoint)]
        return config.model_copy(update=dict.fromkeys(fields, address))

    def _shop(self, connection: str) -> Shop:
        cache = self.folder / "cache" / connection
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        client = self.client
        return Shop(
            client.id,
            client.name,
            client.timezone,
            client.country,
            client.currency,
            self.workspace.folder,
            cache,
            self.folder if self.stand_ins else self.workspace.folder,
        )


def _digest(what: Any) -> str:
    return sha256(dumps(what, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _wrong_with(key: bytes | None, known: str | None) -> str | None:
    """Return what is wrong with a client's key, where the ledger knows it by a fingerprint or not yet."""
    if key is None:
        return "is missing" if known else None
    if len(key) != LENGTH:
        return "is damaged"
    return "is not the one that the ledger was written with" if known and known != fingerprint(key) else None
