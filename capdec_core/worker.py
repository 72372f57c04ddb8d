"""One cell's work: train, decode, write; or decode anew. Runs in a process of its own beside others, or on a GPU."""

import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.cell import CellConfig, Decoded, Evaluation, StoredCell
from capdec_core.decoding import beam_candidates, caption_encoder, decode_with, decoding_from_dict
from capdec_core.files import write_json
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig
from capdec_core.material import Material, pretrained_language_model
from capdec_core.noise import perturbation_from_dict
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.tokenizer import CaptionTokenizer
from capdec_core.training import peak_memory, train

VERSIONED = ("capdec_core", "torch", "transformers", "tokenizers", "open_clip_torch", "numpy")


TIMED_RUNS, ENOUGH_SECONDS = 3, 0.5
"""A decoding that is measured runs so often, or until it has taken so long, after a short run to warm up."""


def run_cell(cell: StoredCell, material: Material, store: CellStore, device: str) -> None:
    """Compute one cell into the store; a cell that is there already is left alone."""
    if store.has(cell):
        return
    if isinstance(cell, CellConfig):
        _train_and_decode(cell, material, store, device)
    elif isinstance(cell, Decoded):
        _decode_anew(cell, material, store, device)
    else:
        raise TypeError(f"nothing computes a {type(cell).__name__}")


def _train_and_decode(cell: CellConfig, material: Material, store: CellStore, device: str) -> None:
    """Train and decode; a run that was cut off goes on from its last checkpoint, where the budget writes any."""
    with store.writing(cell) as folder:
        started = time.perf_counter()
        captioner = build_captioner(cell, material, device)
        training = train(
            captioner,
            material.training_embeddings(cell.train_on),
            material.training_captions(),
            perturbation_from_dict(cell.noise),
            Budget(**cell.training),
            cell.seed,
            device,
            checkpoint=folder / "training.safetensors",
        )
        decoding_started = time.perf_counter()
        captions = {e.key: decode(captioner, cell, material, e) for e in cell.evaluations}
        decoding_seconds = time.perf_counter() - decoding_started
        captioner.save(folder / CAPTIONER)
        write_json(folder / "captions.json", captions)
        for leftover in folder.glob("training.*"):
            leftover.unlink()
        cost = {"decoding_seconds": decoding_seconds, "seconds": time.perf_counter() - started}
        write_json(folder / "record.json", record(captioner, asdict(training) | cost, device))


def _decode_anew(cell: Decoded, material: Material, store: CellStore, device: str) -> None:
    """Decode a trained cell's captioner in another way, and measure how long it takes."""
    captioner = Captioner.load(store.path(cell.cell) / CAPTIONER).to(device)
    decoding = decoding_from_dict(cell.decoding)
    tokenizer = material.load_tokenizer()
    judge = caption_encoder(material.load_encoder(device), tokenizer) if decoding.looks_twice else None

    def told(embeddings: Tensor) -> list[list[list[int]]]:
        return decode_with(
            captioner, embeddings, decoding, eos_id=tokenizer.eos_id, seed=cell.seed, encode=judge
        )

    with store.writing(cell) as folder:
        found, seconds = {}, 0.0
        for evaluation in cell.evaluations:
            embeddings = material.evaluation_embeddings(evaluation)
            captions, took = _timed(told, embeddings)
            found[evaluation.key] = _by_image(captions, material.evaluation_ids(evaluation), tokenizer)
            seconds += took
        write_json(folder / "captions.json", found)
        images = sum(evaluation.images for evaluation in cell.evaluations)
        facts = {"seconds": seconds, "decoding_seconds": seconds, "images_per_second": images / seconds}
        trained = store.record(cell.cell)
        facts |= {name: trained[name] for name in ("parameters", "trainable_parameters", "mean_cosine")}
        write_json(folder / "record.json", facts | machine(device) | {"peak_memory": peak_memory(device)})


def _timed(
    told: Callable[[Tensor], list[list[list[int]]]], embeddings: Tensor
) -> tuple[list[list[list[int]]], float]:
    """Return the captions and the median seconds of the runs, each of which gives the same captions."""
    told(embeddings[:16])
    seconds: list[float] = []
    while len(seconds) < TIMED_RUNS and sum(seconds) < ENOUGH_SECONDS:
        started = time.perf_counter()
        captions = told(embeddings)  # as token lists on the host, so a device has finished
        seconds.append(time.perf_counter() - started)
    return captions, statistics.median(seconds)


def build_captioner(cell: CellConfig, material: Material, device: str) -> Captioner:
    """Return the cell's captioner before training: seeded mapper, pre-trained language model."""
    config = CaptionerConfig(MapperConfig(**cell.mapper), LanguageModelConfig(**cell.language_model))
    language_model = pretrained_language_model(cell, material, device)
    return Captioner(config, seed=cell.seed, language_model=language_model).to(device)


def decode(
    captioner: Captioner, cell: CellConfig, material: Material, evaluation: Evaluation
) -> dict[str, list[str]]:
    """Return {image id: the beam's captions, the best first} of one evaluation."""
    tokenizer = material.load_tokenizer()
    embeddings = material.evaluation_embeddings(evaluation)
    found = beam_candidates(captioner, embeddings, eos_id=tokenizer.eos_id, **cell.decoding)
    return _by_image(found, material.evaluation_ids(evaluation), tokenizer)


def _by_image(
    found: list[list[list[int]]], ids: list[str], tokenizer: CaptionTokenizer
) -> dict[str, list[str]]:
    return {
        key: [tokenizer.decode(tokens) for tokens in captions]
        for key, captions in zip(ids, found, strict=True)
    }


def record(captioner: Captioner, facts: dict[str, Any], device: str) -> dict[str, Any]:
    """Return what a cell's record says beside its scores: training, size, versions, machine."""
    parameters = list(captioner.parameters())
    return (
        facts
        | {
            "parameters": sum(p.numel() for p in parameters),
            "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        }
        | machine(device)
    )


def machine(device: str) -> dict[str, Any]:
    """Return the versions and the machine that a record names."""
    return {
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED}
        | {"python": platform.python_version()},
        "device": torch.cuda.get_device_name(device)
        if device.startswith("cuda")
        else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
    }


def work(cell: StoredCell, material: Material, folder: Path, device: str) -> str:
    """Run one cell in a worker process and return its id; the process uses one thread."""
    torch.set_num_threads(1)
    run_cell(cell, material, CellStore(folder), device)
    return cell.id
