"""A condition of a study: what is varied, as a line of its grid, and the cells that realise it."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

from capdec_core.bridges import Bridge, Sight
from capdec_core.budget import Budget
from capdec_core.cell import CellConfig, Decoded, Evaluation, Imported, Retrieved, Source, StoredCell
from capdec_core.decoding import Beam, Decoding
from capdec_core.errors import CapdecError
from capdec_core.imported.settings import PublishedSettings
from capdec_core.material import Material, Wanted, captioner_settings
from capdec_core.noise import NoNoise, Perturbation
from capdec_core.profiles import EncoderSettings, MapperSettings, NamedLanguageModelSettings, Profile


@dataclass(frozen=True)
class Condition:
    """One line of a study's grid; what is None is the profile's.

    Attributes:
        family: what it belongs to in figures ("gaussian").
        label: what tables call it, units said.
        noise: the perturbation in training.
        parameter: the family's own parameter (variance, radius, df, epsilon, k), for ordering.
        train_on: modality of the training embeddings.
        evaluate: modality at the input when captions are decoded.
        seeds: how many training seeds it has.
        reads: every modality that its cells decode; conditions that share cells agree in it.
        splits: the splits that its cells decode, the test split alone where nothing is selected.
        mapper: the mapper's shape.
        tuned: whether the language model is trained too.
        training: the budget of a training.
        decoding: another way to decode the same trained captioners; of test images alone, from `evaluate`.
        bridge: moves on either side of the gap and noise, in place of `noise`.
        dim: dimension to which heads reduce the joint embedding (`capdec_core.encoders.reduced`).
        encoder: the encoder whose embeddings of images are read, in training too.
        checkpoint: a published captioner, which is not trained here; `noise` is then what it was trained with.
    """

    family: str
    label: str
    noise: Perturbation = field(default_factory=NoNoise)
    parameter: float | None = None
    train_on: Source = "text"
    evaluate: Source = "image"
    seeds: int = 1
    reads: tuple[Source, ...] = ("image",)
    splits: tuple[str, ...] = ("val", "test")
    mapper: MapperSettings | None = None
    tuned: bool | None = None
    training: Budget | None = None
    decoding: Decoding | None = None
    bridge: Bridge | None = None
    dim: int | None = None
    encoder: EncoderSettings | None = None
    checkpoint: PublishedSettings | None = None

    @property
    def across(self) -> Bridge:
        """What is done to embeddings on either side of the gap: the bridge, or the noise alone."""
        return self.bridge or Bridge(noise=self.noise)

    @property
    def needs_images(self) -> bool:
        """Whether it takes training images: to train on, to fit its bridge, or for heads that reduce the embedding."""
        return self.train_on == "image" or self.dim is not None or self.across.sight is not Sight.NEVER

    def evaluation(self, split: str) -> str:
        """Return the key of this condition's captions of a split in its cells' files."""
        return f"{split}/{self.evaluate}"


def cells_of(condition: Condition, profile: Profile, material: Material) -> list[StoredCell]:
    """Return the condition's cells, one a seed. Conditions that differ in `evaluate` alone share theirs.

    So do bridges that leave training texts alone: they decode one training from images that each moves its own way.
    """
    if condition.checkpoint is not None:
        return [_imported(condition, condition.checkpoint, profile, material)]
    bridge, material = condition.across, material.by(condition.encoder).at(condition.dim)
    if bridge.retrieves:
        return [_retrieved(condition, profile, material)]
    if bridge.moves and not bridge.moves_text and isinstance(bridge.noise, Perturbation):
        plain = replace(condition, bridge=Bridge(noise=bridge.noise))
        trained = [_trained(plain, profile, material, seed) for seed in range(condition.seeds)]
        moves, decoding = tuple(move.to_dict() for move in bridge.moves), Beam(**asdict(profile.decoding))
        return [Decoded(cell, decoding.to_dict(), cell.evaluations, moves) for cell in trained]
    trained = [_trained(condition, profile, material, seed) for seed in range(condition.seeds)]
    if condition.decoding is None:
        return list(trained)
    asked = tuple(e for e in _evaluations(condition, profile) if e.key == condition.evaluation("test"))
    return [Decoded(cell, condition.decoding.to_dict(), asked) for cell in trained]


def _imported(
    condition: Condition, checkpoint: PublishedSettings, profile: Profile, material: Material
) -> Imported:
    if not isinstance(profile.language_model, NamedLanguageModelSettings):
        raise CapdecError(
            f"profile {profile.name}: the checkpoint {checkpoint.hub} speaks through a GPT-2 by name, and the "
            "profile's language model has none"
        )
    return Imported(
        corpus=material.corpus,
        encoder=material.encoder,
        tokenizer=material.tokenizer,
        checkpoint=asdict(checkpoint),
        language_model=profile.language_model.name,
        decoding=asdict(profile.decoding),
        evaluations=_evaluations(condition, profile),
    )


def _retrieved(condition: Condition, profile: Profile, material: Material) -> Retrieved:
    return Retrieved(
        corpus=material.corpus,
        encoder=material.encoder,
        tokenizer=material.tokenizer,
        bridge=condition.across.to_dict(),
        evaluations=_evaluations(condition, profile),
    )


def _trained(condition: Condition, profile: Profile, material: Material, seed: int) -> CellConfig:
    mapper, language_model = captioner_settings(_with_shape(profile, condition), material)
    return CellConfig(
        corpus=material.corpus,
        encoder=material.encoder,
        tokenizer=material.tokenizer,
        train_on=condition.train_on,
        bridge=condition.across.to_dict(),
        mapper=mapper,
        language_model=language_model,
        pretraining=asdict(profile.pretraining) if profile.pretraining else {},
        training=asdict(condition.training or profile.training),
        decoding=asdict(profile.decoding),
        evaluations=_evaluations(condition, profile),
        seed=seed,
    )


def _with_shape(profile: Profile, condition: Condition) -> Profile:
    language_model = profile.language_model
    if condition.tuned is not None:
        language_model = replace(language_model, tuned=condition.tuned)
    return replace(profile, mapper=condition.mapper or profile.mapper, language_model=language_model)


def _evaluations(condition: Condition, profile: Profile) -> tuple[Evaluation, ...]:
    captioned = profile.corpus.captioned
    return tuple(
        Evaluation(split, source, captioned[split])
        for split in condition.splits
        for source in condition.reads
    )


def wanted_by(conditions: Iterable[Condition]) -> Wanted:
    """Return what the cells of conditions read of training images."""
    looking = [condition for condition in conditions if condition.needs_images]
    dims = {condition.dim for condition in looking if condition.dim is not None}
    return Wanted(frozenset(condition.encoder for condition in looking), frozenset(dims))


def all_cells(conditions: Sequence[Condition], profile: Profile, material: Material) -> list[StoredCell]:
    """Return the cells of all conditions, each once."""
    cells = (cell for condition in conditions for cell in cells_of(condition, profile, material))
    return list({cell.id: cell for cell in cells}.values())
