"""How large an index must be for cells and 8-bit codes, how many cells, and which codes."""

import math

import numpy as np

from indexer.vectors import Vectors

FEWEST_TO_TRAIN = 32
"""Rows from which cells and the ranges of codes can be learned at all."""


def cells_for(rows: int) -> int:
    """Return the number of cells: four times the root balances choosing cells and scanning."""
    return max(1, 4 * math.isqrt(rows))


def code_ranges(vectors: Vectors) -> Vectors:
    """Return lowest value and width per dimension, float32 [2 D], for the 8-bit codes.

    The ranges hold the sample [N, D], and six times the spread of a random unit vector, so
    that products enrolled after the training are not clipped.
    """
    reach = min(1.0, 6.0 / math.sqrt(vectors.shape[1]))
    low = np.minimum(vectors.min(axis=0), -reach)
    high = np.maximum(vectors.max(axis=0), reach)
    return np.concatenate([low, high - low]).astype(np.float32)
