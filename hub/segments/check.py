"""Read a strategy's select before it runs: one select, over known tables, without a way out of the catalog.

Plugins are trusted code, so this is no sandbox: it turns mistakes into sentences, keeps strategies pure (no
clock, no chance, no environment), and finds which tables, columns and parameters a select names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from hub.api import TABLES, PluginError
from hub.catalog import DERIVED_TABLES

if TYPE_CHECKING:
    import duckdb

KNOWN_TABLES = frozenset(TABLES).union(DERIVED_TABLES, {"people", "identities", "facts", "prepared"})

# Parts of DuckDB's syntax tree that a strategy may use. Whatever is not here is refused, so that a future
# version of DuckDB cannot add a way around the check.
_NODES = frozenset(
    {
        "SELECT_NODE",
        "SET_OPERATION_NODE",
        "BASE_TABLE",
        "JOIN",
        "SUBQUERY",
        "EMPTY",
        "EXPRESSION_LIST",
        "ORDER_MODIFIER",
        "LIMIT_MODIFIER",
        "DISTINCT_MODIFIER",
        "ORDER_DEFAULT",
        "ASCENDING",
        "DESCENDING",
        "ORDER_ASCENDING",
        "ORDER_DESCENDING",
    }
)
_NODE_WORDS = {
    "TABLE_FUNCTION": "the table function {what}()",
    "RECURSIVE_CTE_NODE": "a recursive query",
    "PIVOT": "pivot",
    "SHOW_REF": "describe or summarize",
}
_IMPURE_PREFIXES = (
    "current_",
    "duckdb_",
    "has_",
    "inet_",
    "json_execute",
    "json_serialize_sql",
    "pg_",
    "pragma",
    "read_",
)
_IMPURE = frozenset(
    {
        "ago",
        "getenv",
        "getvariable",
        "localtime",
        "localtimestamp",
        "session_user",
        "user",
        "version",
    }
)
_VOLATILE = """
select distinct function_name from duckdb_functions()
where stability in ('VOLATILE', 'CONSISTENT_WITHIN_QUERY')
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """A select that passed the check, and what it names.

    ``columns`` are all names that may be columns; ``open_ended`` means that it takes columns by a pattern, so
    that nobody can tell which.
    """

    sql: str
    tables: frozenset[str]
    columns: frozenset[str]
    parameters: frozenset[str]
    open_ended: bool = False


@cache
def _volatile() -> frozenset[str]:
    """Return the functions that DuckDB itself says give another answer each time; the same for all of a process."""
    import duckdb  # noqa: PLC0415  # heavy, and most commands do not ask

    with duckdb.connect() as con:
        return frozenset(str(row[0]) for row in con.execute(_VOLATILE).fetchall())


_PASSED: dict[tuple[str, frozenset[str]], Statement] = {}
"""What was found of selects that passed: it follows from their text, and the clients of a process share them."""


class Checker:
    """Check selects on one connection; ``whose`` they are is said where one is refused."""

    def __init__(self, con: duckdb.DuckDBPyConnection, whose: str = "a strategy") -> None:
        self._con = con
        self._whose = whose
        self._impure = _IMPURE | _volatile()

    def read(self, sql: str, own_tables: Iterable[str] = ()) -> Statement:
        """Return what a select names.

        Raises:
            PluginError: it is not one select, or reads what strategies may not read.
        """
        known = KNOWN_TABLES.union(name.lower() for name in own_tables)
        if (sql, known) not in _PASSED:
            walk = _Walk(known, self._impure, self._whose)
            walk.visit(self._tree(sql), frozenset())
            _PASSED[sql, known] = Statement(
                sql.strip().rstrip(";"),
                frozenset(walk.tables),
                frozenset(walk.columns),
                frozenset(walk.parameters),
                walk.open_ended,
            )
        return _PASSED[sql, known]

    def _tree(self, sql: str) -> Any:
        # fetchall, because an answer not read to its end keeps the connection from anything else.
        rows = self._con.execute("select json_serialize_sql($sql)", {"sql": sql}).fetchall()
        answer: dict[str, Any] = json.loads(rows[0][0])
        if answer["error"]:
            if answer.get("error_type") == "parser":
                raise PluginError(f"the SQL cannot be read: {answer['error_message']}")
            raise PluginError("the SQL must be a single select")
        statements: list[Any] = answer["statements"]
        if len(statements) != 1:
            raise PluginError(f"the SQL must be a single select, not {len(statements)} statements")
        return statements[0]["node"]


