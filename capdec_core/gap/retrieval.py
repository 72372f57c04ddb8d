"""Retrieval from one modality in the other: is an own item among the k most similar?"""

import numpy as np

from capdec_core.gap.blocks import cosine_blocks

RANKS = (1, 5, 10)


def recall(
    queries: np.ndarray, items: np.ndarray, of_queries: np.ndarray, of_items: np.ndarray
) -> dict[int, float]:
    """Return {k: share of queries with an own item among the k most similar} for k in RANKS.

    Args:
        queries, items: unit rows (queries, d) and (items, d).
        of_queries, of_items: the image that each belongs to; every query's image has an item. Ties count
            against the query.
    """
    blocks = cosine_blocks(queries, items)
    better = [_better(cosines, of_queries[rows, None] == of_items) for rows, cosines in blocks]
    ranks = np.concatenate(better)
    return {k: float((ranks < k).mean()) for k in RANKS}


def _better(similarity: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return how many foreign items are at least as similar as the most similar own one, (queries,)."""
    best = np.where(own, similarity, -np.inf).max(axis=1, keepdims=True)
    return ((similarity >= best) & ~own).sum(axis=1)
