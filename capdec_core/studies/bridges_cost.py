"""What a way over the gap costs, from the records of its cells."""

from dataclasses import dataclass
from statistics import median

from capdec_core.cell import Decoded, StoredCell
from capdec_core.studies.conditions import Condition
from capdec_core.studies.results import Results


@dataclass(frozen=True)
class Cost:
    """Medians over training seeds.

    Attributes:
        training: seconds of fitting and training; of images that are moved, their captioner's, without the fit of the
            move; of retrieval, the fit alone.
        speed: captions a second.
        memory: bytes that the bridge keeps beside the captioner.
        trainable: trainable parameters.
        peak: largest memory of the process, or of the device, in bytes.
    """

    training: float
    speed: float
    memory: float
    trainable: int
    peak: float


def cost(results: Results, condition: Condition) -> Cost:
    """Return what a condition costs."""
    cells, records = results.cells[condition], results.records(condition)
    return Cost(
        training=median(_training(results, cell) for cell in cells),
        speed=median(_speed(results, cell) for cell in cells),
        memory=median(record["bridge"]["memory"] for record in records),
        trainable=records[0]["trainable_parameters"],
        peak=median(record["peak_memory"] for record in records),
    )


def _training(results: Results, cell: StoredCell) -> float:
    record = results.store.record(cell.cell if isinstance(cell, Decoded) else cell)
    return record["seconds"] - record["decoding_seconds"]


def _speed(results: Results, cell: StoredCell) -> float:
    """Return captions a second: as it was timed, or of a trained cell all that it decoded by the seconds it took."""
    record = results.store.record(cell)
    timed = record.get("images_per_second")
    return timed or sum(evaluation.images for evaluation in cell.evaluations) / record["decoding_seconds"]
