"""A profile small enough to train cells in seconds, cells of it, and stand-ins for a corpus and an encoder."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from multiprocessing.context import BaseContext
from typing import Any, ClassVar, Self

import numpy as np

from capdec_core.bridges import Bridge
from capdec_core.budget import Budget
from capdec_core.cell import CellConfig, Evaluation
from capdec_core.corpora import Split
from capdec_core.errors import CapdecError
from capdec_core.noise import Gaussian, Perturbation
from capdec_core.profiles import CorpusSettings, Profile, load_profile

LABELS: list[list[str]] = [["cat"], ["dog", "cat"], ["cup"]]
CAPTIONS = {
    "train": [["a cat .", "a black cat"], ["a dog and a cat", "two animals", "a dog"], ["a cup"]],
    "test": [["one cat"], ["the dog", "a dog , a cat"], ["some cup", "a red cup", "a cup ."]],
}


def small_profile(**changes: Any) -> Profile:
    """The smoke profile with fewer scenes and steps; `changes` replace its fields."""
    fewer = {
        "name": "small",
        "corpus": CorpusSettings("scenes", 0, {"train": 60, "test": 12}, captioned={"test": 8}),
        "pretraining": Budget(20, 16, 5e-3),
        "training": Budget(6, 16, 5e-3),
    }
    return replace(load_profile("smoke"), **(fewer | changes))


def cell_config(**changes: Any) -> CellConfig:
    """A cell that nothing was trained for."""
    values = {
        "corpus": "corpus",
        "encoder": "encoder",
        "tokenizer": "tokenizer",
        "train_on": "text",
        "bridge": Bridge(noise=Gaussian(0.016)).to_dict(),
        "mapper": {"kind": "mlp", "heads": 2},
        "language_model": {"width": 32, "tuned": True},
        "pretraining": {"steps": 5},
        "training": {"steps": 10, "learning_rate": 1e-3},
        "decoding": {"beams": 5, "max_tokens": 20},
        "evaluations": (Evaluation("val", "image", 4), Evaluation("test", "image", 8)),
        "seed": 0,
    }
    return CellConfig(**(values | changes))


@dataclass
class ToyCorpus:
    """Three images a split, told in an uneven number of captions; image i is uniformly of brightness i + 1."""

    captions: dict[str, list[list[str]]] = field(default_factory=lambda: CAPTIONS)
    fingerprint: str = "toy"
    name: str = "toy"
    objects_mentioned = None

    def split(self, name: str) -> Split:
        """Return the split; as the protocol asks, CapdecError for an unknown name."""
        if name not in self.captions:
            raise CapdecError(f"no split {name!r}; the splits are: {', '.join(self.captions)}")
        groups = self.captions[name]
        ids = [f"{name}-{index}" for index in range(len(groups))]
        return Split(name, ids, groups, LABELS, _uniform)


def _uniform(indices: Sequence[int]) -> np.ndarray:
    brightness = np.array([index + 1 for index in indices], dtype=np.uint8)
    return np.broadcast_to(brightness[:, None, None, None], (len(indices), 4, 4, 3))


class CountingEncoder:
    """Embeds a text by its own hash and an image by its brightness; counts what it was asked for."""

    name, dim = "counting", 6

    def __init__(self, fingerprint: str = "counting") -> None:
        self.fingerprint = fingerprint
        self.image_calls: list[int] = []
        self.text_calls: list[list[str]] = []

    def encode_images(self, images: np.ndarray) -> np.ndarray:
        """Return rows that tell the image's brightness."""
        self.image_calls.append(len(images))
        return np.stack([self.of_image(int(image[0, 0, 0])) for image in images])

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        """Return rows that tell the text."""
        self.text_calls.append(texts)
        return np.stack([self.of_text(text) for text in texts])

    def of_image(self, brightness: int) -> np.ndarray:
        """Return the embedding of a uniform image."""
        return np.arange(self.dim, dtype=np.float32) * brightness + brightness**2

    def of_text(self, text: str) -> np.ndarray:
        """Return the embedding of a text."""
        digest = hashlib.sha256((self.fingerprint + text).encode()).digest()
        return np.frombuffer(digest[: self.dim], dtype=np.uint8).astype(np.float32) + 1


def with_noise(cell: CellConfig, noise: Perturbation, seed: int = 0) -> CellConfig:
    """Return the cell with another perturbation and seed."""
    return replace(cell, bridge=Bridge(noise=noise).to_dict(), seed=seed)


class InlineExecutor:
    """A process pool without processes: work is done when it is handed in. Remembers the pools that were made."""

    made: ClassVar[list["InlineExecutor"]] = []

    def __init__(self, max_workers: int, mp_context: BaseContext) -> None:
        self.max_workers, self.method = max_workers, mp_context.get_start_method()
        self.submitted: list[tuple[Any, ...]] = []
        self.made.append(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind: there is nothing."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call the function now; an Exception waits in the future, as in a pool."""
        self.submitted.append(arguments)
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def map(self, function: Callable[..., Any], *iterables: Any) -> Iterable[Any]:
        """Call the function on each item now."""
        return map(function, *iterables)


def die(*_: Any) -> None:
    """Stand in for a worker that the machine kills."""
    os._exit(9)
