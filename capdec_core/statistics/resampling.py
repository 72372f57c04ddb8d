"""Bootstrap replicates of a statistic over two crossed samples: test images and training seeds."""

from collections.abc import Callable, Iterator

import numpy as np

Statistic = Callable[[np.ndarray], np.ndarray]
"""Maps how often each image is drawn, counts (resamples, images), to the score of each seed's system on
those images, (resamples, seeds). Corpus metrics such as BLEU are recomputed from their sums here."""

BLOCK_ELEMENTS = 1 << 17
"""At most this many counts exist at once: 1 MiB, which a core's own cache holds.

Blocks that leave the cache cost more a resample, so that time would grow faster than their number.
"""


def blocks(resamples: int, images: int) -> Iterator[int]:
    """Yield how many resamples to draw at a time, so that a block of counts stays small.

    ValueError for fewer than one resample or image.
    """
    if resamples < 1 or images < 1:
        raise ValueError(f"at least one resample and one image are needed, not {resamples} and {images}")
    size = max(1, BLOCK_ELEMENTS // images)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def image_counts(resamples: int, images: int, generator: np.random.Generator) -> np.ndarray:
    """Return how often each image occurs in draws of `images` with replacement, (resamples, images)."""
    drawn = generator.integers(0, images, (resamples, images))
    drawn += images * np.arange(resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=resamples * images)
    return counts.reshape(resamples, images).astype(np.float64)


def seed_shift(scores: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Return the moves (resamples,) of the mean of the seeds' scores (seeds,) when seeds are drawn anew.

    One seed fewer than there are is drawn with replacement: the variance of the mean is then the unbiased
    one (McCarthy and Snowden 1985; Rao and Wu 1988), where drawing all of 3 seeds gives only two thirds of
    it. A single seed says nothing about other seeds: the shift is 0.
    """
    seeds = len(scores)
    if seeds == 1:
        return np.zeros(resamples)
    drawn = generator.integers(0, seeds, (resamples, seeds - 1))
    return scores[drawn].mean(axis=1) - scores.mean()


def means(scores: np.ndarray) -> Statistic:
    """Return the statistic of a metric that is a mean over images, from its scores (seeds, images).

    ValueError unless the scores are a finite matrix with at least one seed and one image.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 2 or scores.size == 0:
        raise ValueError(f"scores must be an array (seeds, images), not of shape {scores.shape}")
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite: an image without a score cannot be averaged")
    return lambda counts: counts @ scores.T / scores.shape[1]


def on_all_images(statistic: Statistic, images: int) -> np.ndarray:
    """Return each seed's score with every image once, (seeds,); ValueError where that is not its shape."""
    scores = np.asarray(statistic(np.ones((1, images))), dtype=np.float64)
    if scores.ndim != 2 or scores.shape[0] != 1 or scores.shape[1] == 0:
        raise ValueError(f"a statistic maps (resamples, images) to (resamples, seeds), not to {scores.shape}")
    return scores[0]


def replicates(
    systems: list[Statistic], images: int, resamples: int, generator: np.random.Generator
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return each system's scores on all images, one a seed, and its replicates (resamples, systems).

    Images and seeds are crossed, each drawn with replacement: the draw of images is the same for every
    seed and every system, the draw of seeds is each system's own. A replicate is the mean over all seeds on
    the drawn images, plus the drawn seeds' shift on all images; the two errors add up, as those of
    crossed factors do. (Drawing both inside one sum would count the interaction of image and seed three
    times: Owen 2007, "The pigeonhole bootstrap".)
    """
    full = [on_all_images(system, images) for system in systems]
    draws = (image_counts(size, images, generator) for size in blocks(resamples, images))
    by_images = [[system(counts).mean(axis=1) for system in systems] for counts in draws]
    by_seeds = [seed_shift(scores, resamples, generator) for scores in full]
    return full, np.concatenate(by_images, axis=1).T + np.stack(by_seeds, axis=1)
