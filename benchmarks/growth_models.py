"""Curves of encoding, training, noise and decoding: a captioner of the default profile, one size of it growing."""

from dataclasses import asdict
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.data import unit_rows
from benchmarks.growth_curve import Curve, Prepare, Work, doubled, growing
from benchmarks.growth_fit import LINEAR, Theory
from capdec_core.batches import PackedCaptions
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.decoding import Beam, Contrastive, Decoding, decode_with
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig
from capdec_core.noise import Gaussian, perturbation_from_dict
from capdec_core.profiles import Profile, load_profile
from capdec_core.training import train

DIM, VOCABULARY = 512, 512
SHORTEST, LONGEST = 6, 14  # tokens of a caption
BATCH, STEPS = 32, 4
CANDIDATES = 100
DECODED, WRITTEN = 16, 12  # images, and tokens of each caption, where these do not grow

ATTENTION = Theory(
    2,
    "linear layers see each of k positions once, attention sees each pair of them, and captions stay",
    least=1,
)

NOISES: dict[str, dict[str, Any]] = {
    "Gaussian noise": {"kind": "Gaussian", "variance": 0.016},
    "Uniform ball": {"kind": "UniformBall", "radius": 2.0},
    "Student t": {"kind": "StudentT", "df": 5},
    "Multivariate t": {"kind": "MultivariateT", "df": 5, "variance": 0.016},
    "Random direction": {"kind": "RandomDirection", "epsilon": 0.1},
    "Fixed cosine": {"kind": "FixedCosine", "cosine": 0.8},
    "Shuffled embeddings": {"kind": "Shuffled"},
}
"""Kinds whose every number belongs to one of d coordinates."""


@cache
def profile() -> Profile:
    """Return the profile whose captioner grows."""
    return load_profile("scenes")


def shape(*, tokens: int = LONGEST + 1, **mapper: Any) -> CaptionerConfig:
    """Return the profile's captioner with another mapper, and positions for `tokens` tokens."""
    width = profile().language_model.width
    settings = asdict(profile().mapper) | {"embedding_dim": DIM, "width": width} | mapper
    positions = settings["prefix_length"] + tokens
    language_model = asdict(profile().language_model) | {"vocab_size": VOCABULARY, "positions": positions}
    language_model.pop("rare")  # concerns the vocabulary
    return CaptionerConfig(MapperConfig(**settings), LanguageModelConfig(**language_model))


def captions(count: int) -> list[list[int]]:
    """Return random captions, `SHORTEST` to `LONGEST` tokens long."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (count,), generator=generator).tolist()
    flat = torch.randint(VOCABULARY - 3, (sum(lengths),), generator=generator)
    return [part.tolist() for part in flat.split(lengths)]


def epoch(size: int, device: str) -> Work:
    """Train on each of `size` captions once."""
    return _training(shape(), size, size // BATCH, device)


def steps(size: int, device: str, *, grows: str, kind: str = "transformer") -> Work:
    """Train some steps with a mapper one of whose numbers is `size`."""
    return _training(shape(kind=kind, **{grows: size}), BATCH, STEPS, device)


def _training(config: CaptionerConfig, count: int, steps: int, device: str) -> Work:
    captioner = Captioner(config).to(device)
    rows, packed = unit_rows(count, config.mapper.embedding_dim, 0), PackedCaptions.pack(captions(count))
    budget = Budget(steps, BATCH, profile().training.learning_rate)
    return lambda: train(captioner, rows, packed, Gaussian(0.016), budget, 0, device)


def drawing(size: int, device: str, *, noise: dict[str, Any]) -> Work:
    """Perturb a batch of rows in `size` dimensions."""
    perturbation, x = perturbation_from_dict(noise), unit_rows(BATCH, size, 0).to(device)
    generator = torch.Generator(device).manual_seed(0)
    return lambda: perturbation(x, generator=generator)


def directed(n: int) -> dict[str, Any]:
    """Return cosine-directed noise of n candidates, of which some are kept and some are not."""
    return {"kind": "CosineDirected", "n": n, "beta": 0.05, "threshold": 0.65}


def gradient_noise(size: int, device: str) -> Work:
    """Perturb a batch of rows in `size` dimensions along the gradient of the captions' loss."""
    captioner, packed = Captioner(shape(embedding_dim=size)).to(device), PackedCaptions.pack(captions(BATCH))
    tokens, lengths = packed.to(torch.device(device)).padded(torch.arange(BATCH, device=device), LONGEST)
    noise = perturbation_from_dict({"kind": "NormalisedGradient", "epsilon": 0.1})
    x, generator = unit_rows(BATCH, size, 0).to(device), torch.Generator(device)

    def loss(at: Tensor) -> Tensor:
        return captioner.loss(at, tokens, lengths, per_sample=True)

    return lambda: noise(x, generator=generator, loss=loss)


