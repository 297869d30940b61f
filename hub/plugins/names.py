"""Which plugins a file holds, by reading its source: listing must not run it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches

STAND_INS = "hub_stand_ins"
EXTENDING = frozenset(["hub_after_run", "hub_before_run", "hub_commands", "hub_report_sections", "hub_withholdings"])
"""The hooks of extensions, beside stand-ins; here and not in hub.api, because listing must not import that."""
_KINDS = {"Source": "source", "Segment": "segment", "Destination": "destination"}
_HOOKS = {f"hub_{kind}s": kind for kind in _KINDS.values()}
_DEFINED = re.compile(r"^(?:async[ \t]+)?def[ \t]+(hub_\w+)", re.MULTILINE)
_WORD = re.compile(r"\bhub_\w+")
_IMPORTS_ALL = re.compile(r"^from[ \t].*[ \t]import[ \t]*\*", re.MULTILINE)


@dataclass(slots=True)
class Names:
    """The (kind, name) pairs a file offers, and what could not be read."""

    found: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_plugin_names(source: str) -> Names:
    """Return what the hooks of a module offer, as far as its text tells.

    A hook's classes are those of the module that it mentions; a class without ``name`` in its body takes that of
    a base in the same file.

    Raises:
        SyntaxError: the text is not Python.
    """
    tree = ast.parse(source)
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    names = Names()
    for hook in tree.body:
        if not isinstance(hook, ast.FunctionDef) or hook.name not in _HOOKS:
            continue
        offered = [classes[name] for name in _mentioned(hook) if name in classes]
        if not offered:
            names.problems.append(f"{hook.name} mentions no class of this file")
        for node in offered:
            name = _name_of(node, classes)
            if name is None:
                names.problems.append(f'class {node.name} has no name; write name = "…" in its body')
            elif (_HOOKS[hook.name], name) not in names.found:
                names.found.append((_HOOKS[hook.name], name))
    return names


def read_hooks(source: str | None) -> frozenset[str]:
    """Return which hooks of extensions a module has, as far as its text tells; all of them where it does not.

    A hook that hub does not know counts as the one it is closest to: to load the module is how it gets reported, and
    whoever meant to withhold somebody must not be passed over for a slip.
    """
    if source is None or _IMPORTS_ALL.search(source):
        return EXTENDING | {STAND_INS}
    named = {*_DEFINED.findall(source), *(EXTENDING | {STAND_INS}).intersection(_WORD.findall(source))} - _HOOKS.keys()
    if named <= {STAND_INS}:
        return frozenset(named)  # hub's own vendors: to parse them all would be felt in `hub --help`
    with suppress(SyntaxError, ValueError):  # loading it says what is wrong
        named &= set(_bound(ast.parse(source).body))
    return frozenset(hook for name in named for hook in _meant(name))


def _meant(name: str) -> set[str]:
    """Return the hooks of extensions that a name may stand for."""
    hooks = EXTENDING | {STAND_INS}
    closest = get_close_matches(name, [*hooks, *_HOOKS], n=1)
    return set(hooks.intersection(closest) if closest else hooks)


def _bound(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names that a module's own statements give, those below ``if`` and ``try`` included."""
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.ImportFrom | ast.Import):
            yield from (each.asname or each.name for each in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name))
        elif not isinstance(node, ast.ClassDef):
            yield from _bound(each for each in ast.iter_child_nodes(node) if isinstance(each, ast.stmt))
            for handler in getattr(node, "handlers", ()):
                yield from _bound(handler.body)


def _mentioned(hook: ast.FunctionDef) -> Iterator[str]:
    nodes = (node for statement in hook.body for node in ast.walk(statement))
    return (node.id for node in nodes if isinstance(node, ast.Name))


def _name_of(node: ast.ClassDef, classes: dict[str, ast.ClassDef], depth: int = 0) -> str | None:
    for target, value in _assignments(node):
        if target == "name" and isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in classes and depth < len(classes):
            return _name_of(classes[base.id], classes, depth + 1)
    return None


def _assignments(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    """Yield a class's ``a = x``, ``a: T = x`` and ``a, b = x, y``."""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            yield statement.target.id, statement.value
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            yield from _pairs(target, statement.value)  # type: ignore[attr-defined]  # only an Assign has targets


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for inner, part in zip(target.elts, value.elts, strict=False):
            yield from _pairs(inner, part)
