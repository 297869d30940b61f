"""What a query costs, by Shopify's published rules.

A scalar or enum costs 0, an object 1, an interface or union the most that one of its types can, a connection 2 plus
``first`` or ``last`` times the cost of one node, a mutation 10. Sources: shopify.dev, "GraphQL Admin API rate limits";
Shopify's engineering blog, "Rate Limiting GraphQL APIs by Calculating Query Complexity". Shopify itself counts large
connections for less, by a formula that it does not publish; who stays within these figures stays within its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
    value_from_ast_untyped,
)

MUTATION = 10
CONNECTION = 2

Fields = dict[str, list[FieldNode]]
_UNKNOWN: Any = object()  # before the query ran


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one operation of a document."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, Any]
    operation_name: str | None = None

    def requested(self) -> int:
        """Return what must be there before the query runs."""
        return self._operation(_UNKNOWN)

    def actual(self, data: Any) -> int:
        """Return what it cost in the end, from what it answered."""
        return self._operation(data)

    def _operation(self, data: Any) -> int:
        operation = self.operation()
        root = self.schema.get_root_type(operation.operation)
        if operation.operation is OperationType.MUTATION and root is not None:
            return MUTATION * len(self._fields(root, [operation.selection_set]))
        return self._selections(root, [operation.selection_set], data) if root is not None else 0

    def operation(self) -> OperationDefinitionNode:
        """Return the operation that is meant."""
        found = [each for each in self.document.definitions if isinstance(each, OperationDefinitionNode)]
        named = [each for each in found if each.name is not None and each.name.value == self.operation_name]
        return (named or found)[0]

    def _selections(self, kind: GraphQLNamedType, sets: list[SelectionSetNode], data: Any) -> int:
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            return max(self._of_type(each, sets, data) for each in self._types_meant(kind, sets))
        return self._of_type(kind, sets, data)

    def _of_type(self, kind: GraphQLNamedType, sets: list[SelectionSetNode], data: Any) -> int:
        return sum(self._field(kind, key, nodes, data) for key, nodes in self._fields(kind, sets).items())

    def _field(self, kind: GraphQLNamedType, key: str, nodes: list[FieldNode], data: Any) -> int:
        if nodes[0].name.value not in getattr(kind, "fields", {}):  # __typename and introspection are free
            return 0
        value = data if data is _UNKNOWN else (data or {}).get(key)
        returned = _type_of(kind, nodes[0].name.value)
        if is_leaf_type(returned):
            return 0
        sets = [node.selection_set for node in nodes if node.selection_set]
        if returned.name.endswith("Connection"):
            return self._connection(returned, sets, value, self._size(nodes[0]))
        if returned.name == "Node" and nodes[0].name.value == "nodes":  # one object for each id
            ids = self._argument(nodes[0], "ids")
            each = 1 + self._selections(returned, sets, _UNKNOWN)
            return each * len(ids) if isinstance(ids, list) else each
        if isinstance(value, list):
            return 1 + max((self._selections(returned, sets, each) for each in value), default=0)
        return 1 if value is None else 1 + self._selections(returned, sets, value)

    def _connection(self, kind: GraphQLNamedType, sets: list[SelectionSetNode], value: Any, size: int) -> int:
        if value is None:
            return CONNECTION
        total = CONNECTION
        for key, nodes in self._fields(kind, sets).items():
            name = nodes[0].name.value
            if name not in {"edges", "nodes"}:
                continue
            inner = [node.selection_set for node in nodes if node.selection_set]
            returned = _type_of(kind, name)
            free = 0 if name == "edges" else 1  # an edge is no object of its own, the node within it is
            if value is _UNKNOWN:
                total += size * (free + self._selections(returned, inner, _UNKNOWN))
            else:
                total += sum(free + self._selections(returned, inner, each) for each in value.get(key) or ())
        return total

    def _size(self, node: FieldNode) -> int:
        for name in ("first", "last"):
            value = self._argument(node, name)
            if isinstance(value, int):
                return max(0, value)
        return 0

    def _argument(self, node: FieldNode, name: str) -> Any:
        """Return the value of an argument, or of the variable that is given for it."""
        for argument in node.arguments or ():
            if argument.name.value != name:
                continue
            if not isinstance(argument.value, VariableNode):
                return value_from_ast_untyped(argument.value)
            variable = argument.value.name.value
            return self.variables.get(variable, self._default(variable))
        return None

    def _default(self, variable: str) -> Any:
        for defined in self.operation().variable_definitions or ():
            if defined.variable.name.value == variable and defined.default_value is not None:
                return value_from_ast_untyped(defined.default_value)
        return None

    def _fields(self, kind: GraphQLNamedType, sets: Iterable[SelectionSetNode]) -> Fields:
        """Return the fields selected on a type, those with one name together."""
        found: Fields = {}
        for selections in sets:
            self._collect(kind, selections, found)
        return found

    def _collect(self, kind: GraphQLNamedType, selections: SelectionSetNode, found: Fields) -> None:
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                name = selection.alias.value if selection.alias else selection.name.value
                found.setdefault(name, []).append(selection)
                continue
            fragment = self._fragment(selection)
            wanted = fragment.type_condition.name.value if fragment.type_condition else kind.name
            if wanted == kind.name or self._includes(wanted, kind):
                self._collect(kind, fragment.selection_set, found)

    def _fragment(self, selection: Any) -> InlineFragmentNode | FragmentDefinitionNode:
        if isinstance(selection, FragmentSpreadNode):
            for each in self.document.definitions:
                if isinstance(each, FragmentDefinitionNode) and each.name.value == selection.name.value:
                    return each
        found: InlineFragmentNode = selection
        return found

    def _includes(self, wanted: str, kind: GraphQLNamedType) -> bool:
        abstract = self.schema.get_type(wanted)
        return (
            isinstance(abstract, GraphQLInterfaceType | GraphQLUnionType)
            and isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
            and self.schema.is_sub_type(abstract, kind)
        )

    def _types_meant(self, kind: GraphQLNamedType, sets: Iterable[SelectionSetNode]) -> list[GraphQLNamedType]:
        """Return the types that the selections on an interface or union tell apart, and the interface itself."""
        names: set[str] = set()
        for selections in sets:
            for selection in selections.selections:
                if not isinstance(selection, FieldNode):
                    condition = self._fragment(selection).type_condition
                    names.add(condition.name.value if condition else kind.name)
        types = (self.schema.get_type(name) for name in sorted(names))
        return [kind, *(each for each in types if isinstance(each, GraphQLObjectType))]


def _type_of(kind: Any, field: str) -> GraphQLNamedType:
    """Return what a field of a type answers with, lists and non-null aside."""
    found: GraphQLNamedType = get_named_type(kind.fields[field].type)
    return found
