"""Settings of plugins: pydantic models whose every field is described."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, SecretStr
from pydantic_core import core_schema

Secret = SecretStr
"""A setting that never stands in a file; read it with ``.get_secret_value()``, it is masked everywhere else."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_LONGEST = timedelta(days=365_000)
"""Any instant that hub is asked about, less this, is a date that Python and DuckDB have."""
_DURATION = re.compile(r"\s*(\d+)\s*([smhdw])\s*")


def parse_duration(value: object) -> object:
    """Read ``30m``, ``1h``, ``7d`` or ``2w`` as an exact timedelta (a day is 24 hours).

    Anything that is not text is returned as it is, for pydantic to judge.

    Raises:
        ValueError: the text is not a whole number followed by s, m, h, d or w, or longer than a thousand years.
    """
    if not isinstance(value, str):
        if isinstance(value, int | float):
            raise ValueError(f"a duration needs a unit, such as {value}d or {value}h")
        return value
    found = _DURATION.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is not a duration; write 30m, 1h, 7d or 2w")
    try:
        length = timedelta(**{_UNITS[found[2]]: int(found[1])})
    except OverflowError:
        length = timedelta.max
    if length > _LONGEST:
        raise ValueError(f"{found[0].strip()} is longer than hub can reckon; write {format_duration(_LONGEST)} or less")
    return length


def format_duration(value: timedelta) -> str:
    """Write a timedelta the way settings do: the largest unit up to days that divides it exactly."""
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""A length of time, written ``30m``, ``1h``, ``7d`` or ``2w``; a timedelta inside."""


class Config(BaseModel):
    """Be the base of every plugin's settings: unknown keys are errors, every field is described."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Endpoint:
    """The address of an outside system: ``scheme://host:port/path``. ``--sandbox`` replaces it.

    ``host:port`` without a scheme is read with an empty scheme. ``str()`` gives the text back.
    """

    __slots__ = ("host", "path", "port", "scheme")

    def __init__(self, text: str) -> None:
        parts = urlsplit(text if "://" in text else f"//{text}")
        if not parts.hostname:
            raise ValueError(f"{text!r} is not an address; write host:port or scheme://host:port")
        self.scheme = parts.scheme
        self.host = parts.hostname
        self.port = parts.port
        self.path = parts.path.rstrip("/")

    @property
    def is_loopback(self) -> bool:
        """Tell whether the address is this machine."""
        return self.host in {"localhost", "::1"} or self.host.startswith("127.")

    def __str__(self) -> str:
        scheme = f"{self.scheme}://" if self.scheme else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port is not None else ""
        return f"{scheme}{host}{port}{self.path}"

    def __repr__(self) -> str:
        return f"Endpoint({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Endpoint) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Let pydantic read text or an Endpoint."""
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _validate(cls, value: object) -> Endpoint:
        if isinstance(value, Endpoint):
            return value
        if isinstance(value, str):
            return cls(value)
        raise ValueError("an address must be text")


__all__ = ["Config", "Duration", "Endpoint", "Field", "Secret", "format_duration", "parse_duration"]
