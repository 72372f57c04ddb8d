"""What a profile holds: one dataclass a table of its file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from capdec_core.budget import Budget
from capdec_core.encoders.config import MiniatureConfig
from capdec_core.errors import CapdecError
from capdec_core.imported.settings import PublishedSettings

if TYPE_CHECKING:
    from capdec_core.language_model import PretrainedConfig


@dataclass(frozen=True)
class CorpusSettings:
    """Which corpus, its seed, its split sizes in images, and how many images of each split are captioned."""

    name: str
    seed: int
    sizes: dict[str, int]
    captioned: dict[str, int]


@dataclass(frozen=True)
class EncoderSettings:
    """Which encoder: see `capdec_core.encoders.load_encoder`.

    Captioners read its embeddings on the unit sphere (CapDec), or at their own norm where `raw` (ClipCap).
    """

    model: str
    pretrained: str | None = None
    raw: bool = False


@dataclass(frozen=True)
class MapperSettings:
    """The mapper's shape (`capdec_core.mapper.MapperConfig`); its dimensions follow from encoder and language model."""

    kind: str
    prefix_length: int
    clip_length: int
    heads: int
    layers: int
    mlp_ratio: float
    hidden: int | None = None
    inner_width: int | None = None


@dataclass(frozen=True)
class LanguageModelSettings:
    """The shape of a GPT-2 trained on the corpus's own text, and whether a cell tunes it or leaves it frozen.

    Words that occur less than `rare` times in the training captions are one unknown word, which is never predicted.
    """

    width: int
    layers: int
    heads: int
    positions: int
    dropout: float
    tuned: bool
    rare: int = 1


@dataclass(frozen=True)
class NamedLanguageModelSettings:
    """A pre-trained language model by name (`capdec_core.pretrained`), and whether a cell tunes it.

    Its shape stands in its own configuration and nowhere else; it is read when it is asked for, so that a profile
    loads on a machine that does not have the model. CapdecError where it is asked for and not there.
    """

    name: str
    tuned: bool

    @property
    def width(self) -> int:
        """Width of the token embeddings."""
        return self._config.width

    @property
    def layers(self) -> int:
        """Number of blocks."""
        return self._config.layers

    @property
    def positions(self) -> int:
        """Tokens that it can read, prefix and caption together."""
        return self._config.positions

    @property
    def _config(self) -> "PretrainedConfig":
        from capdec_core import pretrained  # imports transformers: not for those who only read a profile

        return pretrained.pretrained_config(self.name, self.tuned)


@dataclass(frozen=True)
class DecodingSettings:
    """Beam search: its width, and the most tokens a caption may have."""

    beams: int
    max_tokens: int


@dataclass(frozen=True)
class StatisticsSettings:
    """Resamples of every bootstrap and randomisation, and their seed."""

    resamples: int
    seed: int


@dataclass(frozen=True)
class NoiseTypesSettings:
    """Grid of the noise-types study (chapter 2); variances per coordinate, radii and epsilons as norms.

    The headline values are those that claims are decided by; they have several training seeds.
    `matched_variance` is that of Student t where it is compared with a Gaussian: CapDec's, .016.
    `ceiling` says whether the captioner that is trained on images is shown too, for which photographs of the training
    split are needed.
    """

    gaussian_variances: list[float]
    headline_variances: list[float]
    ball_radii: list[float]
    student_dfs: list[int]
    headline_df: int
    matched_variance: float
    gradient_epsilons: list[float]
    headline_epsilons: list[float]
    ceiling: bool = True


@dataclass(frozen=True)
class HeadsLayersSettings:
    """Grid of the heads-and-layers study (chapter 3), around a baseline mapper; `variance` is the training noise's."""

    heads: list[int]
    layers: list[int]
    baseline_heads: int
    baseline_layers: int
    variance: float
    training: Budget


@dataclass(frozen=True)
class CosineDirectedSettings:
    """Grid of the cosine-directed study (chapter 4).

    `betas` are standard deviations per coordinate beside an embedding of norm 1 in the literal arm and of norm
    `raw_norm` in the raw-norm arm. `cosines` are those at which the repaired method is set against Gaussian
    noise, `map_dims` the dimensions of the acceptance map.
    """

    counts: list[int]
    betas: list[float]
    thresholds: list[float]
    raw_norm: float
    cosines: list[float]
    map_dims: list[int]


