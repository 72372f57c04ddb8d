"""A condition of a study: what is varied, as a line of its grid, and the cells that realise it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from capdec_core.cell import CellConfig, Evaluation, Source
from capdec_core.material import Material, captioner_settings
from capdec_core.noise import Gaussian, NoNoise, Perturbation
from capdec_core.profiles import Profile


@dataclass(frozen=True)
class Condition:
    """One line of a study's grid.

    Attributes:
        family: what it belongs to in figures ("gaussian").
        label: what tables call it, units said.
        noise: the perturbation in training.
        parameter: the family's own parameter (variance, radius, df, epsilon), for ordering.
        train_on: modality of the training embeddings.
        evaluate: modality at the input when captions are decoded.
        seeds: how many training seeds it has.
    """

    family: str
    label: str
    noise: Perturbation = field(default_factory=NoNoise)
    parameter: float | None = None
    train_on: Source = "text"
    evaluate: Source = "image"
    seeds: int = 1

    def evaluation(self, split: str) -> str:
        """Return the key of this condition's captions of a split in its cells' files."""
        return f"{split}/{self.evaluate}"


def cells_of(condition: Condition, profile: Profile, material: Material) -> list[CellConfig]:
    """Return the condition's cells, one a seed. Conditions that differ in `evaluate` alone share theirs."""
    mapper, language_model = captioner_settings(profile, material)
    evaluations = tuple(
        Evaluation(split, source, images)
        for split, images in profile.corpus.captioned.items()
        for source in _sources(condition)
    )
    return [
        CellConfig(
            corpus=material.corpus,
            encoder=material.encoder,
            tokenizer=material.tokenizer,
            train_on=condition.train_on,
            noise=condition.noise.to_dict(),
            mapper=mapper,
            language_model=language_model,
            pretraining=asdict(profile.pretraining),
            training=asdict(profile.training),
            decoding=asdict(profile.decoding),
            evaluations=evaluations,
            seed=seed,
        )
        for seed in range(condition.seeds)
    ]


def _sources(condition: Condition) -> tuple[Source, ...]:
    """Say what is decoded: images, and for the Gaussian curve and its start what is left of text to text."""
    if condition.train_on == "blank":
        return ("blank",)
    if condition.train_on == "text" and isinstance(condition.noise, NoNoise | Gaussian):
        return ("image", "text")
    return ("image",)


def all_cells(conditions: Sequence[Condition], profile: Profile, material: Material) -> list[CellConfig]:
    """Return the cells of all conditions, each once."""
    cells = (cell for condition in conditions for cell in cells_of(condition, profile, material))
    return list({cell.id: cell for cell in cells}.values())
