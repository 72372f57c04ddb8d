"""What a cell has to do, in steps and operations; how fast a machine does it is another matter (`planning.speed`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from capdec_core.budget import Budget
from capdec_core.captioner import CaptionerConfig
from capdec_core.cell import CellConfig, Decoded, Evaluation, Imported, Retrieved, StoredCell
from capdec_core.decoding import Beam, Contrastive, Decoding, Greedy, Reranked, Sampling, decoding_from_dict
from capdec_core.planning.operations import decoding_flops, language_model_flops, training_flops

CAPTION = 11
"""Tokens of a caption: COCO's have 10.4 words and most a full stop; the other corpora's are about as long."""
LONGEST = 18
"""Steps of decoding until the captions of a whole batch have ended, where so many are allowed."""


@dataclass(frozen=True)
class Work:
    """Optimiser steps, the operations of all of them, and those of decoding."""

    steps: int = 0
    training: float = 0.0
    decoding: float = 0.0


def work_of(cell: StoredCell, published: CaptionerConfig | None = None) -> Work:
    """Return what a cell has to do; a captioner that others trained is taken to have the shape `published`.

    Bridges are fitted by one product of matrices, which is not counted; nor is a nearest caption.
    """
    if isinstance(cell, Retrieved):
        return Work()
    if isinstance(cell, CellConfig):
        steps, shape = cell.training["steps"], shape_of(cell)
        decoding = _decoding(shape, Beam(**cell.decoding), cell.evaluations)
        return Work(steps, steps * step_operations(cell), decoding)
    if isinstance(cell, Decoded):
        told = decoding_from_dict(cell.decoding)
        return Work(decoding=_decoding(shape_of(cell.cell), told, cell.evaluations))
    if isinstance(cell, Imported) and published is not None:
        return Work(decoding=_decoding(published, Beam(**cell.decoding), cell.evaluations))
    raise TypeError(f"nothing is known of the work of a {type(cell).__name__}")


def pretraining_of(cell: CellConfig) -> Work:
    """Return the work of training the language model that a cell starts from; none where it has a name."""
    if not cell.pretraining:
        return Work()
    budget, model = Budget(**cell.pretraining), shape_of(cell).language_model
    operations = 3 * sum(language_model_flops(model, 1 + CAPTION, 1 + CAPTION))
    return Work(budget.steps, budget.steps * budget.batch_size * operations)


def shape_of(cell: CellConfig) -> CaptionerConfig:
    """Return the shape of a cell's captioner."""
    return CaptionerConfig.from_dict(vars(cell))


def step_operations(cell: CellConfig) -> float:
    """Return the operations of one optimiser step; noise that follows the gradient trains twice in it."""
    twice = 2 if cell.bridge["noise"]["kind"] == "NormalisedGradient" else 1
    return twice * cell.training["batch_size"] * training_flops(shape_of(cell), [CAPTION])


def common(cells: Sequence[CellConfig]) -> CellConfig:
    """Return the first cell of the shape and batch size that most have."""
    kinds: dict[str, list[CellConfig]] = {}
    for cell in cells:
        kinds.setdefault(repr((shape_of(cell), cell.training["batch_size"])), []).append(cell)
    return max(kinds.values(), key=len)[0]


def costliest(cells: Sequence[CellConfig]) -> CellConfig:
    """Return the first cell whose captioner takes most operations a caption."""
    return max(cells, key=lambda cell: training_flops(shape_of(cell), [CAPTION]))


def _decoding(shape: CaptionerConfig, told: Decoding, evaluations: Sequence[Evaluation]) -> float:
    images = sum(evaluation.images for evaluation in evaluations)
    width, longest = _growing(told)
    return images * decoding_flops(shape, width, min(longest, LONGEST))


def _growing(told: Decoding) -> tuple[int, int]:
    """Return how many captions of one image grow at once, and the most tokens that they may have."""
    match told:
        case Reranked():
            return _growing(told.candidates)
        case Beam():
            return told.beams, told.max_tokens
        case Sampling():
            return told.n, told.max_tokens
        case Contrastive():
            return told.k, told.max_tokens
        case Greedy():
            return 1, told.max_tokens
    raise ValueError(f"nothing is known of how {told!r} decodes")
