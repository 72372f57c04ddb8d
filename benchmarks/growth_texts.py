"""Curves of texts: making a corpus, tokens, encoding and scoring, on captions of the generated world."""

from functools import cache, partial

from benchmarks.growth_curve import Curve, Work, doubled, growing
from benchmarks.growth_fit import LINEAR, Theory
from capdec_core.batches import PackedCaptions
from capdec_core.corpora import load_corpus
from capdec_core.encoders import load_encoder
from capdec_core.metrics import score
from capdec_core.metrics.minilm import encode_sentences
from capdec_core.metrics.segments import Segments
from capdec_core.tokenizer import CaptionTokenizer

WORLD = 1000  # images; where more are asked for, their captions come again
SCORED = 50  # images, where these do not grow

STARTED_ONCE = Theory(1, "every item costs the same; Java starts once, references are read once")


@cache
def world() -> list[list[str]]:
    """Return the five captions of each image of a test set."""
    return load_corpus("scenes", 0, {"test": WORLD}).split("test").captions


def texts(count: int) -> list[str]:
    """Return captions, as many as asked for."""
    flat = [caption for group in world() for caption in group]
    return [flat[index % len(flat)] for index in range(count)]


def references(images: int) -> dict[str, list[str]]:
    """Return five reference captions an image."""
    return {f"{index}": world()[index % WORLD] for index in range(images)}


def answers(images: int, system: int) -> dict[str, str]:
    """Return a system's captions: those of other images, no two systems alike."""
    return {f"{index}": world()[(index + system + 1) % WORLD][system % 5] for index in range(images)}


def making(size: int, device: str) -> Work:
    """Describe `size` images of the generated world in five captions each."""
    return lambda: load_corpus("scenes", 1, {"train": size}).split("train")


def tokens(size: int, device: str) -> Work:
    """Make a tokenizer of `size` captions, encode them and pack the tokens."""
    told = texts(size)
    return lambda: PackedCaptions.pack(CaptionTokenizer.train(told).encode(told))


def encoding(size: int, device: str) -> Work:
    """Encode `size` captions with the miniature CLIP."""
    encoder, told = load_encoder("miniature", device=device), texts(size)
    return lambda: encoder.encode_texts(told)


def sentences(size: int, device: str) -> Work:
    """Encode `size` captions with MiniLM."""
    told = texts(size)
    return lambda: encode_sentences(told, device)


def ngrams(size: int, device: str) -> Work:
    """Score one system's captions of `size` images by BLEU, CIDEr and ROUGE-L; captions are tokens already."""
    expected = [[_split(caption) for caption in group] for group in references(size).values()]
    told = [_split(caption) for caption in answers(size, 0).values()]
    return lambda: Segments(expected).score(told)


def _split(caption: str) -> str:
    return caption.lower().removesuffix(".")


def scoring(size: int, device: str, *, grows: str) -> Work:
    """Score systems by all metrics but MiniLM, both Java programs included; `grows` is "images" or "systems"."""
    images, systems = (size, 1) if grows == "images" else (SCORED, size)
    expected = references(images)
    told = {f"{system}": answers(images, system) for system in range(systems)}
    return lambda: score(expected, told, split="test", decoding="none", semantic=False)


def of_texts() -> list[Curve]:
    """Return the curves of texts."""
    by_images, by_systems = (partial(scoring, grows=grows) for grows in ("images", "systems"))
    return [
        growing("captions", "Making the corpus", "images", doubled(64, 6), making, LINEAR),
        growing("captions", "Vocabulary and tokens", "captions", doubled(2048, 5), tokens, LINEAR),
        growing("captions", "Encoding by CLIP", "captions", doubled(64, 6), encoding, LINEAR, on_device=True),
        growing(
            "captions",
            "Encoding by MiniLM",
            "captions",
            doubled(16, 5),
            sentences,
            STARTED_ONCE,
            on_device=True,
        ),
        growing("captions", "BLEU, CIDEr, ROUGE-L", "images", doubled(64, 6), ngrams, LINEAR),
        growing(
            "captions",
            "Scoring, Java included",
            "images",
            doubled(32, 5),
            by_images,
            STARTED_ONCE,
            elsewhere=True,
        ),
        growing(
            "cells",
            "Scoring, Java included",
            "systems",
            doubled(1, 5),
            by_systems,
            STARTED_ONCE,
            elsewhere=True,
        ),
    ]