class _Walk:
    """Collect names from a syntax tree; refuse what is not allowed."""

    def __init__(self, tables: frozenset[str], impure: frozenset[str], whose: str) -> None:
        self._known = tables
        self._impure = impure
        self._whose = whose
        self.tables: set[str] = set()
        self.columns: set[str] = set()
        self.parameters: set[str] = set()
        self.open_ended = False

    def visit(self, node: Any, scope: frozenset[str]) -> None:
        """Visit a node and everything below it; ``scope`` holds the names that ``with`` gave."""
        if isinstance(node, list):
            for child in node:
                self.visit(child, scope)
            return
        if not isinstance(node, dict):
            return
        scope = self._common_tables(node, scope)
        self._look(node, scope)
        for key, child in node.items():
            if key != "cte_map":
                self.visit(child, scope)

    def _common_tables(self, node: dict[str, Any], scope: frozenset[str]) -> frozenset[str]:
        """Visit the parts of a ``with``; each sees the ones before it, and not itself."""
        for part in node.get("cte_map", {}).get("map", []):
            self.visit(part["value"], scope)
            scope = scope | {part["key"].lower()}
        return scope

    def _look(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        kind = node.get("class")
        if kind is None:
            self._relation(node, scope)
        elif kind == "COLUMN_REF":
            self._column(node)
        elif kind == "FUNCTION":
            self._function(node)
        elif kind == "PARAMETER":
            self._parameter(node)
        elif kind == "STAR":
            self.open_ended |= bool(node.get("columns") or node.get("expr"))
            self.columns.update(_texts([node.get("exclude_list"), node.get("qualified_exclude_list")]))

    def _relation(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        kind = node.get("type")
        if not isinstance(kind, str):
            return
        if kind not in _NODES:
            words = _NODE_WORDS.get(kind, kind.lower().replace("_", " "))
            raise PluginError(f"{self._whose} may not use {words.format(what=_called(node))}")
        if node.get("sample") is not None:
            raise PluginError(f"{self._whose} may not sample: the answer would differ each time")
        if kind == "JOIN":
            self.columns.update(_texts(node.get("using_columns")))
            self.open_ended |= node.get("ref_type") == "NATURAL"
        if kind == "BASE_TABLE":
            self._table(node, scope)

    def _table(self, node: dict[str, Any], scope: frozenset[str]) -> None:
        path = node.get("qualified_name", {}).get("path") or [
            node[part] for part in ("catalog_name", "schema_name", "table_name") if node.get(part)
        ]
        name = ".".join(path).lower()
        if len(path) == 1 and name in scope:
            return
        if name not in self._known:
            known = ", ".join(sorted(self._known))
            raise PluginError(f"{self._whose} may not read {'.'.join(path)!r}; it can read {known}")
        if node.get("at_clause") is not None:
            raise PluginError(f"{self._whose} may not choose a version of a table; as_of does")
        self.tables.add(name)

    def _column(self, node: dict[str, Any]) -> None:
        names = [str(name).lower() for name in node.get("column_names", ())]
        # Of what is written like a column only these are functions: a column may well be called has_bought.
        if len(names) == 1 and (names[0] in self._impure or names[0].startswith("current_")):
            self._refuse_impure(names[0])
        self.columns.update(names)

    def _function(self, node: dict[str, Any]) -> None:
        name = _called(node).lower()
        self._refuse_impure(name)
        if name == "age" and len(node.get("arguments", ())) == 1:
            self._refuse_impure("current_date")

    def _refuse_impure(self, name: str) -> None:
        if name in self._impure or name.startswith(_IMPURE_PREFIXES):
            raise PluginError(f"{self._whose} may not use {name}: it depends on nothing but the catalog and $as_of")

    def _parameter(self, node: dict[str, Any]) -> None:
        name = str(node.get("identifier", ""))
        if not name.isidentifier():
            raise PluginError("parameters are bound by name: write $window instead of ? or $1")
        self.parameters.add(name)


def _called(node: dict[str, Any]) -> str:
    """Return the name of the function that a node calls."""
    function = node.get("function", node)
    path = function.get("qualified_name", {}).get("path")
    return str(path[-1] if path else function.get("function_name", ""))


def _texts(value: Any) -> Iterator[str]:
    """Yield every text inside lists and objects."""
    if isinstance(value, str):
        yield value.lower()
    elif isinstance(value, dict):
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
