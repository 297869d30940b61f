"""The GraphQL schemas: Shopify's own where their descriptions are at hand, else the part that the stand-in knows."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from graphql import (
    REMOVE,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    StringValueNode,
    Visitor,
    build_ast_schema,
    build_schema,
    parse,
    validate,
    visit,
)

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")

_CONNECTION = re.compile(r"\b(\w+)Connection\b")
_DOCUMENTS_KEPT = 256


def serving_version(asked: str) -> str | None:
    """Return the version that answers a request for ``asked``: for one that is gone the oldest, None for one to come.

    Source: shopify.dev, "About Shopify API versioning".
    """
    if asked == "unstable":
        return VERSIONS[-1]
    if not re.fullmatch(r"\d{4}-\d{2}", asked):
        return None
    return next((version for version in VERSIONS if version >= asked), None)


@cache
def own_schema(version: str) -> GraphQLSchema:
    """Return the schema of what the stand-in knows, as of a version."""
    text = files(__package__).joinpath("admin.graphql").read_text(encoding="utf-8")
    written = parse(text + "".join(_connections(text)), no_location=True)
    return build_ast_schema(visit(written, _LeaveOutLater(version)))


@cache
def official_schema(folder: Path, version: str) -> GraphQLSchema:
    """Return Shopify's schema of a version, from a folder that has ``admin-<version>.graphql.gz``.

    It breaks a rule of the standard (deprecated fields that implement others), hence ``assume_valid``.
    """
    with gzip.open(folder / f"admin-{version}.graphql.gz", "rt", encoding="utf-8") as file:
        return build_schema(file.read(), assume_valid=True, no_location=True)


class Schema:
    """One version's schema, with the documents that were read lately."""

    def __init__(self, version: str, specs: Path | None) -> None:
        self.version = version
        own = own_schema(version)
        self.official = specs is not None and (specs / f"admin-{version}.graphql.gz").is_file()
        self.graphql = official_schema(specs, version) if specs is not None and self.official else own
        self.known = {(name, field) for name, kind in own.type_map.items() for field in getattr(kind, "fields", ())}
        self.plans: dict[tuple[str, str], Any] = {}  # how fields are read, once somebody asked
        self.read = lru_cache(_DOCUMENTS_KEPT)(self._read)

    def _read(self, query: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
        """Return the document, or what is wrong with it."""
        try:
            document = parse(query)
        except GraphQLError as error:
            return None, (error,)
        wrong = tuple(validate(self.graphql, document))
        return (None, wrong) if wrong else (document, ())


class _LeaveOutLater(Visitor):
    """Take out what is marked as newer than a version."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version

    def enter(self, node: Node, *_place: Any) -> Any:
        for directive in getattr(node, "directives", None) or ():
            if directive.name.value == "since" and _text(directive.arguments[0].value) > self.version:
                return REMOVE
        return None


def _text(value: Node) -> str:
    return value.value if isinstance(value, StringValueNode) else ""


def _connections(text: str) -> Iterator[str]:
    """Spell out what all connections look like."""
    for name in sorted(set(_CONNECTION.findall(text)) - {"X"}):
        yield f"type {name}Connection {{ edges: [{name}Edge!]! nodes: [{name}!]! pageInfo: PageInfo! }}\n"
        yield f"type {name}Edge {{ cursor: String! node: {name}! }}\n"
