"""Every operation the Shopify source sends is one that Shopify's own schema allows."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    build_schema,
    get_named_type,
    is_list_type,
    parse,
    validate,
)
from graphql.type import GraphQLOutputType, get_nullable_type

from hub_shopify import operations
from hub_shopify.operations import LISTINGS
from tests.shopify_client import Bench, Limits, bench

SPECS = Path(os.environ["HUB_SPECS"], "shopify") if "HUB_SPECS" in os.environ else None
needs_specs = pytest.mark.skipif(SPECS is None, reason="Shopify's own schema is not at hand: HUB_SPECS is not set")
CHANGED = datetime(2026, 11, 1, tzinfo=UTC)

BULK = {
    f"{name} {what}": listing.bulk(since)
    for name, each in LISTINGS.items()
    for what, listing, since in (
        ("all", each, None),
        ("changes", each, CHANGED),
        ("impersonal", each.impersonal(), CHANGED),
    )
}
ASKED = {
    **{f"{name} page": each.page() for name, each in LISTINGS.items()},
    **{f"{name} page, impersonal": each.impersonal().page() for name, each in LISTINGS.items()},
    **{f"{name} count": each.count() for name, each in LISTINGS.items()},
    **{f"rest of {name} {inner}": each.rest(inner) for name, each in LISTINGS.items() for inner in each.nested},
    **{
        name: text
        for name, text in vars(operations).items()
        if isinstance(text, str) and name.isupper() and text.startswith(("query ", "mutation "))
    },
}


@cache
def schema() -> GraphQLSchema:
    assert SPECS is not None
    with gzip.open(SPECS / "admin-2026-10.graphql.gz", "rt", encoding="utf-8") as file:
        return build_schema(file.read(), assume_valid=True)


@needs_specs
@pytest.mark.parametrize("document", [*ASKED.values(), *BULK.values()], ids=[*ASKED, *BULK])
def test_an_operation_validates_against_the_official_schema(document: str) -> None:
    assert [error.message for error in validate(schema(), parse(document))] == []


def test_nothing_is_asked_that_changes_the_shop() -> None:
    mutations = [
        field.name.value
        for document in [*ASKED.values(), *BULK.values()]
        for definition in parse(document).definitions
        if isinstance(definition, OperationDefinitionNode) and definition.operation is OperationType.MUTATION
        for field in definition.selection_set.selections
        if isinstance(field, FieldNode)
    ]

    assert mutations == ["bulkOperationRunQuery"]


def fields(node: Any, parent: GraphQLObjectType) -> Iterator[tuple[FieldNode, GraphQLOutputType]]:
    """Yield the fields below a node with their types, those in fragments too."""
    for selection in node.selection_set.selections if node.selection_set else ():
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition
            inner = schema().type_map[condition.name.value] if condition else parent
            yield from fields(selection, inner)  # type: ignore[arg-type]
        else:
            yield selection, parent.fields[selection.name.value].type


def connections(
    node: Any, parent: GraphQLObjectType, depth: int, in_list: bool
) -> Iterator[tuple[str, int, bool, bool]]:
    """Yield the connections below a node: name, depth, whether inside a plain list, whether nodes ask for their id."""
    for field, kind in fields(node, parent):
        named = get_named_type(kind)
        if not isinstance(named, GraphQLObjectType) and not hasattr(named, "fields"):
            continue
        if named.name.endswith("Connection"):
            [edges] = [each for each, _ in fields(field, named) if each.name.value == "edges"]  # type: ignore[arg-type]
            [(inner, of)] = list(fields(edges, schema().type_map[named.name.replace("Connection", "Edge")]))  # type: ignore[arg-type]
            of_type = get_named_type(of)
            asks = any(each.name.value == "id" for each, _ in fields(inner, of_type))  # type: ignore[arg-type]
            yield field.name.value, depth, in_list, asks or "id" not in getattr(of_type, "fields", {})
            yield from connections(inner, of_type, depth + 1, in_list)  # type: ignore[arg-type]
        else:
            plain = in_list or (is_list_type(get_nullable_type(kind)) and named.name != "String")
            yield from connections(field, named, depth, plain)  # type: ignore[arg-type]


@needs_specs
@pytest.mark.parametrize("document", list(BULK.values()), ids=list(BULK))
def test_a_bulk_operation_keeps_the_rules_of_bulk_operations(document: str) -> None:
    [definition] = parse(document).definitions
    root = schema().query_type
    assert root is not None
    found = list(connections(definition, root, 1, in_list=False))

    assert isinstance(definition, OperationDefinitionNode)
    assert len(definition.selection_set.selections) == 1, "one root field"
    assert not definition.variable_definitions, "no variables"
    assert 1 <= len(found) <= 5, "at most five connections"
    assert max(depth for _, depth, _, _ in found) <= 2, "nesting of two at most"
    assert not any(in_list for _, _, in_list, _ in found), "no connection inside a list"
    assert all(asks for _, _, _, asks in found), "every node with an id asks for it"


def sent(made: Bench) -> set[str]:
    """Return every document that a first read, a read of changes and a check send."""
    asked: set[str] = set()
    shop = made.shop
    customer = shop.add_customer(email="ada@example.com", first_name="Ada")
    with made.source() as source:
        post = source.http.post

        def listen(path: str, **how: Any) -> Any:
            if how.get("json"):
                asked.add(how["json"]["query"])
                if "query" in how["json"]["variables"] and "mutation" in how["json"]["query"]:
                    asked.add(how["json"]["variables"]["query"])
            return post(path, **how)

        source.http.post = listen
        list(source.check())
        for stream in source.streams:
            cursors = [page.cursor for page in source.read(stream, None, made.clock())]
            made.clock.go(hours=1)
            for _ in range(300):
                shop.add_customer()
            shop.add_order([shop.line(f"Line {number}", "1.00") for number in range(12)], customer)
            made.clock.go(seconds=1)
            list(source.read(stream, cursors[-1], made.clock()))
    return asked


def test_everything_that_is_sent_is_among_what_is_validated(tmp_path: Path) -> None:
    with bench(tmp_path, limits=Limits(bulk_polls=1)) as made:
        asked = sent(made)

    known = {*ASKED.values(), *BULK.values()}
    assert len(asked) > 15
    assert asked <= known, json.dumps(sorted(asked - known), indent=1)
