"""What extensions are told of a run, and what they add to its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from hub.api import Run
from hub.plugins import Extensions
from hub.sync.numbers import RunNumbers, Status, Trouble


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks around one run."""

    extensions: Extensions
    run: Run

    def begin(self, numbers: RunNumbers) -> str | None:
        """Tell extensions that the run begins; return why nobody may be added, where one of them failed."""
        failed = self.extensions.before_run(self.run)
        if not failed:
            return None
        text = "; ".join(map(str, failed))
        numbers.status, numbers.trouble = Status.REFUSED, Trouble(text, failed[0].next_step)
        return text

    def end(self, numbers: RunNumbers) -> None:
        """Ask extensions for their sections, then tell them how the run ended; what fails is a note, no more."""
        sections, failed = self.extensions.sections(self.run, numbers.as_json())
        numbers.sections += sections
        numbers.notes += map(str, failed)
        numbers.notes += map(str, self.extensions.after_run(self.run, numbers.as_json()))
