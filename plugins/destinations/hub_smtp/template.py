"""Render a mail's template: Jinja2 in its sandbox, and a footer where the template forgot what the law wants."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    UndefinedError,
    meta,
    nodes,
)
from jinja2.exceptions import SecurityError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import escape

from hub import api
from hub_smtp.message import RowError

FILES = ("subject.txt", "body.txt", "body.html")
GIVEN = frozenset({"email", "unsubscribe", "postal_address", "shop"})
_STARTER = Path(__file__).parent / "templates" / "reminder"
_SAMPLES: dict[str, Any] = {
    "cart_value": Decimal("129.90"),
    "cart_items": 2,
    "cart_url": "https://shop.example/cart/sample",
    "cart_at": datetime(2026, 1, 1, 12, tzinfo=UTC),
    "spend": Decimal("480.00"),
    "avg_order": Decimal("96.00"),
    "orders": 5,
    "first_order_at": datetime(2025, 1, 1, tzinfo=UTC),
    "last_order_at": datetime(2026, 1, 1, tzinfo=UTC),
    "birth_date": date(1990, 5, 1),
    "currency": "EUR",
}
_NAME = re.compile(r"'(\w+)' is undefined")
_TOO_DEEP = "it goes too deep; does a file of it include or extend itself?"


class MissingError(RowError):
    """The template uses a name, or a part of a value, that was not given."""

    def __init__(self, name: str | None) -> None:
        super().__init__(f"the template uses {name or 'a part of a value'}, which this person has not")
        self.name = name


@dataclass(frozen=True, slots=True)
class Rendered:
    """The three parts of a mail, footer included."""

    subject: str
    text: str
    html: str


class MailTemplate:
    """The template of one connection, compiled once."""

    def __init__(self, folder: Path, shown: str) -> None:
        self._shown = shown
        self._loader = FileSystemLoader(folder, encoding="utf-8")
        self._environment = ImmutableSandboxedEnvironment(
            loader=self._loader,
            autoescape=lambda name: bool(name) and str(name).endswith(".html"),
            undefined=StrictUndefined,
            finalize=lambda value: "" if value is None else value,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._parts = [self._compile(name) for name in FILES]

    def names(self) -> frozenset[str]:
        """Return the attributes that the template mentions, those it can do without included."""
        found = (meta.find_undeclared_variables(self._environment.parse(self._source(name))) for name in FILES)
        return frozenset().union(*found) - GIVEN

    def needs(self) -> frozenset[str]:
        """Return the attributes that the template uses on some way through it and does not make optional.

        A name that a file sets itself somewhere, or asks for with ``default`` or ``is defined``, is left out.

        Raises:
            ConfigError: a file that it includes or extends is broken.
        """
        return frozenset().union(*map(self._needs, FILES)) - GIVEN

    def _needs(self, name: str) -> frozenset[str]:
        family = self._family(name)
        used = frozenset().union(*map(meta.find_undeclared_variables, family))
        return used - frozenset().union(*map(_optional, family), *map(_set_here, family)) - {"loop"}

    def _family(self, name: str) -> list[nodes.Template]:
        """Return the syntax tree of a file and of the files it names to include, extend or import."""
        trees: dict[str, nodes.Template] = {}
        waiting = [name]
        while waiting:
            name = waiting.pop()
            try:
                with self._telling(name):
                    trees[name] = self._environment.parse(self._source(name))
            except TemplateNotFound:
                continue  # rendering tells, unless the template can do without it
            found = meta.find_referenced_templates(trees[name])
            waiting += [each for each in found if each is not None and each not in trees]
        return list(trees.values())

    def _source(self, name: str) -> str:
        return self._loader.get_source(self._environment, name)[0]

    def samples(self, names: frozenset[str]) -> dict[str, Any]:
        """Return plausible values of attributes, to try the template with."""
        return {name: _SAMPLES.get(name, "sample") for name in names}

    def render(self, attributes: Mapping[str, Any], given: Mapping[str, str]) -> Rendered:
        """Render the parts for one person; ``given`` are the names of ``GIVEN`` and win over attributes.

        Raises:
            RowError: this person's values do not fit the template.
            ConfigError: the template does what the sandbox forbids, or never ends.
        """
        values = {**attributes, **given}
        try:
            subject, text, page = (part.render(values) for part in self._parts)
        except (SecurityError, TemplateNotFound, TemplateSyntaxError) as error:
            raise self._broken(str(error)) from None
        except RecursionError:
            raise self._broken(_TOO_DEEP) from None
        except UndefinedError as error:
            found = _NAME.fullmatch(error.message or "")
            raise MissingError(found[1] if found else None) from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, AttributeError, LookupError) as error:
            raise RowError(f"the template failed on this person's values: {type(error).__name__}") from None
        subject = subject.strip()
        if not subject:
            raise RowError("the subject is empty")
        return Rendered(subject, _with_footer(text, given), _with_html_footer(page, given))

    def _compile(self, name: str) -> Template:
        try:
            with self._telling(name):
                return self._environment.get_template(name)
        except TemplateNotFound:
            raise api.ConfigError(
                f"the template {self._shown} has no {name}",
                next_step=f"Make a folder {self._shown} with {', '.join(FILES)}; a starter is in {_STARTER}.",
            ) from None

    @contextmanager
    def _telling(self, name: str) -> Iterator[None]:
        """Turn what can be wrong with a file's text into an error that names the file."""
        try:
            yield
        except TemplateSyntaxError as error:
            raise self._broken(f"{name}, line {error.lineno}: {error.message}") from None
        except UnicodeDecodeError:
            raise self._broken(f"{name} is not UTF-8") from None
        except RecursionError:
            raise self._broken(_TOO_DEEP) from None

    def _broken(self, what: str) -> api.ConfigError:
        return api.ConfigError(
            f"the template {self._shown} is broken: {what}", next_step="Correct it, then run `hub check`."
        )


