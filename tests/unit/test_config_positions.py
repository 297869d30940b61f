"""Every key of a TOML text has its line, whatever stands around it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.config.positions import find_lines


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


DECOYS = st.sampled_from(
    [
        '"""\n[decoy]\nfake = 1 # "\n\\""" still\n"""',
        "'''\n[[decoy]]\n\"\nfake = 'x' '''",
        '"a \\" # [x] = { \\\\"',
        "'literal \\ # ] }'",
        '"""ends with quotes"""""',
        "1979-05-27 07:32:00",
        "-1_000.5e3",
        "true",
    ]
)
BLANKS = st.sampled_from(["", '# comment = \'with "quotes" [and] {brackets}\n', "\n\n", "  \t\n"])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    shape = draw(st.sampled_from(["plain", "array", "inline"] if depth else ["plain"]))
    if shape == "plain":
        return draw(DECOYS)
    inner = draw(st.lists(values(depth=depth - 1), max_size=3))
    if shape == "array":
        return "[" + ",".join(f"\n  # ]\n  {item}\n" for item in inner) + "]"
    return "{ " + ", ".join(f"{key} = {item}" for key, item in zip(("k1", '"k 2"', "k3"), inner, strict=False)) + " }"


@st.composite
def documents(draw: st.DrawFn) -> str:
    lines = [draw(BLANKS) + f"key{number} = {draw(values())}\n" for number in range(draw(st.integers(0, 4)))]
    for number in range(draw(st.integers(0, 4))):
        header = draw(
            st.sampled_from([f"[table{number}]", f"[ parent . t{number} ]", "[[many]]", f'[sub."{number}".x]'])
        )
        keys = draw(st.lists(st.sampled_from(["a", '"b c"', "'d'", "e.f", "g . h"]), unique=True, max_size=3))
        lines.append(draw(BLANKS) + header + "  # why\n")
        lines += [draw(BLANKS) + f"{key} = {draw(values())}\n" for key in keys]
    return "".join(lines)


@given(documents())
def test_every_path_that_tomllib_sees_has_the_line_its_key_stands_on(text: str) -> None:
    rows = text.split("\n")

    lines = find_lines(text)

    for path in paths(tomllib.loads(text)):
        assert path in lines
        if isinstance(path[-1], str):
            assert path[-1] in rows[lines[path] - 1]


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a = 1\nb = 2", ("b",), 2),
        ("[t]\nx = 1\n[t.u]\ny = 2", ("t", "u", "y"), 4),
        ("[[m]]\nx = 1\n[[m]]\nx = 2", ("m", 1, "x"), 4),
        ("[[m]]\n[m.sub]\nx = 1\n[[m]]\n[m.sub]\nx = 2", ("m", 1, "sub", "x"), 6),
        ("a = [\n 1,\n # two\n 2,\n]", ("a", 1), 4),
        ("a.b.c = 1", ("a", "b"), 1),
        ("a = { b = 1, c = [ { d = 2 } ] }\ne = 3", ("a", "c", 0, "d"), 1),
        ('s = """\n[t]\n"""\nz = 1', ("z",), 4),
        ("\r\na = 1\r\nb = 2\r\n", ("b",), 3),
    ],
)
def test_a_key_is_found_on_its_line(text: str, path: tuple[str | int, ...], line: int) -> None:
    assert find_lines(text)[path] == line
