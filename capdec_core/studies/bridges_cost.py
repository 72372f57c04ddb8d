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
        speed: captions a second, timed with nothing else in the process; trained captioners have one shape, so that one
            of them is timed for all that read images as they are.
        memory: bytes that the bridge keeps beside the captioner.
        trainable: trainable parameters.
        peak: largest memory of the process, or of the device, in bytes.
    """

    training: float
    speed: float
    memory: float
    trainable: int
    peak: float


def cost(results: Results, condition: Condition, timed: Condition) -> Cost:
    """Return what a condition costs; `timed` is the captioner that is timed for all."""
    cells, records = results.cells[condition], results.records(condition)
    speeds = records if "images_per_second" in records[0] else results.records(timed)
    return Cost(
        training=median(_training(results, cell) for cell in cells),
        speed=median(record["images_per_second"] for record in speeds),
        memory=median(record["bridge"]["memory"] for record in records),
        trainable=records[0]["trainable_parameters"],
        peak=median(record["peak_memory"] for record in records),
    )


def _training(results: Results, cell: StoredCell) -> float:
    record = results.store.record(cell.cell if isinstance(cell, Decoded) else cell)
    return record["seconds"] - record["decoding_seconds"]