def _optional(tree: nodes.Template) -> set[str]:
    """Return the names that a file asks for in a way that takes their absence."""
    asked = [each.node for each in tree.find_all(nodes.Filter) if each.name in {"default", "d"}]
    asked += [each.node for each in tree.find_all(nodes.Test) if each.name in {"defined", "undefined"}]
    return {each.name for each in asked if isinstance(each, nodes.Name)}


def _set_here(tree: nodes.Template) -> set[str]:
    names = {each.name for each in tree.find_all(nodes.Name) if each.ctx != "load"}
    names |= {each.name for each in tree.find_all(nodes.Macro)} | {each.target for each in tree.find_all(nodes.Import)}
    brought = (name for each in tree.find_all(nodes.FromImport) for name in each.names)
    return names | {name if isinstance(name, str) else name[1] for name in brought}


def open_template(shop: api.Shop, setting: str) -> MailTemplate:
    """Open the template a setting names: in the client's folder first, else in the workspace.

    Raises:
        ConfigError: it is missing, incomplete or broken.
    """
    clients_own = shop.workspace / "clients" / shop.client / setting
    folder = clients_own if clients_own.is_dir() else shop.workspace / setting
    return MailTemplate(folder, setting)


def _with_footer(text: str, given: Mapping[str, str]) -> str:
    missing = []
    if given["unsubscribe"] not in text:
        missing.append(f"Unsubscribe: {given['unsubscribe']}")
    if _letters(given["postal_address"]) not in _letters(text):
        missing.append(given["postal_address"])
    return "\n".join([text.rstrip("\n"), "", "-- ", *missing, ""]) if missing else text


def _with_html_footer(page: str, given: Mapping[str, str]) -> str:
    visible = re.sub(r"<!--.*?-->", "", page, flags=re.DOTALL)
    missing = []
    if given["unsubscribe"] not in html.unescape(visible):
        missing.append(f'<a href="{escape(given["unsubscribe"])}" style="color:#667085">Unsubscribe</a>')
    if _letters(given["postal_address"]) not in _letters(html.unescape(re.sub(r"<[^>]*>", "", visible))):
        missing.append("<br>".join(str(escape(line)) for line in given["postal_address"].splitlines()))
    if not missing:
        return page
    style = "margin:24px;font:13px/1.5 sans-serif;color:#667085;text-align:center"
    footer = f'<p style="{style}">{"<br>".join(missing)}</p>\n'
    end = page.lower().rfind("</body>")
    return page + footer if end < 0 else page[:end] + footer + page[end:]


def _letters(text: str) -> str:
    """Reduce a text to letters and digits, so that a line break or comma more makes no difference."""
    return re.sub(r"[\W_]+", "", text).lower()
