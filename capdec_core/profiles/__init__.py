"""Profiles: every number of a scale in one file, read strictly.

A profile is a TOML file in this folder. An unknown key, a missing one or a wrong type is refused with its name.
"""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from capdec_core.budget import Budget
from capdec_core.encoders.config import MiniatureConfig
from capdec_core.errors import CapdecError
from capdec_core.paths import PROFILES

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
    """Which encoder: see `capdec_core.encoders.load_encoder`."""

    model: str
    pretrained: str | None = None


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
    """

    gaussian_variances: list[float]
    headline_variances: list[float]
    ball_radii: list[float]
    student_dfs: list[int]
    headline_df: int
    matched_variance: float
    gradient_epsilons: list[float]
    headline_epsilons: list[float]


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
    """Grid of the prefix-length study (chapter 5); `lengths` hold Study B's 1, 10 and 20."""

    lengths: list[int]
    training: Budget


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
    which one image's captions differ most. Noise of the `headline_shapes` has several training seeds. `seeds` bounds
    the trainings of whatever moves texts or shapes noise; None leaves them as many as the profile's.
    """

    gaussian_variances: list[float]
    variance: float
    moved_variances: list[float]
    memory_sizes: list[int]
    temperature: float
    rank: int
    headline_shapes: list[str]
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

    `dim` is the dimension of their joint space, `hidden` the width of their hidden layer.
    """

    scales: list[float]
    seeds: int
    dim: int
    hidden: int
    training: Budget


@dataclass(frozen=True)
class Profile:
    """One scale of the book; `seeds` is how many trainings a headline condition has."""

    name: str
    title: str
    seeds: int
    corpus: CorpusSettings
    encoder: EncoderSettings
    mapper: MapperSettings
    language_model: LanguageModelSettings | NamedLanguageModelSettings
    pretraining: Budget
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
    miniature: MiniatureConfig | None = None
    chapters: list[str] | None = None
    partial: bool = False


def profile_names() -> list[str]:
    """Return the names that `load_profile` knows."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def load_profile(name: str, device: str = "cuda") -> Profile:
    """Return the profile called `name`, or the part of it that a CPU is given, where it has such a part.

    CapdecError names the right profiles, or the wrong key in the file.
    """
    if name not in profile_names():
        raise CapdecError(f"no profile {name!r}; PROFILE is one of: {', '.join(profile_names())}")
    return read_profile(PROFILES / f"{name}.toml", device)


def read_profile(path: Path, device: str = "cuda") -> Profile:
    """Return the profile in a TOML file, checked key by key.

    What its table `on_cpu` holds stands in place of the rest where the device is a CPU: the chapters that are run
    there, and smaller grids.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise CapdecError(f"{path.name} is not TOML: {error}") from None
    part = table.pop("on_cpu", {})
    whole = strict(Profile, {"name": path.stem} | table, path.name)
    if not part or not device.startswith("cpu"):
        return whole
    return strict(Profile, {"name": path.stem, "partial": True} | _over(table, part), f"{path.name} on a CPU")


def _over(table: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return a table in which what `part` holds stands in place of what was there."""
    nested = {k: _over(table[k], v) for k, v in part.items() if isinstance(v, dict) and k in table}
    return table | part | nested


def strict(kind: Any, value: Any, where: str) -> Any:
    """Build dataclass `kind` from a table: CapdecError for an unknown or missing key or a wrong type."""
    if isinstance(kind, types.UnionType):
        return None if value is None else strict(_meant(typing.get_args(kind), value), value, where)
    if dataclasses.is_dataclass(kind):
        return _strict_table(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list and isinstance(value, list):
        return [strict(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value)]
    if origin is dict and isinstance(value, dict):
        return {key: strict(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if kind is Any:
        return value
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if origin is None and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    raise CapdecError(f"{where}: {value!r} is not a {getattr(kind, '__name__', kind)}")


def _meant(kinds: tuple[Any, ...], value: Any) -> Any:
    """Return which of several kinds a value is meant to be: a table that has a name is the kind that has one."""
    if isinstance(value, dict) and "name" in value:
        return next((kind for kind in kinds if "name" in typing.get_type_hints(kind)), kinds[0])
    return kinds[0]


def _strict_table(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise CapdecError(f"{where}: {value!r} is not a table")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    if unknown := sorted(set(value) - set(fields)):
        raise CapdecError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(fields)}")
    required = {name for name, field in fields.items() if field.default is dataclasses.MISSING}
    if missing := sorted(required - set(value)):
        raise CapdecError(f"{where}: missing key {missing[0]!r}")
    return kind(**{key: strict(hints[key], item, f"{where}: {key}") for key, item in value.items()})