@dataclass(frozen=True)
class PrefixLengthSettings:
    """Grid of the prefix-length study (chapter 5); `lengths` hold Study B's 1, 10 and 20.

    Where ClipCap has an `encoder` and, for its transformer, a `clip_length` other than the rest of the book, they stand
    here; None is the profile's own.
    """

    lengths: list[int]
    training: Budget
    encoder: EncoderSettings | None = None
    clip_length: int | None = None


@dataclass(frozen=True)
class DecodingGridSettings:
    """Grid of the decoding study (chapter 6) and the variance of its text-trained captioner's noise.

    `samples` captions an image are drawn; `pool` of them are ranked by the joint encoder. `alpha` weighs the
    degeneration penalty of contrastive search over its `contrastive_k` candidates.
    """

    beams: list[int]
    top_k: int
    top_p: float
    temperature: float
    samples: int
    pool: int
    alpha: float
    contrastive_k: int
    variance: float


@dataclass(frozen=True)
class ProtocolSettings:
    """The protocol study (chapter 8): how many images Study A selected, and random halves of split-half selection."""

    selected: int
    halves: int


@dataclass(frozen=True)
class BridgesSettings:
    """Grid of the bridges study (chapter 7); variances per coordinate beside an embedding of norm 1.

    `gaussian_variances` are some of chapter 2's; `variance` is one of them, with which noise of every shape is matched
    in cosine. `moved_variances` are those of the noise on texts that were moved. Of caption memories, `memory_sizes`
    count captions (all of them are tried too) and `temperature` divides the cosine. `rank` is that of the subspace in
    which one image's captions differ most. Noise of the `headline_shapes` has several training seeds. `lengths` are
    steps of other trainings, one seed each, of the captioners without noise, with plain Gaussian noise and on images.
    `seeds` bounds the trainings of whatever moves texts or shapes noise; None leaves them as many as the profile's.
    """

    gaussian_variances: list[float]
    variance: float
    moved_variances: list[float]
    memory_sizes: list[int]
    temperature: float
    rank: int
    headline_shapes: list[str]
    lengths: list[int]
    seeds: int | None = None


@dataclass(frozen=True)
class CalibrationSettings:
    """The calibration law at other dimensions (chapter 7): linear heads of `dims` over the frozen encoder.

    Heads are trained on training pairs at the contrastive `scale`, with the budget `training`; then a captioner for
    each of them and each of `cosines`, the mean cosine that its Gaussian noise leaves.
    """

    dims: list[int]
    cosines: list[float]
    scale: float
    training: Budget


@dataclass(frozen=True)
class GeometrySettings:
    """The geometry study (chapter 1): two small heads trained at contrastive `scales`, `seeds` times each.

    `dim` is the dimension of their joint space, `hidden` the width of their hidden layer, `split` whose pairs they are
    trained on.
    """

    scales: list[float]
    seeds: int
    dim: int
    hidden: int
    training: Budget
    split: str = "train"


@dataclass(frozen=True)
class Profile:
    """One scale of the book; `seeds` is how many trainings a headline condition has.

    `pretraining` is the budget of a language model without a name, which is trained on the corpus's own captions.
    `pretrained_capdec` is Study A's baseline as it was published; it speaks through the profile's GPT-2, by name.
    """

    name: str
    title: str
    seeds: int
    corpus: CorpusSettings
    encoder: EncoderSettings
    mapper: MapperSettings
    language_model: LanguageModelSettings | NamedLanguageModelSettings
    training: Budget
    decoding: DecodingSettings
    statistics: StatisticsSettings
    geometry: GeometrySettings
    noise_types: NoiseTypesSettings
    heads_layers: HeadsLayersSettings
    cosine_directed: CosineDirectedSettings
    prefix_length: PrefixLengthSettings
    decoding_grid: DecodingGridSettings
    bridges: BridgesSettings
    calibration: CalibrationSettings
    protocol: ProtocolSettings
    pretraining: Budget | None = None
    miniature: MiniatureConfig | None = None
    pretrained_capdec: PublishedSettings | None = None
    chapters: list[str] | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        if self.pretraining is None and isinstance(self.language_model, LanguageModelSettings):
            raise CapdecError(
                f"profile {self.name}: missing key 'pretraining': its language model is trained here"
            )
