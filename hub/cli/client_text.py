"""The text of a client's file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from hub.cli.plugin_info import toml_value, type_word
from hub.config.models import ClientModel, ConsentSettings, Guards
from hub.config.validate import is_secret, setting_names

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from hub.cli.client_file import NewConnection

_WIDTH = 110


def file_text(
    client: str,
    header: Mapping[str, str | None],
    connections: Sequence[NewConnection],
    segments: Mapping[str, type[BaseModel]],
    *,
    first_segment: str | None,
) -> str:
    """Return the whole file: what is set, and commented out what could be, with its default."""
    lines = ["# What hub does for this client. A line that is commented out shows a default.", ""]
    lines += _header_lines(header)
    lines += _commented_table("consent", ConsentSettings)
    lines += _commented_table("guards", Guards)
    for connection in connections:
        lines += ["", f"[{connection.kind}s.{connection.name}]", f"plugin = {toml_value(connection.plugin)}"]
        for key, known in setting_names(connection.model).items():
            lines += _setting(key, known, connection.values, f"hub secret set {client} {connection.name} {key}")
    for name, model in segments.items():
        lines += ["", f"[segments.{name}]", f"plugin = {toml_value(name)}"]
        lines += [line for key, known in setting_names(model).items() for line in _setting(key, known, {}, "")]
    for connection in connections:
        if connection.kind == "destination" and first_segment:
            lines += _sync_lines(connection, first_segment)
    return "\n".join(lines) + "\n"


def _header_lines(header: Mapping[str, str | None]) -> Iterator[str]:
    examples = {"timezone": "UTC", "country": "DK", "currency": "DKK"}
    for key, known in setting_names(ClientModel).items():
        if key not in header:
            continue
        yield f"# {known.description}"
        value = header[key]
        yield f"{key} = {toml_value(value)}" if value else f"# {key} = {toml_value(examples[key])}"


def _commented_table(name: str, model: type[BaseModel]) -> Iterator[str]:
    yield ""
    yield f"# [{name}]"
    for key, known in setting_names(model).items():
        if key != "from":
            yield f"# {_default(key, known)}   # {known.description}"


def _setting(key: str, known: FieldInfo, values: Mapping[str, Any], command: str) -> Iterator[str]:
    need = "Required. " if known.is_required() else ""
    if is_secret(known.annotation):
        yield from _comment(f"{need}{key} is a secret ({known.description or 'no description'}): {command}")
        return
    yield from _comment(f"{need}{known.description or type_word(known.annotation)}")
    yield f"{key} = {toml_value(values[key])}" if key in values else f"# {_default(key, known)}"


def _default(key: str, known: FieldInfo) -> str:
    value = None if known.is_required() else known.get_default(call_default_factory=True)
    return f"{key} =" if value is None else f"{key} = {toml_value(value)}"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(" ".join(text.split()), _WIDTH)]


def _sync_lines(destination: NewConnection, segment: str) -> list[str]:
    return [
        "",
        f"[syncs.{segment}-{destination.name}]",
        f"segment = {toml_value(segment)}",
        f"destination = {toml_value(destination.name)}",
        "# Name of the list, tag or audience; default: the segment's name",
        f"# audience = {toml_value(segment)}",
        "# What members must have consented to",
        f"# purpose = {toml_value(destination.purpose or '')}",
        "# When, as cron in the client's time zone; none: due at every tick",
        '# schedule = "*/15 * * * *"',
    ]
