"""Extensions: modules with hooks of their own, active for every client.

hub calls them through this class alone. A module is imported only when it has the hook that is wanted, or when its
text cannot tell; what one of them breaks is reported by its name and origin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from hub.errors import PluginError
from hub.plugins.entries import Broken, Entry
from hub.plugins.modules import Modules, isolated
from hub.plugins.names import EXTENDING, STAND_INS, read_hooks
from hub.plugins.texts import text_of

if TYPE_CHECKING:
    from types import ModuleType

    from hub.api import Run, Section, StandIn, Withholding


class Extensions:
    """The extensions among some modules; ``broken`` holds those that could not be used so far."""

    def __init__(self, modules: Iterable[Entry], loader: Modules) -> None:
        once = {entry.module: entry for entry in sorted(modules, key=lambda entry: entry.name)}
        self._modules = tuple(once.values())
        self._loader = loader
        self._hooks: dict[str, frozenset[str]] = {}
        self._broken: dict[tuple[str, str], Broken] = {}

    def entries(self) -> list[Entry]:
        """List those with more than stand-ins, by name; imports none."""
        return [entry for entry in self._modules if self.hooks(entry) & EXTENDING]

    def hooks(self, entry: Entry) -> frozenset[str]:
        """Return the hooks that a module has, by its text."""
        if entry.module not in self._hooks:
            self._hooks[entry.module] = read_hooks(text_of(entry))
        return self._hooks[entry.module]

    def offering(self, hook: str) -> list[Entry]:
        """List those with a hook; imports none."""
        return [entry for entry in self._modules if hook in self.hooks(entry)]

    @property
    def broken(self) -> list[Broken]:
        """Return what could not be used so far, and why."""
        return list(self._broken.values())

    def load(self, entry: Entry) -> ModuleType:
        """Import one. Raises PluginError where it cannot be loaded."""
        return self._loader.load(entry)

    def before_run(self, run: Run) -> list[PluginError]:
        """Tell everyone that a run begins; return what failed."""
        return [*self._tell("hub_before_run", run=run)]

    def after_run(self, run: Run, numbers: Mapping[str, Any]) -> list[PluginError]:
        """Tell everyone how a run ended, each with a copy of the numbers; return what failed."""
        return [*self._tell("hub_after_run", run=run, numbers=numbers)]

    def sections(self, run: Run, numbers: Mapping[str, Any]) -> tuple[list[Section], list[PluginError]]:
        """Return the sections for a run's report, and what failed."""
        from hub.plugins.contract import section_problem

        sections: list[Section] = []
        failed: list[PluginError] = []
        for entry in self.offering("hub_report_sections"):
            try:
                offered = self._loader.offered(entry, "hub_report_sections", run=run, numbers=deepcopy(numbers))
            except PluginError as error:
                failed.append(error)
                continue
            for each in offered:
                problem = section_problem(each)
                if problem is None:
                    sections.append(each)
                else:
                    failed.append(PluginError(f"{entry} offers a section that cannot be shown: {problem}"))
        return sections, failed

    def withholdings(self) -> list[tuple[Entry, type[Withholding]]]:
        """Return the checks that may only withhold, each with where it comes from.

        Raises:
            PluginError: one cannot be loaded, breaks the contract, or has the code of another.
        """
        from hub.plugins.contract import withholding_problems

        found: dict[str, tuple[Entry, type[Withholding]]] = {}
        for entry in self.offering("hub_withholdings"):
            for offered in self._loader.offered(entry, "hub_withholdings"):
                problems = withholding_problems(offered)
                if problems:
                    raise PluginError(f"{entry} breaks the contract: {'; '.join(problems)}", next_step=_CORRECT)
                other, _ = found.setdefault(offered.code, (entry, offered))
                if found[offered.code][1] is not offered:
                    raise PluginError(f"the code {offered.code} is offered twice: by {other} and by {entry}")
        return list(found.values())

    def commands(self, taken: Collection[str]) -> dict[str, tuple[Entry, Any]]:
        """Return the commands by name, as typer runs them, but for those that hub has itself or that two offer.

        Those, and what cannot be loaded or made, are recorded in ``broken``. ``taken`` are hub's own names.
        """
        found: dict[str, tuple[Entry, Any]] = {}
        twice: set[str] = set()
        for entry, app in self._offered("hub_commands"):
            try:
                command = _command(entry, app)
            except PluginError as error:
                self._note(entry, str(error))
                continue
            if command.name in taken:
                self._note(entry, f"its command {command.name!r} is one of hub's own")
            elif command.name in found:
                twice.add(command.name)
                self._note(entry, f"its command {command.name!r} is also offered by {found[command.name][0]}")
            else:
                found[command.name] = entry, command
        return {name: each for name, each in found.items() if name not in twice}

    def stand_ins(self) -> list[type[StandIn]]:
        """Return the stand-ins; what cannot be loaded is recorded in ``broken``."""
        from hub.api import StandIn

        found: dict[type[StandIn], None] = {}
        for entry, offered in self._offered(STAND_INS):
            if isinstance(offered, type) and issubclass(offered, StandIn):
                found[offered] = None
            else:
                self._note(entry, f"{STAND_INS} offers {offered!r}, not a subclass of api.StandIn")
        return list(found)

    def _offered(self, hook: str) -> Iterator[tuple[Entry, Any]]:
        for entry in self.offering(hook):
            try:
                offered = self._loader.offered(entry, hook)
            except PluginError as error:
                self._note(entry, str(error))
                continue
            yield from ((entry, each) for each in offered)

    def _tell(self, hook: str, **told: Any) -> Iterator[PluginError]:
        for entry in self.offering(hook):
            try:
                self._loader.tell(entry, hook, **deepcopy(told))
            except PluginError as error:
                yield error

    def _note(self, entry: Entry, reason: str) -> None:
        self._broken.setdefault((entry.origin, reason), Broken(entry.origin, reason))


def _command(entry: Entry, app: Any) -> Any:
    """Return what typer runs for an app. Raises PluginError where it is none, or typer cannot make one of it."""
    import typer

    from hub.plugins.contract import command_problem

    problem = command_problem(app)
    if problem is not None:
        raise PluginError(f"{entry}: {problem}", next_step=_CORRECT)
    with isolated(entry, f"offers a command {app.info.name!r} that cannot be made"):
        command: Any = typer.main.get_command(app)
    command.name, command.rich_help_panel = app.info.name, "Extensions"
    if command.help is None and isinstance(app.info.help, str):
        command.help = app.info.help
    command.params = [each for each in command.params if each.name not in _OF_HUB_ALONE]
    return command


_OF_HUB_ALONE = {"install_completion", "show_completion"}
_CORRECT = "Correct the plugin; the reference of hub.api says what it must declare."
