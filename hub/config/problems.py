"""What is wrong with a file: file, line, key, what is wrong, what would be right."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hub.config.positions import find_lines
from hub.errors import ConfigError

Key = str | int


class ConfigFileError(ConfigError):
    """Configuration files are wrong; ``problems`` has one line per problem, all that were found."""

    def __init__(self, problems: Iterable[str], *, next_step: str | None = None) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems), next_step=next_step)


@dataclass(frozen=True, slots=True)
class File:
    """A configuration file as read; ``name`` is how messages call it."""

    name: str
    data: Mapping[str, Any]
    lines: Mapping[tuple[Key, ...], int]


@dataclass(frozen=True, slots=True)
class Where:
    """A place in the configuration; a later file is what an earlier one inherits from."""

    files: tuple[File, ...]
    path: tuple[Key, ...] = ()

    def below(self, *keys: Key) -> Where:
        """Return the place that these keys lead to."""
        return Where(self.files, (*self.path, *keys))

    def say(self, problem: str) -> str:
        """Return the problem as one line that begins with file, line and key."""
        file, line = self._find()
        number = f":{line}" if line else ""
        key = f" {self.key}:" if self.path else ""
        return f"{file}{number}:{key} {problem}"

    @property
    def key(self) -> str:
        """Return the dotted key, with positions in lists in brackets."""
        text = "".join(f"[{key}]" if isinstance(key, int) else f".{_quote(key)}" for key in self.path)
        return text.removeprefix(".")

    def _find(self) -> tuple[str, int | None]:
        """Return the file and line of the key, or of the nearest table around it."""
        for length in range(len(self.path), 0, -1):
            for file in self.files:
                line = file.lines.get(self.path[:length])
                if line:
                    return file.name, line
        return (self.files[0].name if self.files else "settings"), None


@dataclass(slots=True)
class Problems:
    """Collects what is wrong, so that a file is mended in one go."""

    lines: list[str] = field(default_factory=list)

    def add(self, where: Where, problem: str) -> None:
        """Record a problem at a place."""
        self.lines.append(where.say(problem))

    def raise_any(self, *, next_step: str | None = None) -> None:
        """Raise ConfigFileError if anything was recorded."""
        if self.lines:
            raise ConfigFileError(self.lines, next_step=next_step)


def read_file(path: Path, name: str) -> File:
    """Read a TOML file together with the line of every key.

    Raises:
        ConfigFileError: it cannot be read, is not UTF-8 or not TOML.
    """
    try:
        text = path.read_bytes().decode("utf-8").replace("\r\n", "\n")
        data = tomllib.loads(text)
    except OSError as error:
        raise ConfigFileError([f"{name}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigFileError([f"{name}:{line}: is not UTF-8; save the file as UTF-8"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigFileError([_syntax_problem(name, text, str(error))]) from None
    return File(name, data, find_lines(text))


def suggest(wrong: str, known: Iterable[str]) -> str:
    """Return the closest known name as a question, else the known names."""
    names = list(known)
    close = get_close_matches(wrong, names, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known are {', '.join(sorted(names))}" if names else "there are none"


def _syntax_problem(name: str, text: str, message: str) -> str:
    found = re.search(r"\s*\(at (?:line (\d+), column \d+|end of document)\)", message)
    if found is None:
        return f"{name}: is not TOML: {message}"
    line = found[1] or len(text.rstrip().split("\n"))
    return f"{name}:{line}: is not TOML: {message[: found.start()]}"


def _quote(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
