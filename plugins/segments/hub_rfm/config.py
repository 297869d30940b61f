"""Settings of rfm."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import field_validator, model_validator

from hub import api
from hub_rfm.cells import TABLES, cells

LONGEST = timedelta(days=3650)
Amount = Annotated[Decimal, api.Field(decimal_places=2)]

Group = Literal[
    "champions",
    "loyal",
    "active",
    "new",
    "promising",
    "needs-attention",
    "at-risk",
    "previously-loyal",
    "almost-lost",
    "dormant",
    "recent",
    "inactive",
    "prospects",
]


class RfmConfig(api.Config):
    """Settings of rfm."""

    groups: tuple[Group, ...] | None = api.Field(
        default=None,
        min_length=1,
        description="groups of the table: champions, loyal, active, new, promising, needs-attention, at-risk, "
        "previously-loyal, almost-lost, dormant (shopify); champions, loyal, recent, needs-attention, at-risk, "
        "inactive (klaviyo); prospects (both: no order yet)",
        examples=[("champions", "loyal")],
    )
    cells: tuple[str, ...] | None = api.Field(
        default=None, min_length=1, description="instead of groups: scores of recency, frequency, monetary, such as 555"
    )
    table: Literal["shopify", "klaviyo"] = api.Field(
        default="shopify",
        description="whose names: shopify has scores from 1 to 5 and ten groups, klaviyo 1 to 3 and six",
    )
    window: api.Duration = api.Field(
        default=timedelta(days=365),
        gt=timedelta(0),
        le=LONGEST,
        description="how far back orders and spend count (365d)",
    )
    scoring: Literal["relative", "fixed"] = api.Field(
        default="relative", description="relative: against the shop's other customers; fixed: against fixed thresholds"
    )
    frozen: Literal["week", "month"] | None = api.Field(
        default=None,
        description="keep the cut points as they were when the week (from Monday, UTC) or month began, so that nobody "
        "moves because others bought",
    )
    recency_days: tuple[int, ...] | None = api.Field(
        default=None, description="fixed: days since the last order to stay below, best first (30, 60, 90, 180)"
    )
    frequency_orders: tuple[int, ...] | None = api.Field(
        default=None, description="fixed: orders in the window to reach, best first (20, 10, 5, 2)"
    )
    monetary_spend: tuple[Amount, ...] | None = api.Field(
        default=None, description="fixed: net spend in the window to reach, best first (1000, 500, 200, 100)"
    )

    @field_validator("groups", mode="before")
    @classmethod
    def _as_written_here(cls, value: Any) -> Any:
        """Take the vendors' spellings too: NEEDS_ATTENTION, Needs attention."""
        if not isinstance(value, list | tuple):
            return value
        return [each.lower().replace("_", "-").replace(" ", "-") if isinstance(each, str) else each for each in value]

    @model_validator(mode="after")
    def _fits_the_table(self) -> RfmConfig:
        if (self.groups is None) == (self.cells is None):
            raise ValueError("give either groups or cells")
        table = TABLES[self.table]
        _check_known("group", self.groups or (), table.names, self.table)
        _check_known("cell", self.cells or (), cells(table.scale), self.table)
        thresholds = {
            "recency_days": (self.recency_days, 1),
            "frequency_orders": (self.frequency_orders, -1),
            "monetary_spend": (self.monetary_spend, -1),
        }
        for name, (values, direction) in thresholds.items():
            if values is not None:
                _check_thresholds(name, values, direction, table.scale, fixed=self.scoring == "fixed")
        if self.frozen and self.scoring == "fixed":
            raise ValueError("fixed thresholds stand still by themselves; leave out frozen")
        return self


def _check_known(kind: str, given: Sequence[str], known: Sequence[str], table: str) -> None:
    unknown = next((each for each in given if each not in known), None)
    if unknown is not None:
        shown = ", ".join(known) if kind == "group" else f"{known[0]} to {known[-1]}"
        raise ValueError(f"the table {table} has no {kind} {unknown!r}; it has {shown}")


def _check_thresholds(name: str, values: Sequence[Any], direction: int, scale: int, *, fixed: bool) -> None:
    if not fixed:
        raise ValueError(f'{name} goes with scoring = "fixed"')
    if len(values) != scale - 1:
        raise ValueError(f"{name} needs {scale - 1} thresholds for scores from 1 to {scale}, not {len(values)}")
    if any(value <= 0 for value in values) or list(values) != sorted(set(values), reverse=direction < 0):
        raise ValueError(
            f"{name} must be above 0, the best first, each {'more' if direction > 0 else 'less'} than before"
        )
