"""How likely a cart that was left comes back: a logistic model of whether, and the shop's own times of when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import rankdata

from hub import api
from hub_predicted.left_carts import FEATURES, LeftCarts, read_carts
from hub_predicted.likelihood import Array, dot, products

FEWEST_CARTS = 500
FEWEST_OF_EACH = 50
NEWEST = 0.25
PARTS = 5
CHANCE = 0.55
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Recovery:
    """The model: weights of the features in standard deviations, and the hours after which carts came back, sorted."""

    middle: Array
    scale: Array
    constant: float
    weights: Array
    hours: Array

    def whether(self, carts: LeftCarts) -> Array:
        """Return the probability that a cart left alone for an hour is recovered within a week."""
        odds = self.constant + products((carts.features - self.middle) / self.scale, self.weights)
        probability: Array = expit(odds)
        return probability

    def still(self, carts: LeftCarts, age: Array) -> Array:
        """Return the same of a cart that has not come back for so many hours: of those that will, some did by then."""
        whether = self.whether(carts)
        passed = np.searchsorted(self.hours, age, side="right") / len(self.hours)
        probability: Array = whether * (1 - passed) / (1 - whether * passed)
        return probability


@dataclass(frozen=True, slots=True)
class Propensity:
    """What was fitted, with how well it does in words, or why nothing was."""

    recovery: Recovery | None = None
    notes: tuple[str, ...] = ()
    refused: str | None = None


def fit_recovery(carts: LeftCarts) -> Recovery:
    """Fit the model by greatest likelihood, with weights held small (normal, one standard deviation of log-odds)."""
    middle, scale = carts.features.mean(axis=0), carts.features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    came = carts.recovered
    known = np.column_stack([np.ones(len(came)), (carts.features - middle) / scale])
    held = np.ones(known.shape[1])
    held[0] = 0  # the constant is free

    def cost(weights: Array) -> tuple[float, Array]:
        odds = products(known, weights)
        slopes = products(known.T, expit(odds) - came) + held * weights
        value = np.logaddexp(0, odds).sum() - dot(came, odds) + dot(held * weights, weights) / 2
        return float(value) / len(came), slopes / len(came)

    def curvature(weights: Array) -> Array:
        chance = expit(products(known, weights))
        spread = known * (chance * (1 - chance))[:, None]
        found: Array = np.array([products(known.T, each) for each in spread.T]) + np.diag(held)
        return found / len(came)

    start = np.zeros(known.shape[1])
    start[0] = np.log(came.mean() / (1 - came.mean()))
    # By Newton's steps: the cost is convex, so that a few of them reach the bottom.
    found = minimize(cost, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-12}).x
    hours = np.sort(carts.rows["hours_to_end"][carts.recovered > 0])
    return Recovery(middle, scale, float(found[0]), found[1:], hours)


def propensity(catalog: api.Reader, as_of: datetime, window: timedelta) -> Propensity:
    """Fit the model to the carts of the window, and try it on the newest of them."""
    carts = catalog.once(read_carts, as_of, window)
    past = carts.where(~carts.rows["is_open"])
    came = int(past.recovered.sum())
    asked = (
        (len(past), FEWEST_CARTS, "carts left alone for an hour, at least a week ago"),
        (came, FEWEST_OF_EACH, "recovered"),
        (len(past) - came, FEWEST_OF_EACH, "not recovered"),
    )
    lacking = [f"{there:,} {what} ({needed:,} are needed)" for there, needed, what in asked if there < needed]
    if lacking:
        return Propensity(refused=f"too_little_data: {', '.join(lacking)}")
    recovery = fit_recovery(past)
    return Propensity(recovery, (_told(past, recovery), *_trial(past)))


def open_carts(catalog: api.Reader, as_of: datetime, window: timedelta, min_age: timedelta, max_age: timedelta) -> Any:
    """Return the open carts left between two ages ago, each with its probability to be recovered."""
    found = catalog.once(propensity, as_of, window)
    if found.recovery is None:
        raise ValueError(f"nothing was fitted: {found.refused}")
    carts = catalog.once(read_carts, as_of, window)
    age = carts.rows["age"]
    carts = carts.where(carts.rows["is_open"] & (age >= min_age / HOUR) & (age < max_age / HOUR))
    rows = carts.rows
    probability = np.round(found.recovery.still(carts, rows["age"]), 4)
    return pa.table(
        {
            "person_id": pa.array(rows["person_id"], pa.int64()),
            "system": pa.array(rows["system"], pa.string()),
            "cart_id": pa.array(rows["cart_id"], pa.string()),
            "recovery_probability": pa.array(probability, pa.float64()),
            "cart_value": pa.array(rows["cart_value"], pa.float64(), from_pandas=True),
            "cart_items": pa.array(rows["cart_items"], pa.float64(), from_pandas=True),
        }
    )


def _told(past: LeftCarts, recovery: Recovery) -> str:
    weights = ", ".join(f"{name} {weight:+.2f}" for name, weight in zip(FEATURES, recovery.weights, strict=True))
    return (
        f"fitted to {len(past):,} carts left alone for an hour: {past.recovered.mean():.1%} were recovered within 7 "
        f"days, half of those within {np.median(recovery.hours):.0f} hours; weight of a standard deviation in "
        f"log-odds: {weights}"
    )


def _trial(past: LeftCarts) -> Sequence[str]:
    """Say how the model does on the newest carts, fitted without them."""
    newest = int(len(past) * NEWEST)
    older, newer = past.where(slice(None, -newest)), past.where(slice(-newest, None))
    if not 0 < older.recovered.sum() < len(older) or not 0 < newer.recovered.sum() < newest:
        return (f"not tried on the newest {newest:,} carts: all of them, or of those before, ended the same way",)
    predicted = fit_recovery(older).whether(newer)
    parts = np.array_split(np.argsort(predicted, kind="stable"), PARTS)
    shown = ", ".join(f"{predicted[part].mean():.0%} and {newer.recovered[part].mean():.0%}" for part in parts)
    order = _in_order(predicted, newer.recovered)
    told = (
        f"tried on the newest {newest:,} carts, fitted without them; by fifths, predicted and recovered: {shown}; "
        f"together {predicted.mean():.1%} and {newer.recovered.mean():.1%}; of two carts the recovered one had the "
        f"higher probability in {order:.0%} of cases (50% is chance)"
    )
    return (told,) if order >= CHANCE else (told, "the model hardly tells carts apart here: treat all of them alike")


def _in_order(predicted: Array, came: Array) -> float:
    """Return the share of pairs, one recovered and one not, in which the recovered one was predicted higher (AUC)."""
    ranks = rankdata(predicted)
    some, others = came.sum(), len(came) - came.sum()
    return float((ranks[came > 0].sum() - some * (some + 1) / 2) / (some * others))
