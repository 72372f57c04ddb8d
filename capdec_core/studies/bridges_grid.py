"""Chapter 7's ways over the gap: what each is called, whose it is, what it looks at, and its lines of the grid."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from capdec_core.bridges import (
    PRESETS,
    Bridge,
    Collapse,
    LinearAdapter,
    MeanShift,
    MemoryProjection,
    Move,
    NearestCaption,
    ShapedNoise,
    Sight,
)
from capdec_core.bridges.shaped import Shape, Source
from capdec_core.budget import Budget
from capdec_core.decoding import Beam
from capdec_core.noise import Gaussian, cosine_for_variance, variance_for_cosine
from capdec_core.profiles import BridgesSettings, CalibrationSettings, DecodingSettings
from capdec_core.studies.conditions import Condition

NONE, GAUSSIAN, IMAGES = "none", "gaussian", "trained on images"
PROJECTION, NOISY_PROJECTION, NEAREST = "projection", "projection, noise", "nearest caption"
PUBLISHED, TIMED = "as published", "timed"


@dataclass(frozen=True)
class Way:
    """A way over the gap.

    Attributes:
        title: what figures and tables call it.
        group: the heading under which its settings stand.
        source: who proposed it, or a dash.
        does: what happens to embeddings, in training and at inference.
    """

    title: str
    group: str
    source: str
    does: str


_CONTROL, _NOISE, _SHIFT = "Controls", "Gaussian noise", "Mean shift"
_COLLAPSE, _LINEAR, _MEMORY = "Collapse and corrupt", "Linear adapter", "Memory of captions"
_PAIRS, _CLUSTERS = "Noise shaped like the residual of pairs", "Noise shaped like caption clusters"
_SIZED = "Its size is set so that it turns texts as far as the Gaussian does"

WAYS: dict[str, Way] = {
    NONE: Way("No noise", _CONTROL, "–", "Nothing."),
    IMAGES: Way("Trained on images", _CONTROL, "ClipCap", "Training reads images: the ceiling."),
    GAUSSIAN: Way("Gaussian noise", _NOISE, "CapDec, CLOSE", "Training adds noise to texts."),
    "shift of images": Way("Shift of images", _SHIFT, "DrML", "Images are moved by the difference of centroids."),
    "shift of images, noise": Way("Shift of images + noise", _SHIFT, "CapDec", "The same, beside noise in training."),
    "shift of texts": Way("Shift of texts", _SHIFT, "DrML", "Texts are moved by the difference of centroids."),
    "shift of texts, noise": Way("Shift of texts + noise", _SHIFT, "CapDec, CLOSE", "The same, then noise."),
    "collapse": Way("Collapse", _COLLAPSE, "C3", "Texts and images lose their own centroid."),
    "collapse, noise": Way("Collapse + noise", _COLLAPSE, "C3", "The same; texts then get noise."),
    "linear adapter": Way("Linear adapter", _LINEAR, "CLOSE", "Texts go through the least-squares map to images."),
    "linear adapter, noise": Way("Linear adapter + noise", _LINEAR, "CLOSE", "The same, then noise."),
    PROJECTION: Way("Projection", _MEMORY, "DeCap", "Images become weighted means of remembered texts."),
    NOISY_PROJECTION: Way("Projection + noise", _MEMORY, "–", "The same, beside noise in training."),
    NEAREST: Way("Nearest caption", _MEMORY, "CLIPRe, DeCap", "An image gets the training caption nearest to it."),
    "full, pairs": Way("Full covariance, pairs", _PAIRS, "CLOSE", "Noise has the residual's covariance."),
    "shrunk, pairs": Way("Shrunk covariance, pairs", _PAIRS, "–", "The same, shrunk towards isotropy."),
    "diagonal, pairs": Way("Per dimension, pairs", _PAIRS, "–", "Noise has the residual's variances."),
    "full, clusters": Way(
        "Full covariance, clusters", _CLUSTERS, "–", "Noise has the covariance of one image's captions."
    ),
    "shrunk, clusters": Way("Shrunk covariance, clusters", _CLUSTERS, "–", "The same, shrunk towards isotropy."),
    "diagonal, clusters": Way("Per dimension, clusters", _CLUSTERS, "–", "Noise has these captions' variances."),
    "subspace, clusters": Way(
        "Within the cluster subspace", _CLUSTERS, "–", "Noise where one image's captions differ most."
    ),
    "complement, clusters": Way("Outside the cluster subspace", _CLUSTERS, "–", "Noise everywhere else."),
}  # fmt: skip
"""Every way by its family in the grid, in the order of tables. Settings as published are no way of their own, nor is
the captioner whose decoding is timed."""

MOVES_OF_TEXTS: dict[str, Move] = {
    "shift of texts": MeanShift("text"),
    "collapse": Collapse(),
    "linear adapter": LinearAdapter(),
}
"""Moves for which a decoder must be trained anew."""
SHIFTS = ("shift of images", "shift of texts", "collapse")
"""Ways that move a modality by a constant vector, and no more; a claim is decided by them."""
SHAPED: tuple[tuple[Shape, Source], ...] = (
    ("full", "pairs"), ("shrunk", "pairs"), ("diagonal", "pairs"),
    ("full", "clusters"), ("shrunk", "clusters"), ("diagonal", "clusters"),
    ("subspace", "clusters"), ("complement", "clusters"),
)  # fmt: skip
"""Shapes of noise, each with what it is learned from."""
SHAPES_OF: dict[Source, list[str]] = {
    source: [f"{shape}, {learned}" for shape, learned in SHAPED if learned == source]
    for source in ("pairs", "clusters")
}
"""Families of shaped noise by what they are learned from."""
_PRESET_NAMES = {"capdec": "CapDec", "close": "CLOSE", "c3": "C3", "decap": "DeCap", "nearest": "Nearest"}


def sight(condition: Condition) -> Sight:
    """Return where a condition depends on training images; training on them is the most that there is."""
    return Sight.TRAINING if condition.train_on == "image" else condition.across.sight


def preset_title(name: str) -> str:
    """Return a preset's name as papers write it: "CLOSE shift"."""
    first, *rest = name.split(" ")
    return " ".join([_PRESET_NAMES[first], *rest])


