"""What a bulk operation's query must look like, and where its lines are to be found in an answer.

The rules are Shopify's ("Perform bulk operations with the GraphQL Admin API"); the messages are those people report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
)

MOST_CONNECTIONS = 5
DEEPEST = 2

_NODES = (
    "All connection fields in a bulk query must select their contents using 'edges' > 'node', "
    "e.g: '{} {{ edges {{ node {{'. Selecting via 'nodes' is not supported. Invalid connection fields: '{}'."
)
_NO_ID = (
    "The parent 'node' field for a nested connection must select the 'id' field without an alias "
    "and must be of 'ID' return type. Connection fields without 'id': {}."
)


@dataclass(slots=True)
class Shape:
    """Where connections lie below an object: by key of the answer, a connection's nodes or a plain object."""

    connections: dict[str, Shape] = field(default_factory=dict)
    objects: dict[str, Shape] = field(default_factory=dict)

    @property
    def is_leaf(self) -> bool:
        return not self.connections and not self.objects

    def lines(self, node: Mapping[str, Any], parent: str | None = None) -> Iterator[dict[str, Any]]:
        """Return the line of a node and those of what its connections hold, each with its parent's id."""
        below: list[tuple[Shape, Mapping[str, Any]]] = []
        line = self.split(node, below)
        if parent is not None:
            line["__parentId"] = parent
        yield line
        for shape, child in below:
            yield from shape.lines(child, node.get("id"))

    def split(self, node: Mapping[str, Any], below: list[tuple[Shape, Mapping[str, Any]]]) -> dict[str, Any]:
        """Return a node without its connections, whose nodes are put below."""
        kept: dict[str, Any] = {}
        for key, value in node.items():
            if key in self.connections:
                edges = value["edges"] if value else ()
                below.extend((self.connections[key], edge["node"]) for edge in edges)
            elif key in self.objects and isinstance(value, Mapping):
                kept[key] = self.objects[key].split(value, below)
            else:
                kept[key] = value
        return kept


@dataclass(slots=True)
class Checked:
    """A bulk query that was looked at: what is wrong, else its root field and the shape of its nodes."""

    errors: list[str] = field(default_factory=list)
    root: str = ""
    shape: Shape = field(default_factory=Shape)


def check(schema: GraphQLSchema, document: DocumentNode) -> Checked:
    """Look at a document that is valid for the schema."""
    found = _Look(schema, document)
    operations = [each for each in document.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].operation is not OperationType.QUERY or schema.query_type is None:
        return Checked(["Invalid operation type. Only `query` operations are supported."])
    if operations[0].variable_definitions:
        return Checked(["Bulk queries cannot have variables."])
    fields = list(found.fields([operations[0].selection_set]))
    if len(fields) != 1:
        return Checked(["Bulk queries must have exactly one top level field."])
    top = fields[0]
    if top.name.value in {"node", "nodes"}:
        return Checked([f"Bulk queries cannot contain a top level `{top.name.value}` field."])
    whole = found.shape(schema.query_type, [operations[0].selection_set], depth=0, owner=None, in_list=False)
    if found.connections == 0:
        return Checked(["Bulk queries must contain at least one connection."])
    errors = found.errors()
    key = top.alias.value if top.alias else top.name.value
    if not errors and key not in whole.connections:
        errors = ["The stand-in reads in bulk only what begins with a list, such as `customers`."]
    return Checked(errors) if errors else Checked([], key, whole.connections[key])


