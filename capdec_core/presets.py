"""Published captioners by name: the setting that each source gives, in this book's units.

`PRESETS[name].condition()` is a line of a study's grid; profile `coco` holds the same lines, cell for cell.
"""

from dataclasses import dataclass, replace

from capdec_core.bridges.presets import CAPDEC_VARIANCE
from capdec_core.budget import Budget
from capdec_core.cell import Source
from capdec_core.noise import Gaussian, NoNoise, Perturbation
from capdec_core.profiles import DecodingSettings, EncoderSettings, MapperSettings
from capdec_core.studies.conditions import Condition
from capdec_core.studies.pretrained_capdec import BASELINE_VARIANCE

TRAINING_CAPTIONS = 566_747
"""Captions of COCO's training split, restval included."""
LANGUAGE_MODEL = "gpt2"
DECODING = DecodingSettings(beams=5, max_tokens=67)
"""How both papers decode: beam search, at most 67 tokens."""
CAPDEC_ENCODER = EncoderSettings("RN50x4", "openai")
CLIPCAP_ENCODER = EncoderSettings("ViT-B-32", "openai", raw=True)


@dataclass(frozen=True)
class Preset:
    """A published captioner.

    Attributes:
        source: paper, and the code that the setting was read in.
        encoder: whose embeddings it reads; CapDec's are put on the unit sphere, ClipCap's are read as they come.
        mapper: the mapper's shape.
        tuned: whether GPT-2 is trained too.
        train_on: modality of the training embeddings.
        noise: on the training embedding; its variance is per coordinate, beside an embedding of norm 1.
        epochs, batch_size: of COCO's training captions.
        learning_rate, warmup_steps: of AdamW, with linear warm-up and decay and no weight decay.
    """

    source: str
    encoder: EncoderSettings
    mapper: MapperSettings
    tuned: bool
    train_on: Source
    noise: Perturbation
    batch_size: int
    epochs: int = 10
    learning_rate: float = 2e-5
    warmup_steps: int = 5000

    def budget(self, captions: int = TRAINING_CAPTIONS, checkpoint_every: int = 0) -> Budget:
        """Return the budget for a number of training captions; each epoch leaves out what fills no batch."""
        return Budget(
            steps=self.epochs * (captions // self.batch_size),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            warmup_steps=self.warmup_steps,
            checkpoint_every=checkpoint_every,
        )

    def condition(self, name: str, training: Budget | None = None) -> Condition:
        """Return it as a condition called `name`, with its own budget unless another is given."""
        return Condition(
            family=name,
            label=name,
            noise=self.noise,
            train_on=self.train_on,
            mapper=self.mapper,
            tuned=self.tuned,
            training=training or self.budget(),
            encoder=None if self.encoder == CAPDEC_ENCODER else self.encoder,
        )


_CAPDEC = "Nukrai et al. 2022, CapDec; DavidHuji/CapDec, train.py and predictions_runner.py"
_CLIPCAP = "Mokady et al. 2021, ClipCap; rmokady/CLIP_prefix_caption, train.py and predict.py"
_STUDY_A = "Study A: its baseline, the published pre-trained CapDec of variance .05"
_STUDY_B = (
    "Study B: ClipCap's MLP before a frozen GPT-2, 10 epochs with AdamW; what it does not say is ClipCap's"
)

_TRANSFORMER = MapperSettings(
    kind="transformer", prefix_length=40, clip_length=40, heads=8, layers=8, mlp_ratio=2.0
)


def _clipcap(kind: str, length: int) -> MapperSettings:
    return replace(_TRANSFORMER, kind=kind, prefix_length=length, clip_length=10)


def _capdec_of(variance: float, source: str) -> Preset:
    return Preset(source, CAPDEC_ENCODER, _TRANSFORMER, True, "text", Gaussian(variance), batch_size=34)


def _clipcap_of(kind: str, length: int, tuned: bool, source: str) -> Preset:
    mapper = _clipcap(kind, length)
    return Preset(source, CLIPCAP_ENCODER, mapper, tuned, "image", NoNoise(), batch_size=40)


PRESETS: dict[str, Preset] = {
    "CapDec": _capdec_of(CAPDEC_VARIANCE, _CAPDEC),
    "Study A's baseline": _capdec_of(BASELINE_VARIANCE, _STUDY_A),
    "ClipCap, MLP": _clipcap_of("mlp", 10, True, _CLIPCAP),
    "ClipCap, transformer": _clipcap_of("transformer", 10, False, _CLIPCAP),
    **{f"Study B, k = {k}": _clipcap_of("mlp", k, False, _STUDY_B) for k in (1, 10, 20)},
}
"""The captioners of both papers and of both studies, as published."""
