"""One door to all ways of decoding."""

from dataclasses import asdict

import torch
from torch import Tensor

from capdec_core.captioner import Captioner
from capdec_core.decoding.beam_search import beam_candidates
from capdec_core.decoding.contrastive_search import contrastive
from capdec_core.decoding.greedy_search import greedy
from capdec_core.decoding.methods import Beam, Contrastive, Decoding, Greedy, Reranked, Sampling
from capdec_core.decoding.reranking import CaptionEncoder, rerank
from capdec_core.decoding.sampling import sample

GROWING = 640
"""Captions that grow at once, of all images of a batch together: the same load for every way of decoding."""


def decode_with(
    captioner: Captioner,
    embeddings: Tensor,
    decoding: Decoding,
    *,
    eos_id: int,
    seed: int,
    encode: CaptionEncoder | None = None,
) -> list[list[list[int]]]:
    """Return each embedding's (n, d) captions as tokens without end of text.

    Sampling gives its n captions in the order drawn, every other way its one answer. `seed` decides the draws.
    `encode` is the judge of re-ranking, and `embeddings` are then the images' own.

    Raises ValueError for re-ranking without a judge, CapdecError if there is no room for the longest caption.
    """
    if isinstance(decoding, Sampling):
        return _found(captioner, embeddings, decoding, eos_id, seed)
    if not isinstance(decoding, Reranked):
        return [captions[:1] for captions in _found(captioner, embeddings, decoding, eos_id, seed)]
    if encode is None:
        raise ValueError("re-ranking needs a judge: encode")
    candidates = _found(captioner, embeddings, decoding.candidates, eos_id, seed)
    return [captions[:1] for captions in rerank(candidates, embeddings, encode)]


def _found(
    captioner: Captioner, embeddings: Tensor, decoding: Decoding, eos_id: int, seed: int
) -> list[list[list[int]]]:
    """Return everything that a way of decoding ends with, all of a beam's captions too, the best first."""
    settings = asdict(decoding) | {"eos_id": eos_id, "batch_size": max(1, GROWING // _width(decoding))}
    match decoding:
        case Beam():
            return beam_candidates(captioner, embeddings, **settings)
        case Sampling():
            generator = torch.Generator(next(captioner.parameters()).device).manual_seed(seed)
            return sample(captioner, embeddings, generator=generator, **settings)
        case Contrastive():
            return [[caption] for caption in contrastive(captioner, embeddings, **settings)]
        case Greedy():
            return [[caption] for caption in greedy(captioner, embeddings, **settings)]
    raise ValueError(f"no way to decode by {decoding!r}")


def _width(decoding: Decoding) -> int:
    """Return how many captions of one image grow at once."""
    match decoding:
        case Beam(beams=width) | Sampling(n=width) | Contrastive(k=width):
            return width
    return 1
