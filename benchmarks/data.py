"""What both sides train on: captions of real lengths, and which of them make a small corpus like the whole one."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor

from benchmarks.reference import CaptionDataset
from benchmarks.reference.dataset import maximum_length
from capdec_core.batches import PackedCaptions
from capdec_core.corpora import load_corpus
from capdec_core.paths import REAL_DATA

COCO = next(
    (path for place in REAL_DATA if (path := place / "coco" / "captions_val2017.json").is_file()), None
)
"""COCO's captions of val2017, where a place for real data has them."""
TOKENS = 8000  # byte pairs; COCO's words are nearly all whole, as in GPT-2's own 50257
WORLD_IMAGES = 2000


@dataclass(frozen=True)
class TrainingData:
    """Captions to train on, without end of text, with unit rows (n, d), drawn from a corpus.

    `maximum` is what the reference pads to: it follows from the whole corpus, end of text included. `corpus_mean`
    is the whole corpus's mean length without it.
    """

    captions: list[list[int]]
    embeddings: Tensor
    maximum: int
    corpus_mean: float
    source: str

    @property
    def packed(self) -> PackedCaptions:
        """The captions as this project trains on them."""
        return PackedCaptions.pack(self.captions)

    @property
    def mean_length(self) -> float:
        """Mean length of the captions that are trained on, without end of text."""
        return sum(map(len, self.captions)) / len(self.captions)

    def dataset(self, prefix_length: int, eos_id: int) -> CaptionDataset:
        """The captions as the reference trains on them."""
        return CaptionDataset(self.captions, self.embeddings, prefix_length, eos_id, self.maximum)


def from_corpus(
    corpus: Sequence[list[int]], rows: Sequence[int], embeddings: Tensor, source: str
) -> TrainingData:
    """Return the captions at `rows` of a corpus with their `embeddings` (len(rows), d)."""
    lengths = torch.tensor([len(caption) for caption in corpus])
    return TrainingData(
        [corpus[row] for row in rows],
        embeddings,
        maximum_length(lengths + 1),
        lengths.float().mean().item(),
        source,
    )


def photo_data(captions: int, dim: int, seed: int = 0) -> TrainingData:
    """Return this many photograph captions as `spread_rows` picks them, with random unit rows.

    Speed does not depend on what an embedding says, so random ones do.
    """
    corpus, source = photo_tokens()
    rows = spread_rows([len(caption) for caption in corpus], captions, seed)
    return from_corpus(corpus, rows, unit_rows(captions, dim, seed), source)


def spread_rows(lengths: Sequence[int], count: int, seed: int) -> list[int]:
    """Return `count` rows that stand for a corpus's lengths: evenly spaced in its order by length.

    Ties stand in random order. However batches are made of them, random or sorted, their lengths spread as in
    the corpus; batches sorted by length are padded more than in a corpus of many batches.

    Raises ValueError if the corpus has fewer captions.
    """
    if len(lengths) < count:
        raise ValueError(f"{len(lengths)} captions do not hold {count}")
    ties = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed)).tolist()
    order = sorted(ties, key=lengths.__getitem__)
    return [order[(2 * place + 1) * len(order) // (2 * count)] for place in range(count)]


def unit_rows(count: int, dim: int, seed: int) -> Tensor:
    """Return random unit rows (count, dim)."""
    rows = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=1)


@functools.cache
def photo_tokens() -> tuple[list[list[int]], str]:
    """Return COCO's captions as byte-pair tokens and what they are; the generated world's where COCO is absent."""
    if COCO is not None:
        entries = json.loads(COCO.read_text(encoding="utf-8"))["annotations"]
        texts, what = [entry["caption"].strip() for entry in entries], "captions of COCO val2017"
    else:
        split = load_corpus("scenes", 0, {"train": WORLD_IMAGES}).split("train")
        texts, what = [caption for group in split.captions for caption in group], "generated captions"
    encodings = _byte_pairs(texts).encode_batch_fast(texts)
    source = f"{len(texts):,} {what}, byte pairs trained on them (GPT-2's own need a download)"
    return [encoding.ids for encoding in encodings], source


def _byte_pairs(texts: Sequence[str]) -> Tokenizer:
    """Return byte pairs as GPT-2 splits text, trained on these captions."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
