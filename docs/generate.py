"""Write the generated parts of docs/reference; `make docs` runs this through cog, `make lint` checks it."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hub import api
from hub.plugins import KINDS, Plugins

OWN = "audience-hub"


def table(head: Sequence[str], rows: Iterator[Sequence[Any]] | Sequence[Sequence[Any]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _code(text: Any) -> str:
    return f"`{text}`" if str(text) else ""


# commands


def commands() -> str:
    """Return every command with its arguments and options."""
    import typer

    from hub.cli.app import app

    return "\n".join(_commands("hub", typer.main.get_command(app)))


def _commands(name: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if name != "hub" and not inner:
        arguments = [each for each in command.params if not each.opts[0].startswith("-")]
        words = [name, "[OPTIONS]", *(_argument(each) for each in arguments)]
        level = "#" * name.count(" ") + "#"
        yield f"{level} `{name}`\n\n{command.help}\n\n```text\n{' '.join(words)}\n```\n"
        rows = [(_code(_argument(each)), each.help or "", "") for each in arguments]
        rows += [_option(each) for each in command.params if each not in arguments and "--help" not in each.opts]
        if rows:
            yield table(("argument or option", "meaning", "default"), rows)
    elif name != "hub":
        yield f"## `{name}`\n\n{command.help}\n"
    for sub in inner.values():
        yield from _commands(f"{name} {sub.name}", sub)


def _argument(param: Any) -> str:
    return param.metavar or param.name.upper()


def _option(param: Any) -> tuple[str, str, str]:
    names = ", ".join(param.opts)
    value = "" if param.is_flag else f" {param.metavar or _value_name(param)}"
    default = "" if param.default in (None, False) or param.required else str(param.default)
    again = " May be given again." if getattr(param, "multiple", False) and "again" not in (param.help or "") else ""
    return _code(names + value), f"{param.help or ''}{again}", _code(default)


def _value_name(param: Any) -> str:
    choices = getattr(getattr(param, "type", None), "choices", None)
    return "|".join(str(getattr(choice, "value", choice)) for choice in choices) if choices else "VALUE"


# settings


def workspace_settings() -> str:
    """Return the keys of hub.toml."""
    from hub.config.models import WorkspaceModel

    return _settings(WorkspaceModel)


def client_settings() -> str:
    """Return the keys of a client's file, table by table."""
    from hub.config import models

    parts = [
        ("top of the file", models.ClientModel, {"consent", "guards", "currencies"}),
        ("`[consent]`", models.ConsentSettings, {"from", "sources"}),
        ("`[[consent.from]]`", models.ConsentFrom, set()),
        ("`[guards]`", models.Guards, set()),
        ("`[sources.NAME]`", models.SourceTable, set()),
        ("`[segments.NAME]`", models.SegmentTable, set()),
        ("`[destinations.NAME]`", models.DestinationTable, set()),
        ("`[syncs.NAME]`", models.SyncSettings, set()),
    ]
    return "\n".join(f"### {title}\n\n{_settings(model, leave_out=left)}" for title, model, left in parts)


def plugin_settings(kind: str) -> str:
    """Return the settings of hub's own plugins of a kind."""
    parts = []
    for name, plugin in _own(kind):
        summary = inspect.getdoc(plugin) or ""
        parts.append(f"### `{name}`\n\n{summary.splitlines()[0]}\n\n{_settings(plugin.Config)}")
    return "\n".join(parts)


def _own(kind: str) -> Iterator[tuple[str, type[Any]]]:
    plugins = Plugins()
    for entry in plugins.entries(kind):
        if entry.distribution == OWN:
            yield entry.name, plugins.load(kind, entry.name)


