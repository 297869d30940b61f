"""Settings that the predictions share."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from hub import api

DAY = timedelta(days=1)
LONGEST = timedelta(days=1095)


class PredictedConfig(api.Config):
    """What all predictions from purchases have."""

    frozen: Literal["week", "month"] | None = api.Field(
        default=None,
        description="keep the models as they were fitted when the week (from Monday, UTC) or month began, so that "
        "nobody moves because others bought",
    )
    allow_subscriptions: bool = api.Field(
        default=False,
        description="predict also where a quarter or more of those who buy often do so at fixed intervals, which the "
        "model takes to be random",
    )


def horizon(days: int) -> timedelta:
    """Declare how far the prediction looks ahead."""
    field: timedelta = api.Field(
        default=timedelta(days=days), ge=DAY, le=LONGEST, description=f"how far ahead is predicted ({days}d)"
    )
    return field


def beginning(as_of: datetime, period: str | None) -> datetime:
    """Return the beginning of the period that holds an instant, or the instant itself."""
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return midnight - as_of.weekday() * DAY
    return midnight.replace(day=1) if period == "month" else as_of


def missing_packages(error: ImportError) -> str | None:
    """Say which package is not installed; None where the error is another."""
    package = (error.name or "").partition(".")[0]
    if package not in {"numpy", "scipy"}:
        return None
    return f"predictions need {package}, which is not installed: run `pip install 'audience-hub[predicted]'`"