def candidates(size: int, device: str) -> Work:
    """Perturb a batch of rows by cosine-directed noise of `size` candidates."""
    return drawing(DIM, device, noise=directed(size))


def decoding(size: int, device: str, *, grows: str, contrastive: bool = False) -> Work:
    """Decode with an untrained captioner; `grows` is "images", "tokens", "beams" or "prefix_length".

    No caption ends before its last token: the end of text that is looked for is no token of the vocabulary.
    """
    numbers = {"images": DECODED, "tokens": WRITTEN, "beams": profile().decoding.beams, "prefix_length": 4}
    numbers[grows] = size
    captioner = Captioner(shape(tokens=numbers["tokens"] + 1, prefix_length=numbers["prefix_length"])).to(
        device
    )
    x = unit_rows(numbers["images"], DIM, 0)
    way: Decoding = Beam(numbers["beams"], numbers["tokens"])
    if contrastive:
        grid = profile().decoding_grid
        way = Contrastive(grid.alpha, grid.contrastive_k, numbers["tokens"])
    return lambda: decode_with(captioner, x, way, eos_id=VOCABULARY, seed=0)


def of_training() -> list[Curve]:
    """Return the curves of training."""
    first_layer = Theory(1, "only the mapper's first layer has a weight for each of d coordinates")
    squares = Theory(2, "the hidden layer and the output both grow with k, so there are k² weights", least=1)
    layers = Theory(1, "every layer costs the same, and the language model stays")
    transformer, mlp = (f"Training, {STEPS} steps, {kind}" for kind in ("transformer", "MLP"))
    lengths = "prefix length k"
    return [
        growing("captions", "Training epoch", "captions", doubled(256, 6), epoch, LINEAR),
        growing(
            "dimension", transformer, "dimension d", doubled(128, 6), _steps("embedding_dim"), first_layer
        ),
        growing("prefix length", transformer, lengths, doubled(8, 6), _steps("prefix_length"), ATTENTION),
        growing("prefix length", mlp, lengths, doubled(4, 6), _steps("prefix_length", kind="mlp"), squares),
        growing("layers", transformer, "mapper layers", doubled(4, 6), _steps("layers"), layers),
    ]


def of_noise() -> list[Curve]:
    """Return the curves of noise: every kind against the dimension, and the candidates of the directed one."""
    coordinates = Theory(1, "a row has d coordinates", least=1)
    numbers = Theory(1, "a candidate costs some numbers at any d, and a row d coordinates")
    loss = Theory(1, "one caption loss and its gradient, of which d concerns the first layer alone")
    of_candidates = Theory(1, "a row costs some numbers a candidate", least=1)
    works: list[tuple[str, Prepare, Theory]] = [
        *((name, partial(drawing, noise=noise), coordinates) for name, noise in NOISES.items()),
        ("Cosine-directed noise", partial(drawing, noise=directed(CANDIDATES)), numbers),
        ("Gradient noise", gradient_noise, loss),
    ]
    found = [
        growing("dimension", name, "dimension d", doubled(128, 6), work, theory)
        for name, work, theory in works
    ]
    name, sizes = "Cosine-directed noise", doubled(64, 6)
    return [*found, growing("candidates", name, "candidates N", sizes, candidates, of_candidates)]


def of_decoding() -> list[Curve]:
    """Return the curves of decoding."""
    prefix = Theory(2, "the prefix is read once, pair by pair, and each step looks back at its k positions")
    beams = Theory(
        2, "each beam looks at the tokens of all beams through a mask; the rest is linear", least=1
    )
    tokens = Theory(2, "each token looks back at all before it; the rest is linear", least=1)
    found = [
        growing("beams", "Beam search", "beams", doubled(1, 6), _decoding("beams"), beams),
        growing(
            "prefix length",
            "Beam search",
            "prefix length k",
            doubled(8, 6),
            _decoding("prefix_length"),
            prefix,
        ),
    ]
    for name, contrastive in (("Beam search", False), ("Contrastive search", True)):
        by_images, by_tokens = (_decoding(grows, contrastive) for grows in ("images", "tokens"))
        found.append(growing("images", name, "images", doubled(32, 5), by_images, LINEAR))
        found.append(growing("tokens", name, "tokens a caption", doubled(8, 5), by_tokens, tokens))
    return found


def _steps(grows: str, kind: str = "transformer") -> Prepare:
    return partial(steps, grows=grows, kind=kind)


def _decoding(grows: str, contrastive: bool = False) -> Prepare:
    return partial(decoding, grows=grows, contrastive=contrastive)
