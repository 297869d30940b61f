"""What every strategy of hub's own tells a marketer, before anybody opens its code."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from decimal import Decimal
from typing import Any, get_args, get_origin

import pytest

from hub.api import Segment
from hub.cli.plugin_info import describe, example, render
from hub.config.validate import setting_names
from hub.plugins import Plugins

PLUGINS = Plugins()
OWN = [entry for entry in PLUGINS.entries("segment") if entry.distribution == "audience-hub"]
NUMBERS = {int, float, Decimal, timedelta}


def every(test: Any) -> Any:
    return pytest.mark.parametrize("entry", OWN, ids=lambda entry: entry.name)(test)


def strategy(entry: Any) -> type[Segment[Any]]:
    loaded: type[Segment[Any]] = PLUGINS.load("segment", entry.name)
    return loaded


def parts(annotation: Any) -> set[Any]:
    """Return the types an annotation is made of."""
    inner = get_args(annotation)
    return {annotation, get_origin(annotation)}.union(*(parts(each) for each in inner))


@every
def test_info_says_who_is_in_what_for_and_with_which_message(entry: Any) -> None:
    described = describe(entry, strategy(entry))
    shown = "\n".join(str(each) for each in render(described))

    text = "\n".join(described["about"])
    for word in ("Who: ", "Use it for: ", "Message that suits: "):
        assert word in text
        assert word in shown
    assert described["evidence"] or entry.name == "sql"


@every
def test_the_example_of_info_is_a_configuration_that_the_strategy_takes(entry: Any) -> None:
    model = strategy(entry).Config
    settings = tomllib.loads(example(entry.name, model))["segments"][entry.name]

    assert settings.pop("plugin") == entry.name
    strategy(entry)(model.model_validate(settings))


@every
def test_every_single_number_and_duration_is_bounded(entry: Any) -> None:
    free = [
        name
        for name, field in setting_names(strategy(entry).Config).items()
        if parts(field.annotation) & NUMBERS and not parts(field.annotation) & {list, tuple, dict, str}
        if not any(hasattr(bound, edge) for bound in field.metadata for edge in ("ge", "gt"))
    ]

    assert free == []


@every
def test_what_looks_back_is_declared_so_that_a_short_history_is_said(entry: Any) -> None:
    plugin = strategy(entry)

    assert set(plugin.windows) <= set(plugin.Config.model_fields)
    assert plugin.version >= 1
