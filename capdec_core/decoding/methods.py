"""Ways of decoding as values: checked, named for tables, and written as dictionaries."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from capdec_core.errors import CapdecError
from capdec_core.profiles import strict


@dataclass(frozen=True)
class Decoding(ABC):
    """A way to read captions off a captioner. `max_tokens` always counts end of text.

    Attributes:
        method: its name in dictionaries.
        looks_twice: whether the image's embedding is used again after the captioner has read it.
    """

    method: ClassVar[str]
    looks_twice: ClassVar[bool] = False

    @property
    @abstractmethod
    def label(self) -> str:
        """What tables call it: the method and its settings."""

    def to_dict(self) -> dict[str, Any]:
        """Return {"method": name, field: value, ...}, JSON that `decoding_from_dict` reads back."""
        return {"method": self.method} | asdict(self)


@dataclass(frozen=True)
class Greedy(Decoding):
    """The likeliest next token, always. ValueError for `max_tokens` below 1, here and in all others."""

    max_tokens: int
    method = "greedy"

    def __post_init__(self) -> None:
        _at_least_one(max_tokens=self.max_tokens)

    @property
    def label(self) -> str:
        """What tables call it."""
        return "Greedy"


@dataclass(frozen=True)
class Beam(Decoding):
    """Beam search of this width, by mean log-probability; ValueError for `beams` below 1."""

    beams: int
    max_tokens: int
    method = "beam"

    def __post_init__(self) -> None:
        _at_least_one(beams=self.beams, max_tokens=self.max_tokens)

    @property
    def label(self) -> str:
        """What tables call it."""
        return f"Beam {self.beams}"


@dataclass(frozen=True)
class Sampling(Decoding):
    """`n` captions an image, drawn from the model: see `sampling.sample`.

    ValueError for n or top_k below 1, a temperature that is not positive, or top_p outside (0, 1].
    """

    n: int
    max_tokens: int
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    method = "sample"

    def __post_init__(self) -> None:
        _at_least_one(n=self.n, max_tokens=self.max_tokens)
        if self.top_k is not None:
            _at_least_one(top_k=self.top_k)
        if not self.temperature > 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"temperature must be positive and top_p in (0, 1], not {self.temperature} and {self.top_p}"
            )

    @property
    def label(self) -> str:
        """What tables call it: "Nucleus, p 0.9, temperature 1"."""
        parts = {"Top-k": self.top_k and f"k {self.top_k}", "Nucleus": self.top_p < 1 and f"p {self.top_p:g}"}
        used = {name: setting for name, setting in parts.items() if setting}
        name = " and ".join(used).replace("and N", "and n") or "Sampling"
        return ", ".join([name, *used.values(), f"temperature {self.temperature:g}"])


@dataclass(frozen=True)
class Contrastive(Decoding):
    """Contrastive search: see `contrastive_search.contrastive`; ValueError for alpha outside [0, 1] or k below 1."""

    alpha: float
    k: int
    max_tokens: int
    method = "contrastive"

    def __post_init__(self) -> None:
        _at_least_one(k=self.k, max_tokens=self.max_tokens)
        if not 0 <= self.alpha <= 1:
            raise ValueError(f"alpha must lie in [0, 1], not {self.alpha}")

    @property
    def label(self) -> str:
        """What tables call it."""
        return f"Contrastive, α {self.alpha:g}, k {self.k}"


@dataclass(frozen=True)
class Reranked(Decoding):
    """Of the candidates that another way of decoding gives, the one nearest to the image in the joint space."""

    candidates: Beam | Sampling
    method = "rerank"
    looks_twice = True

    @property
    def label(self) -> str:
        """What tables call it."""
        count = f"{self.candidates.n} × " if isinstance(self.candidates, Sampling) else ""
        name = self.candidates.label
        return f"Re-ranked, {count}{name[0].lower()}{name[1:]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary, the candidates' own inside."""
        return {"method": self.method, "candidates": self.candidates.to_dict()}


METHODS: dict[str, type[Decoding]] = {
    kind.method: kind for kind in (Greedy, Beam, Sampling, Contrastive, Reranked)
}
"""Every way of decoding by the name that "method" carries."""


def decoding_from_dict(data: Mapping[str, Any]) -> Decoding:
    """Return the decoding that `to_dict` wrote, such as {"method": "beam", "beams": 5, "max_tokens": 28}.

    CapdecError for an unknown method, an unknown or missing key, or a value that the method refuses.
    """
    values = dict(data)
    method = values.pop("method", None)
    if method not in METHODS:
        raise CapdecError(f"no decoding method {method!r}; the methods are: {', '.join(METHODS)}")
    if method == Reranked.method:
        return _reranked(values)
    try:
        return strict(METHODS[method], values, f"decoding {method!r}")
    except ValueError as error:
        raise CapdecError(f"decoding {method!r}: {error}") from None


def _reranked(values: dict[str, Any]) -> Reranked:
    candidates = values.get("candidates")
    if set(values) != {"candidates"} or not isinstance(candidates, Mapping):
        raise CapdecError(f"decoding 'rerank' takes candidates, a decoding, and nothing else: {values}")
    found = decoding_from_dict(candidates)
    if not isinstance(found, Beam | Sampling):
        raise CapdecError(f"decoding 'rerank' takes the candidates of beam or sample, not of {found.method}")
    return Reranked(found)


def _at_least_one(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}")
