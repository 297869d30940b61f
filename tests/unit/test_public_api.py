"""The one public door: what it says it offers is what it offers, and everything is explained."""

from __future__ import annotations

import ast
import inspect
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from hub import api

DOCUMENTED_IN_SOURCE = {"FACTS", "TABLES", "Secret", "Duration", "Connect"}
"""Values and aliases: their text stands below them in the source."""


def test_all_is_sorted() -> None:
    constants = [name for name in api.__all__ if name.isupper()]
    classes = [name for name in api.__all__ if name[0].isupper() and not name.isupper()]
    functions = [name for name in api.__all__ if name[0].islower()]

    assert api.__all__ == [*sorted(constants), *sorted(classes), *sorted(functions)]


def test_all_is_what_there_is() -> None:
    there = {
        name
        for name, value in vars(api).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }

    assert there == set(api.__all__)


@pytest.mark.parametrize("name", api.__all__)
def test_every_name_is_documented(name: str) -> None:
    documented = documented_values()
    value = getattr(api, name)

    explained = documented.get(name) or (inspect.getdoc(value) if callable(value) else None)

    assert explained, f"hub.api.{name} has no text"


def documented_values() -> dict[str, str]:
    """Return the text below each assignment in hub.api's modules."""
    found: dict[str, str] = {"hookimpl": "documented in hub.api.hooks", "Field": "pydantic's Field"}
    for file in Path(api.__file__).parent.glob("*.py"):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        for statement, below in pairwise(body):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
            text = below.value if isinstance(below, ast.Expr) else None
            if isinstance(target, ast.Name) and isinstance(text, ast.Constant) and isinstance(text.value, str):
                found[target.id] = text.value
    return found


@pytest.mark.parametrize(
    "plugin_class", [api.Source, api.Segment, api.Destination, api.Connection, api.StandIn, api.Batch, api.Member]
)
def test_every_public_method_of_a_plugins_base_is_documented(plugin_class: type[object]) -> None:
    bare = [
        name
        for name, value in vars(plugin_class).items()
        if inspect.isfunction(value) and not name.startswith("_") and not value.__doc__
    ]

    assert bare == []


@pytest.mark.parametrize(
    "holding",
    [
        api.Member(
            "k", "anna@example.com", "+4532123456", attributes={"cart_url": "https://shop.example/anna@example.com"}
        ),
        api.Member("k", "anna@example.com").rejected("refused"),
        api.Batch(api.Op.ADD, "list", "key", [api.Member("k", "anna@example.com", "+4532123456")]),
        api.Block("manual", datetime(2026, 1, 1, tzinfo=UTC), "anna@example.com", "+4532123456"),
        api.Page(
            {"customers": [{"email": "anna@example.com"}]},
            gone=[api.Gone("consents", "anna@example.com")],
            remaining=[api.Remaining("consents", ["anna@example.com", "+4532123456"])],
            rejected=[api.Reject("customers", "a.csv", "no date", "anna@example.com;+4532123456")],
        ),
    ],
    ids=lambda holding: type(holding).__name__,
)
def test_what_holds_an_address_does_not_show_it(holding: object) -> None:
    shown = repr(holding)

    assert type(holding).__name__ in shown
    assert "example" not in shown
    assert "4532123456" not in shown