def _settings(model: Any, leave_out: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    from hub.cli.plugin_info import describe_settings

    rows = []
    for setting in describe_settings(model):
        if setting["name"].split("[")[0].split(".")[0] in leave_out:
            continue
        default = "required" if setting["required"] else _default(setting["default"])
        rows.append((_code(setting["name"]), setting["type"], default, setting["description"]))
    return table(("key", "type", "default", "meaning"), rows) if rows else "It has no settings of its own.\n"


def _default(value: Any) -> str:
    if value in (None, [], {}, ()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return _code(", ".join(map(str, value)) if isinstance(value, list) else value)


# segments


_FIRST = ("high-spenders", "cart-abandoners", "coupon-lovers", "low-spenders", "one-time", "inactive")
_GROUPS = {
    "hub_purchases": "Purchases",
    "hub_carts": "Carts and browsing",
    "hub_lifecycle": "Lifecycle",
    "hub_rfm": "RFM",
    "hub_predicted": "Predicted",
    "hub_engagement": "Engagement",
    "hub_people": "People",
    "hub_sql": "Your own select",
}


def strategies() -> str:
    """Return hub's own strategies, a row each: the six that every guide to cart reminders names come first."""
    own = dict(_own("segment"))
    parts = [("The six to begin with", [own.pop(name) for name in _FIRST])]
    for package, title in _GROUPS.items():
        parts.append((title, [each for each in own.values() if each.__module__.partition(".")[0] == package]))
    told = [each for _, group in parts for each in group]
    if len(told) != len(own) + len(_FIRST):
        raise RuntimeError("a strategy's package has no title in docs/generate.py")
    head = ("strategy", "who is in", "settings", "evidence", "use it for", "message that suits")
    return "\n".join(
        f"### {title}\n\n{table(head, [_strategy(each) for each in group])}\n{_pictures(group)}"
        for title, group in parts
        if group
    )


def _pictures(group: Sequence[type[api.Segment[Any]]]) -> str:
    """Return the strategies' pictures, one below the other."""
    return "\n".join(f"![{each.name}: an example](pictures/{each.name}.svg)\n" for each in group)


def _strategy(plugin: type[api.Segment[Any]]) -> tuple[str, ...]:
    from hub.cli.plugin_info import paragraphs

    summary, *rest = paragraphs(plugin)
    who = " ".join(text.removeprefix("Who: ") for text in rest if not text.startswith("Use it for: "))
    use = next(text for text in rest if text.startswith("Use it for: ")).removeprefix("Use it for: ")
    purpose, _, message = use.partition(" Message that suits: ")
    settings = [_short(setting) for setting in _described(plugin)]
    evidence = ", ".join(plugin.evidence) or "what its select gives"
    told = f"**{summary}** {_sentence(who)}"
    return f"`{plugin.name}`", told, ", ".join(settings) or "none", evidence, purpose, message


def _described(plugin: type[api.Segment[Any]]) -> list[dict[str, Any]]:
    from hub.cli.plugin_info import describe_settings

    return list(describe_settings(plugin.Config))


def _short(setting: dict[str, Any]) -> str:
    default = setting["default"]
    told = ", ".join(map(str, default)) if isinstance(default, list) else default
    told = str(told).lower() if isinstance(told, bool) else told
    return f"`{setting['name']}`{' required' if setting['required'] else '' if told in (None, '') else f' {told}'}"


# tables


def tables() -> str:
    """Return the canonical tables with their columns."""
    return "\n".join(_table(each) for each in api.TABLES.values())


def _table(each: api.Table) -> str:
    notes = [f"Key: {', '.join(_code(name) for name in each.key)}."]
    if each.parent:
        notes.append(f"Rows belong to a row of `{each.parent}`.")
    if each.time:
        notes.append(f"An earlier `as_of` does not see rows whose `{each.time}` is later.")
    rows = [
        (_code(column.name), column.kind, "yes" if column.required else "", _meaning(column)) for column in each.columns
    ]
    head = f"### {each.name}\n\n{each.description} {' '.join(notes)}\n\n"
    return head + table(("column", "kind", "required", "meaning"), rows)


def _meaning(column: api.Column) -> str:
    choices = f": {', '.join(column.choices)}" if column.choices else ""
    return f"{column.description}{choices}"


def facts() -> str:
    """Return the columns of `facts` with their types, from a real catalog."""
    from hub.testing import SampleShop

    with tempfile.TemporaryDirectory() as folder, SampleShop(Path(folder)).session() as session:
        session.prepare_facts(None)
        described = session.con.execute("select column_name, column_type from (describe facts) order by 1").fetchall()
    return table(("column", "type"), [(_code(name), kind.lower()) for name, kind in described])


# plugins


def hooks() -> str:
    """Return the hooks with their examples."""
    from hub.api import hooks as module

    parts = []
    for name, hook in vars(module).items():
        if name.startswith("hub_") and inspect.isfunction(hook):
            purpose, _, example = (inspect.getdoc(hook) or "").partition("::\n")
            example = inspect.cleandoc(example)
            parts.append(f"### `{name}`\n\n{purpose.strip()}\n\n```text\n{example}\n```\n")
    return "\n".join(parts)


def public_api() -> str:
    """Return every public name with its signature and what it is for."""
    return "\n".join(_public(name, getattr(api, name)) for name in api.__all__)


def _public(name: str, value: Any) -> str:
    if name in _OTHERS:
        return f"### `api.{name}`\n\n{_OTHERS[name]}\n"
    if not inspect.isclass(value):
        if inspect.isfunction(value):
            return f"### `api.{name}{_signature(value)}`\n\n{_doc(value)}\n"
        raise RuntimeError(f"api.{name} needs a sentence in docs/generate.py")
    head = f"### `api.{name}`\n\n{_doc(value)}\n"
    if issubclass(value, enum.Enum):
        return head + f"\nValues: {', '.join(_code(each.value) for each in value)}.\n"
    rows = [*_fields(value), *_methods(value)]
    return head + ("\n" + table(("member", "meaning"), rows) if rows else "")


_OTHERS = {
    "BOUGHT_IN_WINDOW": "A part for bases over what people bought in a setting `window`, a row per buyer: `orders`, "
    "`spend`, `discounted_orders`, `discounted_share`, `discount_share_of_value`, `last_order_at`. It is computed once "
    "for all segments with the same window.",
    "Connect": "What `client` is handed: `connect(base_url=…, headers={…})` returns the `Http`.",
    "Duration": "The type of a setting that is a length of time, written `30m`, `1h`, `7d` or `2w`.",
    "FACTS": "The default base of a strategy: every person's facts.",
    "Field": "pydantic's `Field`; give every setting a `description`.",
    "Secret": "pydantic's `SecretStr`: the type of a setting that never stands in a file.",
    "TABLES": "The canonical tables by name.",
    "hookimpl": "Mark a function of a plugin's module as one of hub's hooks.",
}


def _fields(value: type[Any]) -> Iterator[tuple[str, str]]:
    if not dataclasses.is_dataclass(value):
        return
    for field in dataclasses.fields(value):
        default = "" if field.default is dataclasses.MISSING else f" = {_plain(field.default)}"
        yield _code(f"{field.name}: {field.type}{default}"), ""


def _plain(value: Any) -> str:
    return str(value) if isinstance(value, enum.Enum) else repr(value)


def _methods(value: type[Any]) -> Iterator[tuple[str, str]]:
    if issubclass(value, Exception) or value.__module__.startswith("pydantic"):
        return
    for name, member in vars(value).items():
        if name.startswith("_"):
            continue
        unwrapped: Callable[..., Any] | None = None
        if isinstance(member, property):
            yield _code(name), _doc(member.fget)
            continue
        unwrapped = getattr(member, "__func__", member)
        if inspect.isfunction(unwrapped):
            yield _code(f"{name}{_signature(unwrapped)}"), _doc(unwrapped)


def _signature(function: Callable[..., Any]) -> str:
    """Return a signature as it is written; annotations are texts, so that no version of Python changes them."""
    text = str(inspect.signature(function)).replace("'", "")
    return re.sub(r"\((self|cls)(, )?", "(", text)


def _doc(value: Any) -> str:
    text = inspect.getdoc(value) or ""
    return "\n".join(line for line in text.split("\n\nAttributes:")[0].split("\n\nRaises:")[0].splitlines()).strip()


def errors() -> str:
    """Return the tree of errors."""
    from hub import errors as module

    tree = inspect.cleandoc((module.__doc__ or "").partition("::\n")[2])
    return f"```text\n{tree}\n```\n"


# guards, codes


_GUARDS = {
    "source": (
        "A table of a snapshot lost more than `max_shrink` in one pull, so the old content stands; a source that the "
        "sync reads failed in its last pull or was never read completely; or an extension failed before the run.",
        "Export it again, or correct what the text names, and pull: `--no-pull`, `hub retry` and `hub apply` are held "
        "as well. If a table did shrink: `hub approve CLIENT SOURCE`.",
    ),
    "segment": (
        "The segment refuses to answer: it is smaller than its `min_size`, or its strategy has too little data.",
        "The text says which. Change the segment's settings, or wait for more data.",
    ),
    "first-delivery": (
        "The sync has never delivered anything.",
        "Look at `hub plan CLIENT`, then `hub approve CLIENT SYNC`.",
    ),
    "changed-definition": (
        "Settings of a segment, a strategy's version, or the sync's attributes, mode, holdout or purpose (its own, or "
        "its destination's) changed since the last delivery.",
        "Look at `hub plan CLIENT`, then `hub approve CLIENT SYNC`.",
    ),
    "removals": (
        "More than `max_removals` of an audience of {small} people or more would leave, not counting who has to.",
        "Is a source truncated, or a segment's setting wrong? If it is right: `hub approve CLIENT SYNC`.",
    ),
    "emptying": (
        "Nobody would be left in the audience.",
        "As for removals.",
    ),
    "older-than-last-run": (
        "`--as-of`, or the machine's clock, is older than the last run that delivered to this audience. For an older "
        "`--as-of` only the sandbox lets it through.",
        "Leave `--as-of` out, or use it with `hub plan`. If the last run was for an instant still to come, because the "
        "clock was wrong: `hub sync CLIENT --only SYNC --force`.",
    ),
    "additions": (
        "More than `max_additions` of the audience, and more than {always} people, would be added.",
        "Is a segment's setting too wide? If it is right: `hub approve CLIENT SYNC`.",
    ),
}


def guards() -> str:
    """Return the guards; one without words here is an error, so that none is forgotten."""
    from hub.plan.guards import ALWAYS_ALLOWED_ADDITIONS, SMALL_AUDIENCE, Guard

    numbers = {"small": f"{SMALL_AUDIENCE:,}", "always": f"{ALWAYS_ALLOWED_ADDITIONS:,}"}
    rows = [(_code(guard.value), *(text.format(**numbers) for text in _GUARDS[guard.value])) for guard in Guard]
    return table(("guard", "it holds when", "what to do"), rows)


def exit_codes() -> str:
    """Return the exit codes, the worst first."""
    from hub.sync.numbers import CONFIGURATION_EXIT_CODE, EXIT_CODES, Status, worst

    rows = [
        (CONFIGURATION_EXIT_CODE, "configuration", "A file, setting or secret is wrong. Nothing was started.",
         "Correct what the message names; `hub check CLIENT` says whether it is right."),
        (EXIT_CODES[Status.FAILED], "failed", "Something outside hub's control: disk full, interrupted, no connection.",
         "Run it again: it goes on where it stopped. `hub runs show CLIENT RUN` tells what happened."),
        (EXIT_CODES[Status.REFUSED], "refused", "A guard stopped what looks like an accident, or a source is unusable.",
         "Look at `hub plan CLIENT`; mend the export or approve."),
        (EXIT_CODES[Status.PARTIAL], "partial", "Some members, or one connection, failed; the rest was delivered.",
         "`hub status` names it; what failed for a passing reason is tried again by itself."),
        (EXIT_CODES[Status.OK], "ok or skipped", "All is well, or another run holds this client.", "Nothing."),
    ]  # fmt: skip
    codes = [row[0] for row in rows]
    if any(worst(codes[place:]) != code for place, code in enumerate(codes)):
        raise RuntimeError("the order of the exit codes changed; change it here")
    return table(("exit code", "state", "what happened", "what to do"), rows)


def withheld_codes() -> str:
    """Return why a member can be withheld."""
    from hub.consent.rules import rulebook
    from hub.report.words import CODES

    rows = [(_code(code.name), code.meaning, code.remedy) for code in rulebook().codes]
    told = {code.name for code in rulebook().codes}
    rows += [(_code(name), _sentence(words), _REMEDIES[name]) for name, words in CODES.items() if name not in told]
    rows.append(("any other", "An extension withholds the person; `hub explain` has its words.", "What it says."))
    return table(("code", "meaning", "what to do"), rows)


_REMEDIES = {
    "STALE_SOURCE": "Export the orders again: they are older than the carts by more than `max_lag`. Additions wait.",
    "HOLDOUT": "Nothing: the share named by `holdout` is never delivered, so that lift can be measured.",
    "COOLDOWN": "Nothing: the person is due again after the sync's `cooldown`.",
    "FREQUENCY_CAP": "Nothing: the person is due again when the cap of the client's mails allows it.",
    "REFUSED": "`hub runs show CLIENT RUN` has the reason. `hub retry CLIENT --refused` tries once more.",
}


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:].removesuffix('.')}."


def plugin_list() -> str:
    """Return hub's own plugins."""
    rows = []
    for kind in KINDS:
        for name, plugin in _own(kind):
            rows.append((kind, _code(name), (inspect.getdoc(plugin) or "").splitlines()[0]))
    return table(("kind", "name", "what it does"), rows)
