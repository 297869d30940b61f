"""What a plugin's class declares, as data and as text."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, get_args, get_origin

from rich.table import Table
from rich.text import Text

from hub.api import ColumnValue, Condition, Destination, Percentile, Segment, Source, format_duration
from hub.api import hooks as hook_examples
from hub.config.validate import is_secret, model_in, setting_names
from hub.report.tables import simple_table

if TYPE_CHECKING:
    from pydantic import BaseModel

    from hub.plugins import Entry, Extensions

_SHOWN_ALREADY = {"kind", "name", "from", "summary", "about", "settings"}
_WORDS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "Decimal": "number",
    "bool": "true or false",
    "timedelta": "duration",
    "SecretStr": "secret",
    "Endpoint": "address",
    "datetime": "time",
    "date": "date",
    "list": "list",
    "tuple": "list",
    "dict": "table",
}


def describe(entry: Entry, plugin: type[Any]) -> dict[str, Any]:
    """Return everything a plugin declares, as JSON data."""
    summary, *about = paragraphs(plugin) or [""]
    described: dict[str, Any] = {
        "kind": entry.kind,
        "name": entry.name,
        "from": entry.origin,
        "summary": summary,
        "about": about,
        "settings": list(describe_settings(plugin.Config)),
    }
    if issubclass(plugin, Source):
        described |= _source_facts(plugin)
    elif issubclass(plugin, Segment):
        described |= _segment_facts(plugin)
    elif issubclass(plugin, Destination):
        described |= _destination_facts(plugin)
    return described


def describe_extension(entry: Entry, extensions: Extensions) -> dict[str, Any]:
    """Return what an extension does, as JSON data. Raises PluginError where it cannot be loaded."""
    module = extensions.load(entry)
    summary, *about = (paragraphs(module) if module.__doc__ else None) or [""]
    hooks = sorted(extensions.hooks(entry) & set(vars(module)))
    return {
        "kind": entry.kind,
        "name": entry.name,
        "from": entry.origin,
        "summary": summary,
        "about": about,
        "hooks": {hook: _first_line(getattr(hook_examples, hook)) for hook in hooks},
    }


def _first_line(hook: Any) -> str:
    return (inspect.getdoc(hook) or "").partition("\n")[0].replace("``", "`")


def paragraphs(plugin: Any) -> list[str]:
    """Return what a docstring says, paragraph by paragraph, each on one line."""
    text = (inspect.getdoc(plugin) or "").replace("``", "`")
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def example(name: str, model: type[BaseModel]) -> str:
    """Return how a strategy stands in a client's file: its defaults, and its settings' own examples."""
    lines = [f"[segments.{name}]", f"plugin = {toml_value(name)}"]
    for key, field in setting_names(model).items():
        value = field.examples[0] if field.examples else field.get_default(call_default_factory=True)
        if value is not None and (field.examples or not field.is_required()):
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines)


def toml_value(value: Any) -> str:
    """Write a value as TOML."""
    value = plain(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    return json.dumps(value, ensure_ascii=False)


def describe_settings(model: type[BaseModel], prefix: str = "") -> Iterator[dict[str, Any]]:
    """Yield a plugin's settings in the order declared, those inside lists and tables after their holder."""
    for name, field in setting_names(model).items():
        yield {
            "name": prefix + name,
            "type": type_word(field.annotation),
            "required": field.is_required(),
            "secret": is_secret(field.annotation),
            "default": None if field.is_required() else plain(field.get_default(call_default_factory=True)),
            "description": " ".join((field.description or "").split()),
        }
        inner = model_in(field.annotation)
        if inner is not None:
            yield from describe_settings(inner, f"{prefix}{name}{'[]' if _is_many(field.annotation) else ''}.")


def _is_many(annotation: Any) -> bool:
    """Tell whether a type holds its settings in a list or table of them."""
    parts = get_args(annotation)
    return get_origin(annotation) in {list, tuple, dict} or any(_is_many(part) for part in parts)


def type_word(annotation: Any) -> str:
    """Name a setting's type in a user's words."""
    parts = [part for part in get_args(annotation) if part is not type(None) and part is not Ellipsis]
    name = getattr(annotation, "__name__", "")
    if name in _WORDS:
        inner = f" of {type_word(parts[0])}" if parts and _WORDS[name] == "list" else ""
        return _WORDS[name] + inner
    if parts and all(isinstance(part, str | int) for part in parts):
        return " or ".join(f'"{part}"' if isinstance(part, str) else str(part) for part in parts)
    if parts:
        first = parts[:1] if hasattr(annotation, "__metadata__") else parts
        return " or ".join(dict.fromkeys(type_word(part) for part in first))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return " or ".join(f'"{each.value}"' for each in annotation)
    return "table" if hasattr(annotation, "model_fields") else name or "anything"


