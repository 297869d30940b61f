"""Gamma-Gamma: what a customer's next purchase will be worth.

Fader, Hardie (2013), The Gamma-Gamma Model of Monetary Value. What a customer spends varies around a mean of their own
as a gamma distribution (p), and the means differ between customers as another (q, gamma). The worth of a purchase must
not depend on how often somebody buys. Values are in the client's currency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln

from hub_predicted.likelihood import Array, Found, Score, best_start, dot, maximise

SAMPLE = 5_000
STARTS = ((2.0, 2.0, 1.0), (6.0, 4.0, 0.5), (0.7, 3.0, 2.0))


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """The model with its parameters."""

    p: float
    q: float
    gamma: float

    @property
    def mean(self) -> float | None:
        """Return the mean worth of a purchase over all customers; None where a few whales leave it without one."""
        return self.p * self.gamma / (self.q - 1) if self.q > 1 else None

    def log_likelihood(self, purchases: Array, worth: Array) -> Array:
        """Return each customer's log-likelihood, of so many purchases with that mean (equation 1a)."""
        x, p, q = purchases, self.p, self.q
        shape = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(self.gamma) + p * x * np.log(x)
        likelihood: Array = shape + (p * x - 1) * np.log(worth) - (p * x + q) * np.log(self.gamma + x * worth)
        return likelihood

    def expected_worth(self, purchases: Array, worth: Array) -> Array:
        """Return the expected worth of each customer's next purchase (equation 5); without purchases the mean."""
        known = np.where(purchases > 0, purchases * worth, 0.0)
        expected: Array = self.p * (self.gamma + known) / (self.p * purchases + self.q - 1)
        return expected


def fit_worth(purchases: Array, worth: Array) -> tuple[GammaGamma, Found]:
    """Fit the model by maximum likelihood to customers with purchases; inside, values are measured in their mean."""
    scale = float(worth.mean())
    step = -(-len(worth) // SAMPLE)
    start = best_start(_score(purchases[::step], worth[::step] / scale), STARTS)
    found = maximise(_score(purchases, worth / scale), start, len(worth))
    sizes = np.array([1, 1, scale])
    errors = None if found.errors is None else tuple(map(float, found.errors * sizes))
    model = GammaGamma(*map(float, found.parameters * sizes))
    likelihood = found.log_likelihood - len(worth) * np.log(scale)
    return model, Found((model.p, model.q, model.gamma), likelihood, errors, found.converged, len(worth))


def _score(purchases: Array, worth: Array) -> Score:
    """Return the mean log-likelihood and its slopes as a function of p, q and gamma."""
    size = len(worth)
    counts = np.bincount(purchases.astype(np.int64))
    x = np.flatnonzero(counts).astype(float)
    people = counts[counts > 0]
    total = purchases * worth
    by_size = dot(purchases, np.log(worth) + np.log(purchases))
    rest = np.log(worth).sum()

    def score(parameters: Array) -> tuple[float, Array]:
        p, q, gamma = map(float, parameters)
        log_sum = np.log(gamma + total)
        weight = p * purchases + q
        value = people @ (gammaln(p * x + q) - gammaln(p * x)) + size * (q * np.log(gamma) - gammaln(q))
        value += p * by_size - rest - dot(weight, log_sum)
        by_p = people @ (x * (digamma(p * x + q) - digamma(p * x))) + by_size - dot(purchases, log_sum)
        by_q = people @ digamma(p * x + q) + size * (np.log(gamma) - digamma(q)) - log_sum.sum()
        by_gamma = size * q / gamma - (weight / (gamma + total)).sum()
        return float(value) / size, np.array([by_p * p, by_q * q, by_gamma * gamma]) / size

    return score
