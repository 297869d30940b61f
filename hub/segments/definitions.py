"""What a client's segments are, put in the order in which they can be computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Protocol

from hub.api import Config, ConfigError, PluginError, Segment
from hub.config.models import Limit


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
    def sample(self) -> float | None:
        """The share of the members that is kept."""

    @property
    def limit(self) -> Limit | None:
        """Which members are kept where there are too many."""

    @property
    def min_size(self) -> int | None:
        """The number of members below which the segment is refused."""

    @property
    def enabled(self) -> bool:
        """Whether the segment is computed at all."""


Load = Callable[[str], type[Segment[Any]]]
BuildConfig = Callable[[type[Config], SettingsLike], Config]


@dataclass(frozen=True, slots=True)
class Definition:
    """A named segment: a strategy with its settings, or a combination of other segments.

    ``error`` says why the strategy could not even be loaded; such a segment fails when it is run, and nothing
    else does. ``sample`` and ``limit`` narrow it, wherever it is used. ``earlier`` are the segments that come before it
    in the priority list: whoever is in one of them is not delivered by this one, but what is made of it still has them.
    """

    name: str
    strategy: Segment[Any] | None = None
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    error: PluginError | None = None
    sample: float | None = None
    limit: Limit | None = None
    min_size: int | None = None
    earlier: tuple[str, ...] = ()

    @property
    def operands(self) -> tuple[str, ...]:
        """Return the segments a combination is made of, in the order listed."""
        return tuple(dict.fromkeys((*self.all, *self.any, *self.none)))

    @property
    def table(self) -> str:
        """Return the name of the temporary table that holds the members."""
        return f"segment_{self.name.replace('-', '_')}"

    @property
    def narrowing(self) -> tuple[str, ...]:
        """Return in words how sample and limit narrow it."""
        sample = [f"sample({self.sample:g})"] if self.sample is not None else []
        limit = [f"limit({self.limit.count} {self.limit.first} {self.limit.by})"] if self.limit else []
        return (*sample, *limit)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the strategy's settings by name; a combination has none."""
        if self.strategy is None:
            return {}
        config = self.strategy.config
        return {name: getattr(config, name) for name in type(config).model_fields}


def definitions_from(
    segments: Iterable[SettingsLike], load: Load, build_config: BuildConfig, priority: Sequence[str] = ()
) -> tuple[Definition, ...]:
    """Make definitions of a client's configured segments; those switched off are left out.

    ``load`` finds a strategy by name, ``build_config`` validates its settings. A strategy that cannot be loaded
    is kept as a definition that fails when it is run. ``priority`` lists segments, the most important first.

    Raises:
        ConfigError: wrong settings, an unknown segment in a combination, a cycle, or a limit by what is no evidence.
    """
    live = [settings for settings in segments if settings.enabled]
    names = {settings.name for settings in live}
    ranked = [name for name in dict.fromkeys(priority) if name in names]
    earlier = {name: tuple(ranked[:place]) for place, name in enumerate(ranked)}
    made = tuple(
        replace(
            _definition(settings, load, build_config),
            sample=settings.sample,
            limit=settings.limit,
            min_size=settings.min_size,
            earlier=earlier.get(settings.name, ()),
        )
        for settings in live
    )
    _check_limits(in_order(made))
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


def _check_limits(ordered: Iterable[Definition]) -> None:
    """Check that each limit ranks by evidence; what is made of a strategy that did not load is passed over."""
    evidence: dict[str, tuple[str, ...] | None] = {}
    for definition in ordered:
        known = evidence[definition.name] = _evidence(definition, evidence)
        if definition.limit is not None and known is not None and definition.limit.by not in known:
            raise ConfigError(
                f"segment {definition.name!r} has a limit by {definition.limit.by!r}, which is no evidence of it; "
                f"there is {', '.join(known) or 'none'}"
            )


def _evidence(definition: Definition, known: Mapping[str, tuple[str, ...] | None]) -> tuple[str, ...] | None:
    if definition.error is not None:
        return None
    if definition.strategy is not None:
        return tuple(definition.strategy.evidence)
    parts = [known[name] for name in (*definition.all, *definition.any)]
    return None if None in parts else tuple(dict.fromkeys(column for part in parts for column in part or ()))


def in_order(definitions: Iterable[Definition], wanted: Iterable[str] | None = None) -> list[Definition]:
    """Return the wanted definitions and all they depend on: what they are made of, first, and what has priority.

    Raises:
        ConfigError: an unknown name, a cycle, or two names that share a table.
    """
    known = {definition.name: definition for definition in definitions}
    _check_tables(known.values())
    done: dict[str, Definition] = {}
    waiting = list(known if wanted is None else wanted)
    while waiting:
        before = len(done)
        for name in waiting:
            _place(name, known, (), done)
        waiting = [name for each in list(done.values())[before:] for name in each.earlier if name not in done]
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
