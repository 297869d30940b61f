"""BG/NBD: how often customers come back, and whether they still do.

Fader, Hardie, Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing
Science 24(2). While alive a customer buys at random at a rate of their own, which differs between customers as a gamma
distribution (r, alpha); after each repeat purchase they leave with a probability of their own, which differs as a beta
distribution (a, b). Times are in weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev
from scipy.linalg import eigh_tridiagonal
from scipy.special import digamma, expit, gammaln

from hub_predicted.likelihood import Array, Found, Score, best_start, maximise

FEWEST_NODES, MOST_NODES = 8, 512
CHUNK = 1 << 13
DIGITS = 12
SAMPLE = 5_000
STARTS = ((0.3, 0.3, 0.5, 2.0), (1.0, 1.0, 1.0, 1.0), (1.0, 2.0, 0.1, 3.0))


@dataclass(frozen=True, slots=True)
class Histories:
    """What the model needs of customers, one place per customer.

    Attributes:
        repeats: purchases after the first.
        recency: weeks from the first purchase to the last, 0 without repeats.
        age: weeks from the first purchase to now.
    """

    repeats: Array
    recency: Array
    age: Array

    def __len__(self) -> int:
        return len(self.repeats)

    def thinned(self, most: int) -> Histories:
        """Return every n-th customer, so that at most so many are left."""
        step = -(-len(self) // most)
        return Histories(self.repeats[::step], self.recency[::step], self.age[::step])


@dataclass(frozen=True, slots=True)
class BgNbd:
    """The model with its parameters; the formulas are numbered as in the paper."""

    r: float
    alpha: float
    a: float
    b: float

    def log_likelihood(self, customers: Histories) -> Array:
        """Return each customer's log-likelihood (equation 6)."""
        x = customers.repeats
        left = np.where(x > 0, np.logaddexp(0, _odds_gone(self, customers)), 0)
        bought = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(self.alpha)
        stayed = gammaln(self.a + self.b) + gammaln(self.b + x) - gammaln(self.b) - gammaln(self.a + self.b + x)
        likelihood: Array = bought + stayed - (self.r + x) * np.log(self.alpha + customers.age) + left
        return likelihood

    def probability_alive(self, customers: Histories) -> Array:
        """Return the probability that each customer has not left for good; 1 without repeats, as nobody can tell."""
        alive: Array = np.where(customers.repeats > 0, expit(-_odds_gone(self, customers)), 1.0)
        return alive

    def probability_of_return(self, customers: Histories, weeks: float) -> Array:
        """Return the probability of at least one purchase within so many weeks from now."""
        returns: Array = self.probability_alive(customers) * self.return_if_alive(customers, weeks)
        return returns

    def return_if_alive(self, customers: Histories, weeks: float) -> Array:
        """Return that probability for customers who are alive: they stay so until the next purchase."""
        waits = np.log1p(weeks / (self.alpha + customers.age)) * (self.r + customers.repeats)
        returns: Array = -np.expm1(-waits)
        return returns

    def expected_purchases(self, customers: Histories, weeks: float) -> Array:
        """Return how many purchases to expect of each customer within so many weeks from now (equation 10)."""
        expected: Array = self.probability_alive(customers) * self.purchases_if_alive(customers, weeks)
        return expected

    def purchases_if_alive(self, customers: Histories, weeks: float) -> Array:
        """Return that number for customers who are alive.

        Given that a customer is alive, the rate is again gamma (r + x, alpha + T), the probability p of leaving beta
        (a, b + x), and independent of it; over the rate the mean is (1 - (1 + p * t / (alpha + T)) ** -(r + x)) / p.
        What remains is a smooth integral over p, for Gauss-Jacobi quadrature; unlike the paper's form by the
        hypergeometric function it needs no care where a is 1 or a + b less.

        For customers with as many repeats it is a smooth function of their age alone.
        """
        expected = np.empty(len(customers))
        aged = np.log(self.alpha + customers.age)
        for repeats, chosen in _alike(customers.repeats):
            p, weights = _beta_nodes(_nodes_for(weeks / self.alpha, repeats), self.a, self.b + repeats)

            def purchases(aged: Array, p: Array = p, weights: Array = weights, rate: float = self.r + repeats) -> Array:
                waits = np.log1p(weeks * np.exp(-aged)[:, None] * p) * rate
                counts: Array = (-np.expm1(-waits) / p) @ weights
                return counts

            expected[chosen] = _interpolated(purchases, aged[chosen])
        return expected


def _alike(counts: Array) -> Iterator[tuple[float, Any]]:
    """Yield each count that there is with the places that have it."""
    found = counts.astype(np.int64)
    sizes = np.bincount(found)
    # Small numbers are sorted in one pass.
    sorted_places = np.argsort(found.astype(np.min_scalar_type(len(sizes))), kind="stable")
    for count, places in enumerate(np.split(sorted_places, np.cumsum(sizes)[:-1])):
        if len(places):
            yield float(count), places


def fit_buying(customers: Histories) -> tuple[BgNbd, Found]:
    """Fit the model by maximum likelihood; the log-likelihood is that of times in weeks.

    Inside, times are measured in the mean age of the customers, so that all parameters are near 1.
    """
    scale = float(customers.age.mean())
    thin = customers.thinned(SAMPLE)
    start = best_start(_score(_scaled(thin, scale)), STARTS)
    found = maximise(_score(_scaled(customers, scale)), start, len(customers))
    sizes = np.array([1, scale, 1, 1])
    errors = None if found.errors is None else tuple(map(float, found.errors * sizes))
    model = BgNbd(*map(float, found.parameters * sizes))
    likelihood = found.log_likelihood - float(customers.repeats.sum()) * np.log(scale)
    return model, Found((model.r, model.alpha, model.a, model.b), likelihood, errors, found.converged, len(customers))


