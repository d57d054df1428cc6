"""Loops of a Gaussian process: inputs, covariances, predictions of cells seen before."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import Floats, compiled

_Doubles = NDArray[np.float64]

_BLOCK = 64  # cells whose numbers stay in the core's cache
_TOGETHER = 4  # new cells whose products are summed in one loop


@compiled
def weighted_inputs(
    features: Floats,
    columns: NDArray[np.int64],
    centre: _Doubles,
    scale: _Doubles,
    weights: _Doubles,
    most: float,
) -> _Doubles:
    """Return columns of features, standardised, clipped and weighted, ``[N, d]``.

    Args:
        features: ``[N, D]``.
        columns: Those in use, ``[d]``.
        centre: What is subtracted from each of them, ``[d]``.
        scale: What each is then divided by, ``[d]``.
        weights: What each is at last multiplied by, ``[d]``.
        most: Largest absolute value of a standardised feature.
    """
    inputs = np.empty((len(features), len(columns)))
    for i in range(len(features)):
        for k in range(len(columns)):
            standard = (np.float64(features[i, columns[k]]) - centre[k]) / scale[k]
            inputs[i, k] = min(max(standard, -most), most) * weights[k]
    return inputs


@compiled
def make_covariances(
    products: _Doubles, one: _Doubles, two: _Doubles, variance: float, linear: float
) -> None:
    """Replace inner products ``[n, m]`` of weighted inputs by their covariances.

    Args:
        products: The inner products.
        one: Squared lengths of the first inputs, ``[n]``.
        two: Those of the second, ``[m]``.
        variance: Variance of the Matérn part of the kernel.
        linear: Variance of its linear part.
    """
    for i in range(len(one)):
        for k in range(len(two)):
            products[i, k] = _covariance(products[i, k], one[i] + two[k], variance, linear)


@compiled
def whitened_sums(
    inputs: Floats,
    squares: _Doubles,
    rows: Floats,
    added_rows: Floats,
    targets: _Doubles,
    new: _Doubles,
    new_rows: _Doubles,
    factor: _Doubles,
    variance: float,
    linear: float,
) -> tuple[_Doubles, _Doubles]:
    """Return means ``[N]`` and by how much ``k`` added cells reduce variances ``[N]``.

    They are those of :func:`pyg_nas.predictors.gaussian_process.whitened.predict_whitened`. The
    last ``m`` of the added cells are new: whitened covariances with them are written to
    ``added_rows``. A cell's numbers are read from memory once and are then in the core's own cache.

    Args:
        inputs: Weighted inputs, ``[N, d]``.
        squares: Their squared lengths, ``[N]``.
        rows: Whitened covariances with the ``n`` cells of the fit, ``[N, n]``.
        added_rows: Those with added cells, ``[N, most]``.
        targets: Whitened targets of the cells of the fit and of the added cells, ``[n + k]``.
        new: Weighted inputs of the new cells, ``[m, d]``.
        new_rows: Their whitened covariances with the cells of the fit, ``[m, n]``.
        factor: Their rows of the Cholesky factor of the added cells, ``[m, k]``.
        variance: Variance of the Matérn part of the kernel.
        linear: Variance of its linear part.
    """
    zero = np.float64(0)
    count, width, total = rows.shape[1], inputs.shape[1], factor.shape[1]
    padded = (len(new) + _TOGETHER - 1) // _TOGETHER * _TOGETHER
    others, other_rows = np.zeros((padded, width)), np.zeros((padded, count))
    others[: len(new)], other_rows[: len(new)] = new, new_rows
    lengths = np.zeros(len(new))
    for r in range(len(new)):
        for k in range(width):
            lengths[r] += new[r, k] * new[r, k]
    products, explained = np.empty((padded, _BLOCK)), np.empty((padded, _BLOCK))
    priors = np.empty((padded, _BLOCK))
    means, reduced = np.empty(len(inputs)), np.empty(len(inputs))
    for start in range(0, len(inputs), _BLOCK):
        block = min(_BLOCK, len(inputs) - start)
        _write_products(others, inputs, start, block, products)
        _write_products(other_rows, rows, start, block, explained)
        for r in range(len(new)):
            for i in range(block):
                both = lengths[r] + squares[start + i]
                prior = _covariance(products[r, i], both, variance, linear)
                priors[r, i] = prior - explained[r, i]
        for i in range(start, start + block):
            for r in range(len(new)):
                own = total - len(new) + r
                row = priors[r, i - start]
                for s in range(own):
                    row -= factor[r, s] * added_rows[i, s]
                added_rows[i, own] = row / factor[r, own]
            mean, square = zero, zero
            for s in range(total):
                row = np.float64(added_rows[i, s])
                mean += targets[count + s] * row
                square += row * row
            reduced[i] = square
            for k in range(count):
                mean += targets[k] * rows[i, k]
            means[i] = mean
    return means, reduced


@compiled
def _write_products(left: _Doubles, cells: Floats, start: int, block: int, found: _Doubles) -> None:
    """Write the inner products of rows ``[R, d]`` and a block of ``cells`` ``[N, d]``, ``[R, b]``.

    The number of rows is a multiple of four. One loop sums the products of four rows with two
    cells, so that a number that was loaded and converted is used several times. All are summed in
    one order, so that no product depends on the other rows, to the last bit.
    """
    zero = np.float64(0)
    for r in range(0, len(left), _TOGETHER):
        for i in range(0, block, 2):
            j = min(i + 1, block - 1)
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
            for k in range(left.shape[1]):
                a, b = np.float64(cells[start + i, k]), np.float64(cells[start + j, k])
                a0 += left[r, k] * a
                a1 += left[r + 1, k] * a
                a2 += left[r + 2, k] * a
                a3 += left[r + 3, k] * a
                b0 += left[r, k] * b
                b1 += left[r + 1, k] * b
                b2 += left[r + 2, k] * b
                b3 += left[r + 3, k] * b
            found[r, i], found[r + 1, i], found[r + 2, i], found[r + 3, i] = a0, a1, a2, a3
            found[r, j], found[r + 1, j], found[r + 2, j], found[r + 3, j] = b0, b1, b2, b3


@compiled
def _covariance(product: float, squares: float, variance: float, linear: float) -> float:
    """Return the covariance of two inputs by their product and the sum of their squared lengths."""
    distance = math.sqrt(5 * max(squares - 2 * product, 0.0) + 1e-10)
    matern = (1 + distance + distance * distance / 3) * _exp_minus(distance)
    return variance * matern + linear * product


@compiled
def _exp_minus(value: float) -> float:
    """Return the exponential of minus a value of at least 0, to 1e-11.

    The series of a 1,024th, squared ten times: arithmetic that vector registers do for many cells.
    """
    x = min(value, 700.0) * (-1 / 1024)
    power = 1 + x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x * (1 / 720))))))
    for _ in range(10):
        power *= power
    return power
