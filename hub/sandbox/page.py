"""The sandbox's page: what each stand-in holds, and switches for its faults. Everything shown is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from typing import Any

_ROWS_SHOWN = 200
_LONGEST_CELL = 120
_COLUMNS = 6


def render(stand_ins: Mapping[str, Any]) -> str:
    """Return the whole page."""
    body = "".join(_stand_in(name, about) for name, about in stand_ins.items())
    style = files("hub.sandbox").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>hub sandbox</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><header><h1>hub sandbox</h1>"
        "<p>Local stand-ins of outside systems. Nothing leaves this machine. "
        'Reload to see more, or read <a href="/state">the state as JSON</a>.</p></header>'
        f"<main>{body or _nothing('No installed plugin has a stand-in.')}</main></body></html>"
    )


def _stand_in(name: str, about: Mapping[str, Any]) -> str:
    state = dict(about["state"])
    active = state.pop("faults", {}) or {}
    numbers = {key: value for key, value in state.items() if isinstance(value, int | float)}
    texts = {key: value for key, value in state.items() if isinstance(value, str)}
    collections = {key: value for key, value in state.items() if key not in numbers and key not in texts}
    return (
        f'<section><div class="title"><h2>{escape(name)}</h2><code>{escape(about["address"])}</code></div>'
        f'<dl class="numbers">{"".join(_number(key, value) for key, value in numbers.items())}</dl>'
        f"{_fields(texts) if texts else ''}"
        f"{''.join(_collection(key, value) for key, value in collections.items())}"
        f"{_faults(name, about['can_fail'], active)}</section>"
    )


def _number(key: str, value: float) -> str:
    return f"<div><dt>{_words(key)}</dt><dd>{escape(format(value, ','))}</dd></div>"


def _collection(key: str, value: Any) -> str:
    rows = list(value) if isinstance(value, list | tuple) else None
    if rows is not None and rows and all(isinstance(row, Mapping) for row in rows):
        content = _table(rows)
    elif value:
        content = f"<pre>{escape(json.dumps(value, indent=2, ensure_ascii=False, default=str))}</pre>"
    else:
        content = _nothing("Nothing yet.")
    count = f" <span>{len(value):,}</span>" if hasattr(value, "__len__") else ""
    return f"<h3>{_words(key)}{count}</h3>{content}"


def _table(rows: list[Mapping[str, Any]]) -> str:
    """Show the newest rows first, each a line that opens."""
    columns = [key for key in rows[0] if _is_short(rows, key)][:_COLUMNS]
    head = "".join(f"<span>{_words(column)}</span>" for column in columns)
    shown = list(reversed(rows))[:_ROWS_SHOWN]
    body = "".join(_row(row, columns) for row in shown)
    more = _nothing(f"… and {len(rows) - len(shown):,} older ones.") if len(rows) > len(shown) else ""
    return f'<div class="rows"><div class="head">{head}</div>{body}</div>{more}'


def _row(row: Mapping[str, Any], columns: list[str]) -> str:
    cells = "".join(f"<span>{escape(_short(row.get(column)))}</span>" for column in columns)
    return f"<details><summary>{cells}</summary>{_details(row)}</details>"


def _details(row: Mapping[str, Any]) -> str:
    """Show all of a row; a value named ``html`` also as the page it is, in a frame that can do nothing."""
    html = row.get("html")
    frame = ""
    if isinstance(html, str) and html:
        frame = f'<iframe sandbox="" title="The mail as it looks" loading="lazy" srcdoc="{escape(html)}"></iframe>'
    return f'<div class="sheet">{frame}{_fields(row)}</div>'


def _fields(row: Mapping[str, Any]) -> str:
    parts = []
    for key, value in row.items():
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)
        long = "\n" in text or len(text) > _LONGEST_CELL
        shown = f"<details><summary>{len(text):,} characters</summary><pre>{escape(text)}</pre></details>"
        parts.append(f"<dt>{_words(key)}</dt><dd>{shown if long else escape(text)}</dd>")
    return f'<dl class="fields">{"".join(parts)}</dl>'


def _faults(plugin: str, can_fail: list[Mapping[str, Any]], active: Any) -> str:
    if not can_fail:
        return ""
    now = _active(plugin, active) if active else '<p class="well">Behaves well.</p>'
    forms = "".join(_fault(plugin, fault, on=fault["name"] in active) for fault in can_fail)
    return f'<h3>Faults</h3>{now}<div class="faults">{forms}</div>'


def _active(plugin: str, active: Any) -> str:
    names = ", ".join(f"<b>{escape(str(name))}</b>" for name in active)
    return (
        f'<form class="ill" method="post" action="/faults/heal"><p>Switched on: {names}</p>'
        f'<input type="hidden" name="plugin" value="{escape(plugin)}"><button>Heal all</button></form>'
    )


def _fault(plugin: str, fault: Mapping[str, Any], *, on: bool) -> str:
    fields = "".join(
        f'<label>{_words(name)}<input name="{escape(name)}" placeholder="{escape(meaning)}" title="{escape(meaning)}">'
        "</label>"
        for name, meaning in fault["parameters"].items()
    )
    return (
        f'<form method="post" action="/faults" class="fault{" on" if on else ""}">'
        f"<h4>{escape(fault['name'])}</h4><p>{escape(fault['description'])}</p>"
        f'<input type="hidden" name="plugin" value="{escape(plugin)}">'
        f'<input type="hidden" name="fault" value="{escape(fault["name"])}">{fields}'
        f"<button>{'Switch on again' if on else 'Switch on'}</button></form>"
    )


def _is_short(rows: list[Mapping[str, Any]], key: str) -> bool:
    return all(
        isinstance(value, str | int | float | None) and len(str(value)) <= _LONGEST_CELL and "\n" not in str(value)
        for value in (row.get(key) for row in rows)
    )


def _short(value: Any) -> str:
    return "" if value is None else str(value)


def _nothing(text: str) -> str:
    return f'<p class="nothing">{escape(text)}</p>'


def _words(key: str) -> str:
    return escape(key.replace("_", " ").replace("-", " ").capitalize())
