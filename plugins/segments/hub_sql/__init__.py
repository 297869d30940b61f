"""Find people by a select of the user's own, written in the client's file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from pydantic import field_validator

from hub import api

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_TAKEN = {"as_of", "person_id"}

Value = bool | int | float | datetime | date | str
Values = Value | list[Value]


class SqlConfig(api.Config):
    """Settings of sql."""

    query: str = api.Field(
        min_length=1,
        description="one select with a row per person and the column person_id; it reads the canonical tables, people "
        "and facts as they were at $as_of",
        examples=["select person_id, spend from facts where orders >= $least and country = $country"],
    )
    parameters: dict[str, Values] = api.Field(
        default_factory=dict,
        description="values that the query names with a dollar sign; the text of a value never becomes SQL",
        examples=[{"least": 3, "country": "DK"}],
    )
    evidence: tuple[str, ...] = api.Field(
        default=(), description="columns of the query that say why; syncs may send them", examples=[("spend",)]
    )
    needs: tuple[api.Need, ...] = api.Field(
        default=(), description="tables without which the answer would be wrong; nobody is in while one is missing"
    )
    explain: str | None = api.Field(
        default=None,
        min_length=1,
        description="a select for one person ($person_id), a row per condition: condition (a sentence), passed",
    )

    @field_validator("parameters")
    @classmethod
    def _can_be_bound(cls, value: dict[str, Values]) -> dict[str, Values]:
        for name in value:
            if not _NAME.fullmatch(name) or name in _TAKEN or name.startswith("hub_"):
                raise ValueError(f"{name!r} cannot be a parameter's name; use other lower-case letters, digits and _")
        return {name: _in_utc(each) for name, each in value.items()}

    @field_validator("evidence")
    @classmethod
    def _is_not_the_person(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "person_id" in value:
            raise ValueError("person_id is no evidence: it means nothing outside the catalog")
        return value


class Sql(api.Segment[SqlConfig]):
    """People found by a select of your own, without a plugin to write.

    Who: whoever the query gives, a row each, in the column person_id. It is one select over the tables of
    docs/reference/tables.md, ``people`` and ``facts``, and sees them as of $as_of. Parameters are named with a
    dollar sign and bound, never pasted. It passes the same check as every strategy: no other tables, no files, no
    clock, no chance, so that the same data gives the same answer. Columns named in evidence can be sent by syncs
    and shown in previews; explain may say for one person what decided. Think of what is not known: a comparison
    with a missing value is never true, so those people are out, but ``not`` and ``<>`` may surprise.

    Use it for: the one question that no strategy asks; when it has proved itself, make a plugin of it. Message that
    suits: the one you wrote the query for.
    """

    name = "sql"
    version = 1
    starter = False
    Config = SqlConfig
    sql = "select person_id from people"

    def __init__(self, config: SqlConfig) -> None:
        super().__init__(config)
        self.sql = config.query
        self.explain_sql = config.explain
        self.evidence = config.evidence
        self.needs = config.needs

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:  # noqa: ARG002  # asks for neither
        """Bind the parameters."""
        return api.Prepared(dict(self.config.parameters))


def _in_utc(value: Any) -> Any:
    """Write times as the catalog has them: UTC without a zone; one without a zone is UTC already."""
    if isinstance(value, list):
        return [_in_utc(each) for each in value]
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategy."""
    return [Sql]
