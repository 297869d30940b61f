"""Attributes: what a destination is told about a member besides the address."""

from __future__ import annotations

from dataclasses import dataclass

from hub.catalog import FACT_COLUMNS
from hub.config.models import SyncSettings
from hub.consent.cleared import Cleared
from hub.errors import ConfigError
from hub.segments import SegmentResult

PEOPLE_COLUMNS = frozenset(
    [
        "first_name",
        "last_name",
        "country",
        "region",
        "city",
        "postcode",
        "locale",
        "birth_date",
        "gender",
        "tags",
        "created_at",
        "customer_id",
    ]
)


@dataclass(frozen=True, slots=True)
class Attributes:
    """Theirs = ours, each found in the segment's evidence, else the facts, else the person's profile."""

    columns: tuple[tuple[str, str, str], ...]

    @classmethod
    def of(cls, settings: SyncSettings, result: SegmentResult) -> Attributes:
        """Find the attributes that a sync sends: those it names, else the segment's evidence and the given name.

        Raises:
            ConfigError: a column that nothing has, with the ones there are.
        """
        named = settings.attributes or {name: name for name in (*result.evidence, "first_name")}
        return cls(tuple((theirs, _alias(ours, result, theirs), ours) for theirs, ours in named.items()))

    @property
    def reads_facts(self) -> bool:
        """Tell whether a column comes from the facts."""
        return any(alias == "f" for _, alias, _ in self.columns)


def attach(cleared: Cleared, attributes: Attributes, segment_table: str) -> Cleared:
    """Attach attributes (columns ``a_…``) and the hash of all that is sent about a member.

    The hash covers identifiers and attributes; the data hash, which decides whether a refused member is worth
    another try, is the same.
    """
    columns = [f'{alias}."{ours}" as "a_{theirs}"' for theirs, alias, ours in attributes.columns]
    fields = ["'email': c.email", "'phone': c.phone"]
    fields += [f"""'{theirs.replace("'", "''")}': {alias}."{ours}\"""" for theirs, alias, ours in attributes.columns]
    digest = f"md5(cast({{{', '.join(fields)}}} as varchar))"
    columns += [f"{digest} as attributes_hash", f"{digest} as data_hash"]
    joins = f"left join {segment_table} as s using (person_id) left join people as p using (person_id)"
    if attributes.reads_facts:
        joins += " left join facts as f using (person_id)"
    return cleared.attach(", ".join(columns), joins)


def _alias(ours: str, result: SegmentResult, theirs: str) -> str:
    if ours in result.evidence:
        return "s"
    if ours in PEOPLE_COLUMNS:
        return "p"
    if ours in FACT_COLUMNS:
        return "f"
    known = sorted({*result.evidence, *FACT_COLUMNS, *PEOPLE_COLUMNS})
    raise ConfigError(f"attribute {theirs!r}: nothing has a column {ours!r}; there are {', '.join(known)}")
