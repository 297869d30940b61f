"""The stand-in's schema is a part of Shopify's own, and executes against Shopify's own where it is at hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLUnionType,
    is_introspection_type,
    is_specified_scalar_type,
    print_ast,
)

from hub_shopify.stand_in import ALL_SCOPES, Limits
from hub_shopify.stand_in.access import REQUIRED
from hub_shopify.stand_in.schema import VERSIONS, official_schema, own_schema
from tests.shopify_kit import NO_SPECS, SPECS, Clock, serving

LONG = 60  # an enum with more values is a list of countries or currencies, of which the stand-in knows some


@pytest.fixture(scope="module")
def specs() -> Path:
    if SPECS is None:
        pytest.skip(NO_SPECS)
    return SPECS


def named(version: str) -> list[GraphQLNamedType]:
    return [
        kind
        for kind in own_schema(version).type_map.values()
        if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
    ]


def shape(kind: GraphQLNamedType) -> dict[str, Any]:
    """Return a type's fields with their types and arguments, as text."""
    fields = getattr(kind, "fields", {})
    return {
        name: (
            str(field.type),
            {
                key: (str(argument.type), print_ast(argument.ast_node) if argument.ast_node else "")
                for key, argument in field.args.items()
            },
        )
        for name, field in fields.items()
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_every_type_field_and_argument_is_shopifys_own(specs: Path, version: str) -> None:
    official = official_schema(specs, version)
    differences = []

    for kind in named(version):
        theirs = official.type_map.get(kind.name)
        if type(theirs) is not type(kind):
            differences.append(kind.name)
            continue
        whole = shape(theirs)
        for name, (returned, arguments) in shape(kind).items():
            their_type, their_arguments = whole.get(name, ("missing", {}))
            fits = returned == their_type and arguments.items() <= their_arguments.items()
            demanded = [
                key for key, (text, _) in their_arguments.items() if text.endswith("!") and key not in arguments
            ]
            if not fits or [key for key in demanded if "=" not in their_arguments[key][1]]:
                differences.append(f"{kind.name}.{name}")

    assert differences == []


@pytest.mark.parametrize("version", VERSIONS)
def test_enums_and_unions_have_shopifys_values(specs: Path, version: str) -> None:
    official = official_schema(specs, version)

    for kind in named(version):
        theirs = official.type_map[kind.name]
        if isinstance(kind, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            assert set(kind.values) <= set(theirs.values), kind.name
            assert len(theirs.values) > LONG or set(kind.values) == set(theirs.values), kind.name
        if isinstance(kind, GraphQLUnionType) and isinstance(theirs, GraphQLUnionType):
            assert {each.name for each in kind.types} == {each.name for each in theirs.types}
        if isinstance(kind, GraphQLObjectType) and isinstance(theirs, GraphQLObjectType):
            assert {each.name for each in kind.interfaces} <= {each.name for each in theirs.interfaces}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_types_of_an_interface_are_all_there(version: str) -> None:
    own = own_schema(version)
    kinds = [kind for kind in named(version) if isinstance(kind, GraphQLInterfaceType)]

    assert all(own.get_possible_types(kind) for kind in kinds)


def test_scopes_are_asked_for_as_shopifys_schema_says(specs: Path) -> None:
    with gzip.open(specs / "admin-2026-10.required-access.json.gz", "rt", encoding="utf-8") as file:
        said = json.load(file)
    names = {f"{kind.name}.{field}" for kind in named("2026-10") for field in getattr(kind, "fields", ())}
    names |= {kind.name for kind in named("2026-10")}

    assert {name: set(REQUIRED.get(name, ())) for name in names} == {
        name: set(said[name]["offlineScopes"]) if name in said else set() for name in names
    }
    assert {scope for scopes in REQUIRED.values() for scope in scopes} & set(ALL_SCOPES)


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "abandoned_checkouts_page",
        "customers_page",
        "customers_page_2026_10",
        "orders_page",
        "shop_and_scopes",
        "bulk_list",
    ],
)
def test_the_sample_operations_are_answered(specs: Path, name: str, official: bool) -> None:
    text = (specs / "operations" / f"{name}.graphql").read_text()
    takes = "$first" in text

    with serving(size=30, now=Clock(), specs=specs if official else None) as client:
        data = client.ask(text, **({"first": 1, "query": "updated_at:>='2020-01-01T00:00:00Z'"} if takes else {}))

    assert all(data.values())


@pytest.mark.parametrize("official", [False, True])
@pytest.mark.parametrize("name", ["abandoned_checkouts_bulk", "customers_bulk", "orders_bulk"])
def test_the_sample_bulk_operations_run(specs: Path, name: str, official: bool) -> None:
    read = {each: (specs / "operations" / f"{each}.graphql").read_text() for each in (name, "bulk_run", "bulk_poll")}

    with serving(size=60, now=Clock(), specs=specs if official else None, limits=Limits(bulk_polls=1)) as client:
        said = client.ask(read["bulk_run"], query=read[name], group=False)["bulkOperationRunQuery"]
        end = client.ask(read["bulk_poll"], id=said["bulkOperation"]["id"])["bulkOperation"]

    assert (end["status"], end["errorCode"]) == ("COMPLETED", None)
    assert int(end["objectCount"]) > 0


def test_what_shopify_has_and_the_stand_in_has_not_is_an_error_and_not_a_null(specs: Path) -> None:
    with serving(size=1, specs=specs) as client:
        errors = client.said("{ shop { name contactEmail } }")["errors"]

    assert errors[0]["message"] == "Shopify has the field Shop.contactEmail, the stand-in has not"


def test_what_shopify_has_not_is_refused_by_its_own_schema(specs: Path) -> None:
    with serving(size=1, specs=specs) as client:
        errors = client.said("{ shop { name motto } }")["errors"]

    assert "motto" in errors[0]["message"]
    assert "stand-in" not in errors[0]["message"]


def test_without_shopifys_schemas_the_stand_ins_own_answers(tmp_path: Path) -> None:
    with serving(size=1, specs=tmp_path) as client:
        assert client.ask("{ customersCount { count } }") == {"customersCount": {"count": 1}}


def test_the_schemas_are_found_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, specs: Path) -> None:
    monkeypatch.setenv("HUB_SPECS", str(specs.parent))
    with serving(size=1, specs="at hand") as client:
        errors = client.said("{ shop { contactEmail } }")["errors"]

    assert "Shopify has the field" in errors[0]["message"]
