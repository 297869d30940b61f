"""What a plugin's class must declare; checked when it is loaded, so that a run does not stumble over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from math import isfinite
from typing import Any

from hub.api import (
    Capabilities,
    Config,
    Destination,
    Limit,
    Op,
    Rate,
    Section,
    Segment,
    Source,
    Stream,
    Withholding,
)

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
    problems = (
        [] if isinstance(name, str) and _NAME.fullmatch(name) else [f"the name {name!r} is not of a-z, 0-9 and -"]
    )
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
    return problems + _rate_problems("rate", offered.rate)


def _segment_problems(offered: type[Segment[Any]]) -> list[str]:
    if offered.sql is None and not offered.rule:
        return ["declares neither a rule nor sql"]
    version: Any = offered.version
    if not isinstance(version, int) or version < 1:
        return [f"version is {version!r}, not a number from 1"]
    return []


def _destination_problems(offered: type[Destination[Any]]) -> list[str]:
    problems = capability_problems(getattr(offered, "can", None)) + _rate_problems("rate", offered.rate)
    if offered.push is Destination.push:
        problems.append("push is not implemented")
    return problems


def capability_problems(can: Any) -> list[str]:
    """Return why a destination cannot work with these capabilities; nothing if it can."""
    if not isinstance(can, Capabilities):
        return ["can is missing; declare api.Capabilities"]
    problems = [*_limit_problems(can.ops), *_rate_problems("can.rate", can.rate), *_time_problems(can)]
    purpose: Any = can.purpose
    identify_by: Any = can.identify_by
    if not isinstance(purpose, str):
        problems.append(f"can.purpose is {purpose!r}, not text")
    if can.attributes is not None and not _are_texts(can.attributes):
        problems.append(f"can.attributes is {can.attributes!r}, not a tuple of names")
    if not isinstance(identify_by, tuple) or not identify_by or not set(identify_by) <= _IDENTIFIERS:
        problems.append(f"can.identify_by is {identify_by!r}, not some of email and phone, or customer_id")
    elif "customer_id" in identify_by and len(identify_by) > 1:
        problems.append(f"can.identify_by is {identify_by!r}; customer_id stands alone")
    return problems


def _limit_problems(ops: Any) -> list[str]:
    """Return why batches of these sizes cannot be made."""
    if not (isinstance(ops, Mapping) and all(isinstance(limit, Limit) for limit in ops.values())):
        return ["can.ops is no mapping of api.Op to api.Limit"]
    problems = [] if Op.ADD in ops else ["can.ops has no api.Op.ADD"]
    if strange := [op for op in ops if op not in set(Op)]:
        problems.append(f"can.ops has {strange[0]!r}, which is no api.Op")
    sizes: list[Any] = [limit.count for limit in ops.values()]
    sizes += [limit.bytes for limit in ops.values() if limit.bytes is not None]
    if not all(isinstance(size, int) for size in sizes):
        return [*problems, "can.ops has a limit that is no whole number"]
    return [*problems, "can.ops has a limit below 1"] if any(size < 1 for size in sizes) else problems


def _rate_problems(what: str, rate: Any) -> list[str]:
    """Return why nobody could ever be asked at this rate."""
    if rate is None:
        return []
    if not isinstance(rate, Rate):
        return [f"{what} is {rate!r}, not an api.Rate"]
    problems = [
        f"{what} has {name} = {value!r}, not a number above 0"
        for name in ("per_second", "per_minute", "per_day")
        if (value := getattr(rate, name)) is not None and not _is_above_0(value)
    ]
    concurrent: Any = rate.concurrent
    if not isinstance(concurrent, int) or concurrent < 1:
        problems.append(f"{what} has concurrent = {concurrent!r}, not a whole number from 1")
    return problems


def _time_problems(can: Capabilities) -> list[str]:
    return [
        f"can.{name} is {value!r}, not a datetime.timedelta from 0"
        for name in ("refresh_after", "cooldown", "cap")
        if not ((value := getattr(can, name)) is None or (isinstance(value, timedelta) and value >= timedelta()))
    ]


def _are_texts(names: Any) -> bool:
    return isinstance(names, tuple | list) and all(isinstance(name, str) for name in names)


def _is_above_0(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value) and value > 0


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
