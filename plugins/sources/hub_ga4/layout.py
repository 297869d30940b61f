"""The columns of an ``events_`` table that hub reads, and how a file that lacks some of them is read all the same.

Source of names and types: Analytics help, "BigQuery Export schema".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

_VALUE = {"string_value": "VARCHAR", "int_value": "BIGINT", "float_value": "DOUBLE", "double_value": "DOUBLE"}
_CAMPAIGN = {"source": "VARCHAR", "medium": "VARCHAR"}
COLUMNS: Mapping[str, Any] = {
    "event_timestamp": "BIGINT",
    "event_name": "VARCHAR",
    "event_params": [{"key": "VARCHAR", "value": _VALUE}],
    "event_bundle_sequence_id": "BIGINT",
    "batch_page_id": "BIGINT",
    "batch_ordering_id": "BIGINT",
    "batch_event_index": "BIGINT",
    "user_id": "VARCHAR",
    "user_pseudo_id": "VARCHAR",
    "privacy_info": {"analytics_storage": "VARCHAR", "ads_storage": "VARCHAR"},
    "device": {"category": "VARCHAR"},
    "geo": {"country": "VARCHAR"},
    "traffic_source": _CAMPAIGN,
    "collected_traffic_source": {"manual_source": "VARCHAR", "manual_medium": "VARCHAR"},
    "session_traffic_source_last_click": {"manual_campaign": _CAMPAIGN, "cross_channel_campaign": _CAMPAIGN},
    "ecommerce": {"transaction_id": "VARCHAR", "purchase_revenue": "DOUBLE", "refund_value": "DOUBLE"},
    "items": [
        {
            "item_id": "VARCHAR",
            "item_name": "VARCHAR",
            "item_variant": "VARCHAR",
            "item_category": "VARCHAR",
            "price": "DOUBLE",
            "quantity": "BIGINT",
        }
    ],
}
"""What is read of a table: DuckDB's types by name, a struct as a mapping, a repeated field as a list of one."""

NEEDED = ("event_timestamp", "event_name", "event_params", "user_pseudo_id")
"""Without these a file is no export of events."""

_ARROW = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}


def json_structure() -> str:
    """Return the columns as DuckDB's ``from_json`` wants them."""
    return json.dumps(COLUMNS)


def arrow_schema() -> pa.Schema:
    """Return the columns as an Arrow schema."""
    return pa.schema([(name, _arrow(kind)) for name, kind in COLUMNS.items()])


def _arrow(kind: Any) -> pa.DataType:
    if isinstance(kind, str):
        return _ARROW[kind]
    if isinstance(kind, list):
        return pa.list_(_arrow(kind[0]))
    return pa.struct([(name, _arrow(inner)) for name, inner in kind.items()])


def selections(types: Mapping[str, Any]) -> dict[str, str]:
    """Return how each column is selected from a file with these columns (DuckDB types by name).

    A single value is selected by its path, so that Parquet's reader leaves out the rest of its struct. What the file
    lacks is NULL, and what came as another type is cast: numbers as text, a repeated field that has fewer members.
    """
    chosen: dict[str, str] = {}
    for name, kind in COLUMNS.items():
        if isinstance(kind, list):
            chosen[name] = _repeated(name, kind, types.get(name))
        else:
            chosen |= {path: _single(path, leaf, types) for path, leaf in _leaves(name, kind)}
    return chosen


def _leaves(path: str, kind: Any) -> list[tuple[str, str]]:
    if isinstance(kind, str):
        return [(path, kind)]
    return [leaf for name, inner in kind.items() for leaf in _leaves(f"{path}.{name}", inner)]


def _single(path: str, wanted: str, types: Mapping[str, Any]) -> str:
    first, *rest = path.split(".")
    found = _inner(types.get(first), *rest)
    if found is None:
        return f"cast(null as {wanted})"
    return path if str(found) == wanted else f"try_cast({path} as {wanted})"


def _repeated(name: str, kind: list[Any], found: Any) -> str:
    given, row = name, _inner(found, "child")
    if found is not None and found.id == "struct":
        # A writer that does not mark its lists leaves Parquet's own two levels in the open.
        given, row = f"list_transform({name}.list, lambda x: x.element)", _inner(found, "list", "child", "element")
    if row is None:
        return f"cast(null as {_spelled(kind)})"
    return given if _holds(row, kind[0]) else f"try_cast({given} as {_spelled(kind)})"


def _inner(found: Any, *path: str) -> Any:
    """Return the type at the end of a path through structs and lists, or None."""
    for name in path:
        if found is None or found.id not in ("struct", "list"):
            return None
        found = dict(found.children).get(name)
    return found


def _holds(found: Any, wanted: Any) -> bool:
    """Tell whether a type has everything wanted under the same names and types, whatever else it has."""
    if isinstance(wanted, str):
        return str(found) == wanted
    children = dict(found.children) if found.id == "struct" else {}
    return all(name in children and _holds(children[name], kind) for name, kind in wanted.items())


def _spelled(kind: Any) -> str:
    if isinstance(kind, str):
        return kind
    if isinstance(kind, list):
        return f"{_spelled(kind[0])}[]"
    return "STRUCT(" + ", ".join(f'"{name}" {_spelled(inner)}' for name, inner in kind.items()) + ")"