def images_shifted(readers: Sequence[Condition]) -> list[Condition]:
    """Return the mean shift of images before each of these captioners, which are not trained again."""
    return [_read_by(reader, "shift of images", MeanShift("image"), "Shift of images") for reader in readers]


def projected(readers: Sequence[Condition], grid: BridgesSettings) -> list[Condition]:
    """Return projections: every memory before the captioners without noise and of the matched variance, all
    captions before the others."""
    sizes = [*grid.memory_sizes, None]
    return [
        _read_by(reader, PROJECTION, MemoryProjection(size, 0, grid.temperature), _projection_label(size))
        for reader in readers
        for size in (sizes if reader.family == NONE or reader.parameter == grid.variance else [None])
    ]


def _projection_label(size: int | None) -> str:
    return f"Projection on {'all' if size is None else f'{size:,}'} captions"


def _read_by(reader: Condition, family: str, move: Move, label: str) -> Condition:
    """Return a captioner of chapter 2 behind a move of images; it shares the captioner's cells."""
    plain = reader.family == NONE
    return replace(
        reader,
        family=family if plain else f"{family}, noise",
        label=label if plain else f"{label}, variance {reader.parameter:g}",
        bridge=Bridge((move,), reader.noise),
    )


def texts_moved(grid: BridgesSettings, seeds: int) -> list[Condition]:
    """Return the moves of texts, each without noise and with it; `seeds` trainings where a claim is decided."""
    found = []
    for family, move in MOVES_OF_TEXTS.items():
        title = WAYS[family].title
        alone = seeds if family in SHIFTS else 1
        found.append(Condition(family, f"{title}, no noise", seeds=alone, bridge=Bridge((move,))))
        found += [
            Condition(
                f"{family}, noise",
                f"{title}, variance {v:g}",
                parameter=v,
                seeds=seeds,
                bridge=Bridge((move,), Gaussian(v)),
            )
            for v in grid.moved_variances
        ]
    return found


def shaped(grid: BridgesSettings, dim: int, seeds: int) -> list[Condition]:
    """Return noise of every shape, at the mean cosine that Gaussian noise of the matched variance has."""
    cosine = cosine_for_variance(grid.variance, dim)
    return [
        Condition(
            family := f"{shape}, {source}",
            WAYS[family].title,
            seeds=seeds if shape in grid.headline_shapes else 1,
            bridge=Bridge(noise=ShapedNoise(shape, source, cosine, _rank(shape, grid))),
        )
        for shape, source in SHAPED
    ]


def _rank(shape: Shape, grid: BridgesSettings) -> int | None:
    return grid.rank if shape in ("subspace", "complement") else None


def reduced_family(dim: int) -> str:
    """Return the family of Gaussian noise on the embedding reduced to `dim` dimensions."""
    return f"{GAUSSIAN}, d = {dim}"


def reduced(settings: CalibrationSettings) -> list[Condition]:
    """Return Gaussian noise on reduced embeddings: at every dimension variances that leave the same cosines."""
    return [
        Condition(
            reduced_family(dim),
            f"Gaussian, d = {dim}, variance {variance:.3g}",
            Gaussian(variance),
            variance,
            dim=dim,
        )
        for dim in settings.dims
        for variance in sorted(variance_for_cosine(cosine, dim) for cosine in settings.cosines)
    ]


def length_family(steps: int) -> str:
    """Return the family of captioners that are trained for this many steps instead of the profile's."""
    return f"{steps:,} steps"


def of_other_lengths(readers: Sequence[Condition], lengths: Sequence[int], budget: Budget) -> list[Condition]:
    """Return captioners trained for other numbers of steps, one seed each, on the schedule of `budget` so stretched."""
    return [
        replace(
            reader,
            family=length_family(steps),
            label=f"{reader.label}, {length_family(steps)}",
            seeds=1,
            reads=("image",),
            training=replace(budget, steps=steps),
        )
        for steps in sorted(lengths)
        for reader in readers
    ]


def timed(reader: Condition, decoding: DecodingSettings) -> Condition:
    """Return a captioner decoded once more as it is, so that it is timed as readers of moved images are.

    It stands for all trained captioners, which have one shape; chapter 6 shares its cells.
    """
    beam = Beam(decoding.beams, decoding.max_tokens)
    return replace(reader, family=TIMED, label=f"{reader.label}, timed", decoding=beam)


def retrieved() -> Condition:
    """Return the baseline that trains nothing."""
    return Condition(NEAREST, WAYS[NEAREST].title, bridge=Bridge((NearestCaption(),)))


def published(found: Sequence[Condition]) -> list[Condition]:
    """Return a condition for every preset whose bridge `found` lacks; one training each."""
    present = [condition.across for condition in found if condition.train_on == "text"]
    plain = next(condition for condition in found if condition.family == NONE)
    missing = {name: preset.bridge for name, preset in PRESETS.items() if preset.bridge not in present}
    return [
        Condition(
            PUBLISHED,
            f"{preset_title(name)}, as published",
            reads=("image",) if bridge.moves_text or not bridge.moves else plain.reads,
            bridge=bridge,
        )
        for name, bridge in missing.items()
    ]