@dataclass(slots=True)
class _Look:
    schema: GraphQLSchema
    document: DocumentNode
    connections: int = 0
    deepest: int = 0
    by_nodes: list[str] = field(default_factory=list)
    without_id: list[str] = field(default_factory=list)
    within_list: bool = False

    def errors(self) -> list[str]:
        """Return what breaks the rules, in Shopify's words."""
        found = []
        if self.by_nodes:
            found.append(_NODES.format(self.by_nodes[0], "', '".join(self.by_nodes)))
        if self.deepest > DEEPEST:
            found.append(f"Bulk queries cannot contain connections with a nesting depth greater than {DEEPEST}.")
        if self.connections > MOST_CONNECTIONS:
            found.append(f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.")
        if self.without_id:
            found.append(_NO_ID.format(", ".join(dict.fromkeys(self.without_id))))
        if self.within_list:
            found.append("Queries that contain a connection field within a list field are not currently supported.")
        return found

    def shape(
        self, kind: GraphQLNamedType, sets: Sequence[SelectionSetNode], *, depth: int, owner: str | None, in_list: bool
    ) -> Shape:
        """Return where connections lie below a type; ``owner`` is the connection that the selections belong to."""
        shape = Shape()
        nodes = list(self.fields(sets))
        has_id = any(node.name.value == "id" and node.alias is None for node in nodes)
        for node in nodes:
            definition = self._definition(kind, node)
            if definition is None or node.selection_set is None:
                continue
            key = node.alias.value if node.alias else node.name.value
            returned = get_named_type(definition.type)
            if returned.name.endswith("Connection"):
                self.within_list = self.within_list or in_list
                if owner is not None and not has_id:
                    self.without_id.append(owner)
                shape.connections[key] = self._connection(returned, node, depth + 1)
                continue
            below = self.shape(
                returned,
                [node.selection_set],
                depth=depth,
                owner=owner,
                in_list=in_list or _is_list(definition.type),
            )
            if not below.is_leaf:
                shape.objects[key] = below
        return shape

    def _connection(self, kind: GraphQLNamedType, node: FieldNode, depth: int) -> Shape:
        self.connections += 1
        self.deepest = max(self.deepest, depth)
        sets = [node.selection_set] if node.selection_set else []
        if any(each.name.value == "nodes" for each in self.fields(sets)):
            self.by_nodes.append(node.name.value)
        edges = [each for each in self.fields(sets) if each.name.value == "edges" and each.selection_set]
        below = [each.selection_set for each in edges if each.selection_set]
        inner = [each for each in self.fields(below) if each.name.value == "node" and each.selection_set]
        if not inner:
            return Shape()
        returned = _node_type(kind)
        selections = [each.selection_set for each in inner if each.selection_set]
        return self.shape(returned, selections, depth=depth, owner=node.name.value, in_list=False)

    def fields(self, sets: Sequence[SelectionSetNode]) -> Iterator[FieldNode]:
        """Return the fields of selections, those of fragments too."""
        for selections in sets:
            for selection in selections.selections:
                if isinstance(selection, FieldNode):
                    yield selection
                elif isinstance(selection, FragmentSpreadNode):
                    yield from self.fields([self._fragment(selection.name.value).selection_set])
                else:
                    yield from self.fields([selection.selection_set])  # type: ignore[attr-defined]

    def _fragment(self, name: str) -> FragmentDefinitionNode:
        return next(
            each
            for each in self.document.definitions
            if isinstance(each, FragmentDefinitionNode) and each.name.value == name
        )

    def _definition(self, kind: GraphQLNamedType, node: FieldNode) -> Any | None:
        """Return a field's definition, looked for in the types of an interface or union too."""
        found = getattr(kind, "fields", {}).get(node.name.value)
        if found is not None:
            return found
        possible = self.schema.get_possible_types(kind) if is_abstract_type(kind) else ()
        return next((each.fields[node.name.value] for each in possible if node.name.value in each.fields), None)


def _is_list(kind: Any) -> bool:
    return isinstance(kind.of_type if isinstance(kind, GraphQLNonNull) else kind, GraphQLList)


def _node_type(connection: GraphQLNamedType) -> GraphQLNamedType:
    """Return the type that a connection lists."""
    kind: Any = connection
    for field_name in ("edges", "node"):
        kind = get_named_type(kind.fields[field_name].type)
    found: GraphQLNamedType = kind
    return found
