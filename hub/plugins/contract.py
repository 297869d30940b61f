"""What a plugin's class must declare; checked when it is loaded, so that a run does not stumble over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any

from hub.api import Capabilities, Config, Destination, Op, Section, Segment, Source, Stream, Withholding

_BASES: dict[str, type[Any]] = {"source": Source, "segment": Segment, "destination": Destination}
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_IDENTIFIERS = {"email", "phone", "customer_id"}


def contract_problems(kind: str, offered: Any) -> list[str]:
    """Return what a class lacks for its kind; nothing if it keeps the contract."""
    base = _BASES[kind]
    if not (isinstance(offered, type) and issubclass(offered, base)):
        return [f"{getattr(offered, '__name__', offered)!r} is not a subclass of api.{base.__name__}"]
    name = getattr(offered, "name", "")
    problems = [] if _NAME.fullmatch(name) else [f"the name {name!r} is not of a-z, 0-9 and -"]
    config = getattr(offered, "Config", None)
    if not (isinstance(config, type) and issubclass(config, Config)):
        problems.append("Config is not a subclass of api.Config")
    check: dict[str, Callable[[Any], list[str]]] = {
        "source": _source_problems,
        "segment": _segment_problems,
        "destination": _destination_problems,
    }
    return problems + check[kind](offered)


def _source_problems(offered: type[Source[Any]]) -> list[str]:
    problems = []
    streams: Any = offered.streams
    if not (isinstance(streams, Mapping) and streams):
        problems.append("streams is empty; declare at least one api.Stream")
    elif not all(isinstance(stream, Stream) and stream.tables for stream in streams.values()):
        problems.append("streams holds something that is not an api.Stream with tables")
    if offered.read is Source.read:
        problems.append("read is not implemented")
    return problems


def _segment_problems(offered: type[Segment[Any]]) -> list[str]:
    if offered.sql is None and not offered.rule:
        return ["declares neither a rule nor sql"]
    version: Any = offered.version
    if not isinstance(version, int) or version < 1:
        return [f"version is {version!r}, not a number from 1"]
    return []


def _destination_problems(offered: type[Destination[Any]]) -> list[str]:
    can: Any = getattr(offered, "can", None)
    if not isinstance(can, Capabilities):
        return ["can is missing; declare api.Capabilities"]
    problems = []
    if Op.ADD not in can.ops:
        problems.append("can.ops has no api.Op.ADD")
    if any(limit.count < 1 for limit in can.ops.values()):
        problems.append("can.ops has a limit below 1")
    if not can.identify_by or not set(can.identify_by) <= _IDENTIFIERS:
        problems.append(f"can.identify_by is {can.identify_by!r}, not some of email and phone, or customer_id")
    elif "customer_id" in can.identify_by and len(can.identify_by) > 1:
        problems.append(f"can.identify_by is {can.identify_by!r}; customer_id stands alone")
    if offered.push is Destination.push:
        problems.append("push is not implemented")
    return problems


def withholding_problems(offered: Any) -> list[str]:
    """Return what a check that may only withhold lacks; nothing if it keeps the contract."""
    if not (isinstance(offered, type) and issubclass(offered, Withholding)):
        return [f"{getattr(offered, '__name__', offered)!r} is not a subclass of api.Withholding"]
    code = getattr(offered, "code", None)
    if not (isinstance(code, str) and _CODE.fullmatch(code)):
        return [f"the code {code!r} is not of A-Z, 0-9 and _"]
    missing = [name for name in ("description", "sql") if not str(getattr(offered, name, None) or "").strip()]
    return [f"{code} has no {name}" for name in missing]


def section_problem(offered: Any) -> str | None:
    """Return why a section cannot be shown, or None."""
    if not isinstance(offered, Section):
        return f"{offered!r} is no api.Section"
    title: Any = offered.title
    if not isinstance(title, str) or not all(isinstance(name, str) for name in _listed(offered.columns)):
        return "its title and the names of its columns must be texts"
    if not all(isinstance(row, list | tuple) for row in _listed(offered.rows)):
        return f"{title!r} must have its rows as a list of lists"
    width = len(offered.columns)
    ragged = [(number, len(row)) for number, row in enumerate(offered.rows, 1) if len(row) != width]
    if ragged:
        number, values = ragged[0]
        return f"{title!r} has {width} columns, its row {number} has {values}"
    strange = [value for row in offered.rows for value in row if not _can_be_shown(value)]
    return f"{title!r} has a value that is neither text nor a finite number" if strange else None


def _listed(value: Any) -> Sequence[Any]:
    """Return a list's items; of anything else something that is no item of any list."""
    return value if isinstance(value, list | tuple) else (None,)


def _can_be_shown(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))


def command_problem(offered: Any) -> str | None:
    """Return why something is no command, or None."""
    import typer

    if not isinstance(offered, typer.Typer):
        return f"hub_commands offers {offered!r}, not a typer.Typer"
    name = offered.info.name
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        return 'hub_commands offers a typer.Typer without a name of a-z, 0-9 and -; write typer.Typer(name="…")'
    if not (offered.registered_commands or offered.registered_groups or offered.registered_callback):
        return f"its command {name!r} does nothing: it has neither a command nor a callback"
    return None
