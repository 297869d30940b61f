"""What a client's segments are, put in the order in which they can be computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from hub.api import Config, ConfigError, PluginError, Segment


class SettingsLike(Protocol):
    """A configured segment, as ``hub.config`` has it."""

    @property
    def name(self) -> str:
        """The name in the client's file."""

    @property
    def plugin(self) -> str | None:
        """The strategy's name; None for a combination."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The strategy's own settings, not yet validated."""

    @property
    def all(self) -> tuple[str, ...]:
        """The segments a person must be in."""

    @property
    def any(self) -> tuple[str, ...]:
        """The segments of which a person must be in one."""

    @property
    def none(self) -> tuple[str, ...]:
        """The segments a person must not be in."""

    @property
    def enabled(self) -> bool:
        """Whether the segment is computed at all."""


Load = Callable[[str], type[Segment[Any]]]
BuildConfig = Callable[[type[Config], SettingsLike], Config]


@dataclass(frozen=True, slots=True)
class Definition:
    """A named segment: a strategy with its settings, or a combination of other segments.

    ``error`` says why the strategy could not even be loaded; such a segment fails when it is run, and nothing
    else does.
    """

    name: str
    strategy: Segment[Any] | None = None
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    error: PluginError | None = None

    @property
    def operands(self) -> tuple[str, ...]:
        """Return the segments a combination is made of, in the order listed."""
        return tuple(dict.fromkeys((*self.all, *self.any, *self.none)))

    @property
    def table(self) -> str:
        """Return the name of the temporary table that holds the members."""
        return f"segment_{self.name.replace('-', '_')}"

    @property
    def settings(self) -> dict[str, Any]:
        """Return the strategy's settings by name; a combination has none."""
        if self.strategy is None:
            return {}
        config = self.strategy.config
        return {name: getattr(config, name) for name in type(config).model_fields}


def definitions_from(segments: Iterable[SettingsLike], load: Load, build_config: BuildConfig) -> tuple[Definition, ...]:
    """Make definitions of a client's configured segments; those switched off are left out.

    ``load`` finds a strategy by name, ``build_config`` validates its settings. A strategy that cannot be loaded
    is kept as a definition that fails when it is run.

    Raises:
        ConfigError: wrong settings, an unknown segment in a combination, or a cycle.
    """
    made = tuple(_definition(settings, load, build_config) for settings in segments if settings.enabled)
    in_order(made)
    return made


def _definition(settings: SettingsLike, load: Load, build_config: BuildConfig) -> Definition:
    if settings.plugin is None:
        return Definition(settings.name, None, settings.all, settings.any, settings.none)
    try:
        strategy = load(settings.plugin)
    except PluginError as error:
        return Definition(settings.name, error=error)
    config = build_config(getattr(strategy, "Config", Config), settings)
    return Definition(settings.name, strategy(config))


def in_order(definitions: Iterable[Definition], wanted: Iterable[str] | None = None) -> list[Definition]:
    """Return the wanted definitions and all they are made of, operands first.

    Raises:
        ConfigError: an unknown name, a cycle, or two names that share a table.
    """
    known = {definition.name: definition for definition in definitions}
    _check_tables(known.values())
    done: dict[str, Definition] = {}
    for name in known if wanted is None else wanted:
        _place(name, known, (), done)
    return list(done.values())


def _place(name: str, known: dict[str, Definition], path: tuple[str, ...], done: dict[str, Definition]) -> None:
    if name in path:
        circle = " -> ".join((*path[path.index(name) :], name))
        raise ConfigError(f"segments are made of each other in a circle: {circle}")
    if name not in known:
        raise _unknown(name, known, path)
    for operand in known[name].operands:
        if operand not in done:
            _place(operand, known, (*path, name), done)
    done[name] = known[name]


def _unknown(name: str, known: Iterable[str], path: tuple[str, ...]) -> ConfigError:
    names = sorted(known)
    where = f"segment {path[-1]!r} names {name!r}, which" if path else f"segment {name!r}"
    close = get_close_matches(name, names, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return ConfigError(f"{where} does not exist or is switched off; there are {', '.join(names) or 'none'}{hint}")


def _check_tables(definitions: Iterable[Definition]) -> None:
    seen: dict[str, str] = {}
    for definition in definitions:
        other = seen.setdefault(definition.table, definition.name)
        if other != definition.name:
            raise ConfigError(f"segments {other!r} and {definition.name!r} differ by - and _ only; rename one")
