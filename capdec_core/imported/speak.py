"""What a published captioner says of a profile's images."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import torch

from capdec_core.captioner import Captioner
from capdec_core.cell import Evaluation, Imported
from capdec_core.decoding import beam_candidates
from capdec_core.errors import CapdecError
from capdec_core.imported.published import published_captioner
from capdec_core.imported.settings import PublishedSettings
from capdec_core.material import Material
from capdec_core.noise import Gaussian, measure
from capdec_core.tokenizer import TextTokenizer

MEASURED = 4096
"""Training captions on which the noise that it was trained with is measured."""


@dataclass(frozen=True)
class Spoken:
    """A published captioner, its captions as {evaluation: {image id: captions}}, and what a record says of them."""

    captioner: Captioner
    captions: dict[str, dict[str, list[str]]]
    facts: dict[str, Any]


def speak(cell: Imported, material: Material, device: str) -> Spoken:
    """Decode a published captioner from unit embeddings by beam search, every caption to its own mark.

    The mark is written, since it is part of the caption. Raises CapdecError if the checkpoint is not to be had, or
    belongs to an encoder of another dimension or to another vocabulary.
    """
    started, wanted = time.perf_counter(), PublishedSettings.from_dict(cell.checkpoint)
    captioner = published_captioner(wanted, cell.language_model).to(device)
    _require_dimension(captioner, material, wanted)
    stop, read = only_token(wanted.stop, material.load_tokenizer()), time.perf_counter()
    captions = {e.key: _captions(captioner, cell, stop, material, e) for e in cell.evaluations}
    finished = time.perf_counter()
    facts = {
        "seconds": finished - started,
        "decoding_seconds": finished - read,
        "mean_cosine": _cosine(wanted, material, device),
        "bridge": {"memory": 0},
        "mapper": asdict(captioner.config.mapper),
    }
    return Spoken(captioner, captions, facts)


def only_token(mark: str, tokenizer: TextTokenizer) -> int:
    """Return the token that a mark is; CapdecError if it is several, so that captions cannot end at it."""
    (ids,) = tokenizer.encode([mark])
    if len(ids) != 1:
        raise CapdecError(f"captions cannot end at {mark!r}: it is {len(ids)} tokens of this vocabulary")
    return ids[0]


def _require_dimension(captioner: Captioner, material: Material, wanted: PublishedSettings) -> None:
    dim = captioner.config.mapper.embedding_dim
    if dim != material.dim:
        raise CapdecError(
            f"the checkpoint {wanted.hub} reads embeddings of {dim} dimensions; those of this profile's encoder have "
            f"{material.dim}"
        )


def _captions(
    captioner: Captioner, cell: Imported, stop: int, material: Material, evaluation: Evaluation
) -> dict[str, list[str]]:
    tokenizer, longest = material.load_tokenizer(), cell.decoding["max_tokens"]
    embeddings = material.evaluation_embeddings(evaluation)
    found = beam_candidates(captioner, embeddings, eos_id=stop, **cell.decoding)
    return {
        key: [tokenizer.decode([*tokens, stop][:longest]) for tokens in captions]
        for key, captions in zip(material.evaluation_ids(evaluation), found, strict=True)
    }


def _cosine(wanted: PublishedSettings, material: Material, device: str) -> float:
    """Return the mean cosine that noise of the published variance leaves on this corpus's training captions."""
    rows = material.training_embeddings("text")[:MEASURED].to(device)
    generator = torch.Generator(device).manual_seed(0)
    return measure(Gaussian(wanted.variance), rows, generator=generator)["cosine"]