def _scaled(customers: Histories, scale: float) -> Histories:
    return Histories(customers.repeats, customers.recency / scale, customers.age / scale)


def _odds_gone(model: BgNbd, customers: Histories) -> Array:
    """Return the logarithm of the odds that a customer with repeats has left."""
    silence = np.log((model.alpha + customers.age) / (model.alpha + customers.recency))
    return _odds_after(model, np.maximum(customers.repeats, 1), silence)


def _odds_after(model: BgNbd, repeats: Array, silence: Array) -> Array:
    """Return the same by repeats, and by how many times as long ago everything began as the last of them was."""
    odds: Array = np.log(model.a) - np.log(model.b + repeats - 1) + (model.r + repeats) * silence
    return odds


def _score(customers: Histories) -> Score:
    """Return the mean log-likelihood and its slopes as a function of r, alpha, a and b."""
    size = len(customers)
    counts = np.bincount(customers.repeats.astype(np.int64))
    x = np.flatnonzero(counts).astype(float)
    people = counts[counts > 0]
    again = customers.repeats > 0
    came = Histories(customers.repeats[again], customers.recency[again], customers.age[again])
    once = customers.age[~again]

    def score(parameters: Array) -> tuple[float, Array]:
        r, alpha, a, b = map(float, parameters)
        late, last = alpha + came.age, alpha + came.recency
        log_late, log_last, log_once = np.log(late), np.log(last), np.log(alpha + once)
        odds = _odds_after(BgNbd(r, alpha, a, b), came.repeats, log_late - log_last)
        gone = expit(odds)
        value = people @ (gammaln(r + x) + gammaln(b + x) - gammaln(a + b + x))
        value += size * (r * np.log(alpha) - gammaln(r) + gammaln(a + b) - gammaln(b))
        value += np.logaddexp(0, odds).sum() - ((r + came.repeats) * log_late).sum() - r * log_once.sum()
        both = size * digamma(a + b) - people @ digamma(a + b + x)
        by_rate = people @ digamma(r + x) - size * (digamma(r) - np.log(alpha)) - log_once.sum()
        by_rate += (gone * (log_late - log_last) - log_late).sum()
        by_time = size * r / alpha - (r / (alpha + once)).sum()
        by_time += ((r + came.repeats) * (gone * (1 / late - 1 / last) - 1 / late)).sum()
        by_leaving = both + gone.sum() / a
        by_staying = both + people @ digamma(b + x) - size * digamma(b) - (gone / (b + came.repeats - 1)).sum()
        slopes = np.array([by_rate * r, by_time * alpha, by_leaving * a, by_staying * b])
        return float(value) / size, slopes / size

    return score


def _interpolated(smooth: Callable[[Array], Array], places: Array) -> Array:
    """Return a function of the logarithm of times at many places, by Chebyshev interpolation where they are many.

    A power of 1 + p * t / time with p and t positive has no singularity where the logarithm's imaginary part is less
    than pi, and up to pi / 2 the expectation stays as small as on the real line. So the error falls with the size of
    the ellipse that fits between (Trefethen, 2013, Approximation Theory and Approximation Practice, theorem 8.2).
    """
    low, high = float(places.min()), float(places.max())
    half = max((high - low) / 2, np.finfo(float).tiny)
    size = np.pi / 2 / half + np.hypot(1, np.pi / 2 / half)
    points = int(np.ceil(DIGITS * np.log(10) / np.log(size))) + 1
    if len(places) <= 2 * points or low == high:
        return smooth(places)
    series = Chebyshev.interpolate(smooth, points, domain=[low, high])
    parts = (series(places[first : first + CHUNK]) for first in range(0, len(places), CHUNK))
    return np.concatenate(list(parts))


def _nodes_for(reach: float, repeats: float) -> int:
    """Return how many nodes give nine digits.

    The integrand has a singularity at p = -1 / reach, and the error falls with the size of the ellipse through it; how
    steep it is there, with repeats, was tried.
    """
    place = 1 + 2 / reach
    nodes = (21 + 1.8 * np.sqrt(repeats)) / np.log(place + np.sqrt(place * place - 1))
    return int(np.clip(np.ceil(nodes), FEWEST_NODES, MOST_NODES))


def _beta_nodes(count: int, a: float, b: float) -> tuple[Array, Array]:
    """Return nodes and weights of Gauss-Jacobi quadrature for the beta distribution (Golub and Welsch, 1969).

    scipy's own (``roots_jacobi``) gives weights of the unscaled measure, which overflow where b is large.
    """
    n = np.arange(1, count, dtype=float)
    left, right = a - 1, b - 1
    both = left + right
    middle = np.empty(count)
    middle[0] = (left - right) / (both + 2)
    middle[1:] = (left * left - right * right) / ((2 * n + both) * (2 * n + both + 2))
    square = np.empty(count - 1)
    # For n = 1 a factor cancels that may be zero.
    square[0] = 4 * (1 + left) * (1 + right) / ((2 + both) ** 2 * (3 + both))
    m = n[1:]
    square[1:] = 4 * m * (m + left) * (m + right) * (m + both)
    square[1:] /= (2 * m + both) ** 2 * (2 * m + both + 1) * (2 * m + both - 1)
    nodes, vectors = eigh_tridiagonal(middle, np.sqrt(square))
    return np.maximum((nodes + 1) / 2, np.finfo(float).tiny), vectors[0] ** 2