def plain(value: Any) -> Any:
    """Return a default as users would write it."""
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str | dict):
        return value
    return str(value)


def render(described: dict[str, Any]) -> Iterator[Text | Table]:
    """Yield the parts of ``hub plugins info``."""
    head = Text(f"{described['name']}", style="bold")
    head.append(f"  {described['kind']}, {described['from']}", style="dim")
    yield head
    for text in (described["summary"], *described["about"]):
        yield Text(text + "\n")
    if "settings" in described:
        yield _settings_table(described["settings"])
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in described.items():
        if name not in _SHOWN_ALREADY and value not in (None, [], {}, ()):
            facts.add_row(name.replace("_", " "), _words(value))
    yield facts


def _settings_table(settings: list[dict[str, Any]]) -> Table | Text:
    if not settings:
        return Text("It has no settings.\n")
    table = simple_table("Settings", "key", "type, default", "meaning")
    for setting in settings:
        default = "required" if setting["required"] else _default_words(setting["default"])
        style = "bold" if setting["required"] else "dim"
        kind = Text.assemble(f"{setting['type']}, ", (default, style))
        table.add_row(setting["name"], kind, setting["description"])
    return table


def _default_words(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    return _words(value)


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        words = [_words(inner) for inner in value]
        return ("\n" if any(" " in word for word in words) else ", ").join(words)
    return str(value)


def _source_facts(plugin: type[Source[Any]]) -> dict[str, Any]:
    streams = {name: f"{stream.kind}: {', '.join(stream.tables)}" for name, stream in plugin.streams.items()}
    return {"streams": streams, "rate": _rate_words(plugin.rate)}


def _segment_facts(plugin: type[Segment[Any]]) -> dict[str, Any]:
    return {
        "version": plugin.version,
        "reads": plugin.base.name if plugin.sql is None else "its own select",
        "in_if": [_condition_words(condition) for condition in plugin.rule],
        "not_in_it_means": _with_defaults(plugin) if plugin.sql is None else None,
        "needs": [str(need) for need in plugin.needs],
        "evidence": list(plugin.evidence),
        "tables": [table.name for table in plugin.tables],
        "example": example(plugin.name, plugin.Config),
    }


def _condition_words(condition: Condition) -> str:
    bound = condition.bound
    if isinstance(bound, Percentile):
        bound = f"the {bound.percent} percentile of {bound.column}"
    if isinstance(bound, ColumnValue):
        bound = bound.column
    unless = f", unless {condition.unless} is set" if condition.unless else ""
    when = f", where {condition.when[0]} is {plain(condition.when[1])}" if condition.when else ""
    return f"{condition.column} {condition.test} {plain(bound)}{unless}{when}"


def _with_defaults(plugin: type[Segment[Any]]) -> str:
    """Say what absence from the base means, with the settings at their defaults."""
    words = plugin.base.absent
    for name, field in setting_names(plugin.Config).items():
        words = words.replace(f"{{{name}}}", str(plain(field.get_default(call_default_factory=True))))
    return words


def _destination_facts(plugin: type[Destination[Any]]) -> dict[str, Any]:
    can = plugin.can
    flags = ("repeatable", "exclusive", "replaces", "permissions")
    limits = {
        str(op): f"{limit.count:,} {'member' if limit.count == 1 else 'members'}"
        + (f", {limit.bytes:,} bytes" if limit.bytes else "")
        for op, limit in can.ops.items()
    }
    return {
        "purpose": can.purpose,
        "knows_people_by": list(can.identify_by),
        "attributes": list(can.attributes) if can.attributes is not None else None,
        "largest_batch": limits,
        "rate": _rate_words(can.rate),
        "traits": [flag for flag in flags if getattr(can, flag)],
        "refresh_after": plain(can.refresh_after),
        "cooldown": plain(can.cooldown),
        "cap": plain(can.cap),
    }


def _rate_words(rate: Any) -> str | None:
    if rate is None:
        return None
    parts = [
        f"{value:,g} per {unit}"
        for unit, value in (("second", rate.per_second), ("minute", rate.per_minute), ("day", rate.per_day))
        if value is not None
    ]
    return ", ".join([*parts, f"{rate.concurrent} at once"])
