"""Every request that the Shopify destination sends is one that Shopify's own schema allows."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import shopify
from graphql import (
    FieldNode,
    GraphQLSchema,
    OperationDefinitionNode,
    build_schema,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values

from hub import api
from hub_shopify.operations import INSTALLATION, SHOP
from hub_shopify.stand_in import ACCESS_TOKEN, Limits
from hub_shopify.tags import ADD, LOOK, REMOVE, TAGGED, change
from tests.shopify_client import Bench
from tests.shopify_tags_kit import TAG, batch, destination, member, people, tagged, tagging

SPECS = Path(os.environ["HUB_SPECS"], "shopify") if "HUB_SPECS" in os.environ else None
needs_specs = pytest.mark.skipif(SPECS is None, reason="Shopify's own schema is not at hand: HUB_SPECS is not set")
GID = "gid://shopify/Customer/1"


@cache
def schema() -> GraphQLSchema:
    assert SPECS is not None
    with gzip.open(SPECS / "admin-2026-10.graphql.gz", "rt", encoding="utf-8") as file:
        return build_schema(file.read(), assume_valid=True)


def judge(document: str, variables: dict[str, Any]) -> list[str]:
    """Return what is wrong with a request by the official schema: document and variables."""
    parsed = parse(document)
    wrong = [error.message for error in validate(schema(), parsed)]
    [operation] = parsed.definitions
    assert isinstance(operation, OperationDefinitionNode)
    if not wrong:
        values = get_variable_values(schema(), operation.variable_definitions or (), variables)
        wrong += [error.message for error in values] if isinstance(values, list) else []
    given = {each.variable.name.value for each in operation.variable_definitions or ()}
    return wrong + [f"${name} is not declared" for name in variables.keys() - given]


RIGHT = {
    "look": (LOOK, {"ids": [GID]}),
    "tagged": (TAGGED, {"first": 250, "query": "tag:'VIP'"}),
    "add one": (change(ADD, 1), {"tags": [TAG], "c0": GID}),
    "remove one": (change(REMOVE, 1), {"tags": [TAG], "c0": GID}),
    "add a hundred": (change(ADD, 100), {"tags": [TAG], **{f"c{number}": GID for number in range(100)}}),
}
WRONG = {
    "a mutation that there is not": (change("tagsSet", 1), {"tags": [TAG], "c0": GID}),
    "a field that there is not": (LOOK.replace("tags", "labels"), {"ids": [GID]}),
    "an argument that there is not": (TAGGED.replace("sortKey", "sortBy"), {"first": 1, "query": "x"}),
    "an id that is missing": (change(ADD, 2), {"tags": [TAG], "c0": GID}),
    "an id too many": (change(ADD, 1), {"tags": [TAG], "c0": GID, "c1": GID}),
    "tags that are a number": (change(ADD, 1), {"tags": [7], "c0": GID}),
    "a sort key that there is not": (TAGGED.replace("ID)", "TAG)"), {"first": 1, "query": "x"}),
}


@needs_specs
@pytest.mark.parametrize("request_", list(RIGHT.values()), ids=list(RIGHT))
def test_what_hub_sends_validates_against_the_official_schema(request_: tuple[str, dict[str, Any]]) -> None:
    assert judge(*request_) == []


@needs_specs
@pytest.mark.parametrize("request_", list(WRONG.values()), ids=list(WRONG))
def test_the_judge_refuses_what_is_wrong(request_: tuple[str, dict[str, Any]]) -> None:
    assert judge(*request_) != []


def everything_sent(made: Bench) -> list[tuple[str, dict[str, Any]]]:
    """Return every request of all that the destination can do."""
    asked: list[tuple[str, dict[str, Any]]] = []
    with destination(made) as found:
        post = found.http.post

        def listen(path: str, **how: Any) -> Any:
            asked.append((how["json"]["query"], how["json"]["variables"]))
            return post(path, **how)

        found.http.post = listen  # type: ignore[method-assign]
        list(found.check())
        numbers = [each.number for each in people(made)]
        added = list(found.push(batch(api.Op.ADD, [member(number) for number in (*numbers, 1)])))
        list(found.read_members(TAG))
        found.forget(member(numbers[0]))
        removed = [member(number, each.remote_id) for number, each in zip(numbers, added[1:], strict=True)]
        list(found.push(batch(api.Op.REMOVE, removed)))
    return asked


def test_everything_that_is_sent_is_allowed_and_changes_nothing_but_tags(tmp_path: Path) -> None:
    with tagging(tmp_path, people=30, limits=Limits(bucket=100)) as made:
        asked = everything_sent(made)

    documents = {document for document, _ in asked}
    known = {LOOK, TAGGED, SHOP, INSTALLATION}
    assert known < documents
    assert {name for document in documents - known for name in mutated(document)} == {"tagsAdd", "tagsRemove"}
    if SPECS is not None:
        assert [wrong for each in asked for wrong in judge(*each)] == []


def mutated(document: str) -> set[str]:
    [operation] = parse(document).definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.operation.value == "mutation"
    return {each.name.value for each in operation.selection_set.selections if isinstance(each, FieldNode)}


# The official client.


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bench]:
    with tagging(tmp_path, people=3) as served:
        shopify.ShopifyResource.activate_session(shopify.Session(served.address, "2026-10", ACCESS_TOKEN))
        shopify.ShopifyResource.set_site(f"{served.address}/admin/api/2026-10")
        yield served
        shopify.ShopifyResource.clear_session()


def test_the_official_client_makes_the_round_trip_with_hub_s_own_requests(made: Bench) -> None:
    def ask(document: str, **variables: Any) -> Any:
        told = json.loads(shopify.GraphQL().execute(document, variables))
        assert "errors" not in told
        return told["data"]

    ada, bea, _ = people(made)
    ids = {"c0": ada.id, "c1": bea.id}

    done = ask(change(ADD, 2), tags=[TAG], **ids)
    read = ask(TAGGED, first=250, query=f"tag:'{TAG}' AND id:>=1")["customers"]["nodes"]
    assert (done, tagged(made)) == ({"c0": {"userErrors": []}, "c1": {"userErrors": []}}, {ada.number, bea.number})
    assert read == [{"id": each.id, "tags": [TAG]} for each in (ada, bea)]

    refused = ask(change(REMOVE, 2), tags=[TAG], c0=ada.id, c1="gid://shopify/Customer/1")
    looked = ask(LOOK, ids=[ada.id, bea.id, "gid://shopify/Customer/1"])["nodes"]
    assert refused == {"c0": {"userErrors": []}, "c1": {"userErrors": [{"field": ["id"], "message": "invalid id"}]}}
    assert looked == [{"id": ada.id, "tags": []}, {"id": bea.id, "tags": [TAG]}, None]
