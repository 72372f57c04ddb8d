"""Make the shipped heads of the towers: train them, write them, measure them, and fill their model card."""

import time

import numpy as np

from capdec_core.corpora import Corpus, load_corpus
from capdec_core.device import check_device
from capdec_core.embeddings import bank
from capdec_core.encoders.card import require_place, write_measures
from capdec_core.encoders.towers import Towers, TowersEncoder, load_towers, save_heads
from capdec_core.encoders.towers_config import TowersConfig
from capdec_core.encoders.towers_training import features_of, train
from capdec_core.files import read_json
from capdec_core.gap import Geometry, as_table, geometry
from capdec_core.paths import BANKS, TOWERS
from capdec_core.profiles import strict

CORPUS = "flickr8k"
SIZES = {"train": 6000, "val": 1000, "test": 1000}


def towers_config() -> TowersConfig:
    """Return the shipped heads' shape and budget; CapdecError for a file that lacks or has a key too many."""
    return strict(TowersConfig, read_json(TOWERS / "training.json"), "training.json")


def make_towers(device: str) -> str:
    """Train the heads on Flickr8k's training split and return their geometry on its test split, as `capdec gap` has it.

    Raises:
        CapdecError: Flickr8k or a package is missing, the device is, or the card has no place for the measures.
    """
    check_device(device)
    card = TOWERS / "README.md"
    require_place(card)
    corpus = load_corpus(CORPUS, 0, SIZES)
    towers = Towers(device)
    started = time.perf_counter()
    print("embedding the training split by the frozen towers", flush=True)
    heads = train(towers_config(), features_of(towers, corpus.split("train")))
    seconds = time.perf_counter() - started
    save_heads(TOWERS, heads, towers)
    measured = as_table(retrieval(load_towers(TOWERS, device), corpus, "test"))
    write_measures(card, measured, heads, seconds, device)
    return measured


def retrieval(encoder: TowersEncoder, corpus: Corpus, split: str) -> Geometry:
    """Measure an encoder on a split, every caption with its image."""
    images, texts = (np.asarray(bank(BANKS, corpus, encoder, split, kind)) for kind in ("image", "text"))
    counts = [len(group) for group in corpus.split(split).captions]
    return geometry(images, texts, np.repeat(np.arange(len(images)), counts))
