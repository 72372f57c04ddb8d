"""Pairs of rows looked at block by block, so that memory grows with the rows and not with their pairs."""

from collections.abc import Iterator

import numpy as np

BLOCK = 1 << 22
"""At most this many cosines exist at once (16 MiB)."""


def cosine_blocks(queries: np.ndarray, items: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield the cosines of some queries with all items at a time: which queries, and (those queries, items).

    Both are unit rows, (queries, d) and (items, d).
    """
    size = max(1, BLOCK // len(items))
    for start in range(0, len(queries), size):
        rows = slice(start, min(start + size, len(queries)))
        yield rows, queries[rows] @ items.T
