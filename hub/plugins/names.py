"""Which plugins a file holds, by reading its source: listing must not run it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

_KINDS = {"Source": "source", "Segment": "segment", "Destination": "destination"}
_HOOKS = {f"hub_{kind}s": kind for kind in _KINDS.values()}


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


def offers_stand_ins(source: str) -> bool:
    """Tell whether a module's text has the hook for stand-ins."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == "hub_stand_ins" for node in tree.body)


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
