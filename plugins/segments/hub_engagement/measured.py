"""What the mailing tools measure: who marks the opens of machines, and who tells what was sent.

Since 2021 mail programs fetch pictures by themselves, so that an open need not be a person's. An open counts where
it is marked as a person's, or where it is unmarked and its source marks machines. A source that marks none cannot
tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from hub import api

LONGEST = timedelta(days=3650)

_MEASURED = """
select source, sum(opens)::bigint as opens, sum(marked_opens)::bigint as marked, sum(sent)::bigint as sent
from mail_totals
group by source order by source
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """The sources of mail engagement: which mark the opens of machines, which cannot, are sendings known."""

    telling: tuple[str, ...]
    blind: tuple[str, ...]
    sends_known: bool

    @classmethod
    def by(cls, catalog: api.Reader) -> Measured:
        rows = catalog.table(_MEASURED).to_pylist()
        opening = [row for row in rows if row["opens"]]
        return cls(
            tuple(row["source"] for row in opening if row["marked"]),
            tuple(row["source"] for row in opening if not row["marked"]),
            any(row["sent"] for row in rows),
        )

    def note(self, instead: str) -> tuple[str, ...]:
        """Say which sources cannot tell a machine's open from a person's, and what follows."""
        if not self.blind:
            return ()
        verb = "does" if len(self.blind) == 1 else "do"
        return (f"{_listed(self.blind)} {verb} not say which opens are a machine's: {instead}",)


ConfigT = TypeVar("ConfigT", bound=api.Config)


class OnMails(api.Segment[ConfigT]):
    """A strategy about mails: it knows which opens are a person's, and says where nobody can know.

    ``instead`` says what it does about opens that nobody can judge.
    """

    starter = False
    instead = "they are not counted"
    needs: tuple[api.Need, ...] = (api.Need.ENGAGEMENT,)

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:  # noqa: ARG002 - the totals are of the run
        """Find out what the sources can tell."""
        measured = Measured.by(catalog)
        parameters = {
            "telling": list(measured.telling),
            "blind": bool(measured.blind),
            "sends_known": measured.sends_known,
        }
        return api.Prepared(parameters, notes=measured.note(self.instead))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
