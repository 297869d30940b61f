"""From a plugin's own keys to its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import SecretStr

from hub.api import Config
from hub.config.problems import Problems, Where
from hub.config.validate import is_secret, setting_names, validate

ConfigT = TypeVar("ConfigT", bound=Config)


class FoundSecret(Protocol):
    """A secret and the place it was found in."""

    @property
    def value(self) -> str:
        """Return the secret itself."""

    @property
    def where(self) -> str:
        """Return where it was found, for people."""


class SecretLookup(Protocol):
    """Where the secrets of one connection come from."""

    def find(self, field: str) -> FoundSecret | None:
        """Return the secret for a field, or None."""

    def tried(self, field: str) -> str:
        """Say which places a secret was looked for in."""

    def command(self, field: str) -> str:
        """Return the command that stores the secret."""


def build_config(
    model: type[ConfigT], options: Mapping[str, Any], *, where: Where, secrets: SecretLookup | None = None
) -> ConfigT:
    """Return a plugin's settings from its keys in the files, with its secrets.

    Raises:
        ConfigFileError: with every problem: unknown keys, wrong types, missing settings, secrets that are
            missing or that stand in the file.
    """
    problems = Problems()
    config = collect_config(model, options, where=where, secrets=secrets, problems=problems)
    problems.raise_any(next_step="Correct the lines named, then run `hub check CLIENT --offline`.")
    if config is None:
        raise AssertionError("settings are refused only with a problem")
    return config


def collect_config(
    model: type[ConfigT], options: Mapping[str, Any], *, where: Where, secrets: SecretLookup | None, problems: Problems
) -> ConfigT | None:
    """Return a plugin's settings, or record every problem and return None."""
    data = dict(options)
    before = len(problems.lines)
    for name, field in setting_names(model).items():
        if not is_secret(field.annotation):
            continue
        if name in data:
            problems.add(where.below(name), _refusal(name, secrets))
            data[name] = "refused"
        elif found := secrets.find(name) if secrets else None:
            data[name] = found.value
        elif field.is_required():
            problems.add(where.below(name), _missing(name, secrets))
            data[name] = "missing"
    config = validate(model, data, where, problems)
    for path in _nested_secrets(config):
        problems.add(where.below(*path), _refusal(str(path[0]), None))
    return config if len(problems.lines) == before else None


def _refusal(field: str, secrets: SecretLookup | None) -> str:
    command = secrets.command(field) if secrets else f"hub secret set CLIENT CONNECTION {field}"
    return f"a secret must not stand in a file; remove the line, renew the secret and run: {command}"


def _missing(field: str, secrets: SecretLookup | None) -> str:
    if secrets is None:
        return "is a secret, and nothing here can look it up"
    return f"no secret found; looked in {secrets.tried(field)}; run: {secrets.command(field)}"


def _nested_secrets(config: Config | None) -> Iterator[tuple[str | int, ...]]:
    """Yield where settings inside settings hold a secret: it can only have come from the file."""
    for name in type(config).model_fields if config else ():
        value = getattr(config, name)
        if not isinstance(value, SecretStr):
            yield from ((name, *path) for path in _secrets_in(value))


def _secrets_in(value: Any) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, SecretStr):
        yield ()
    elif isinstance(value, Config):
        for name in type(value).model_fields:
            yield from ((name, *path) for path in _secrets_in(getattr(value, name)))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from ((key, *path) for path in _secrets_in(item))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from ((index, *path) for path in _secrets_in(item))
