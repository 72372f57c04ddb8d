"""One cell's work: train, decode, write. Runs in a process of its own beside others, or on a GPU."""

import importlib.metadata
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.cell import CellConfig, Evaluation
from capdec_core.decoding import beam_candidates
from capdec_core.files import write_json
from capdec_core.language_model import LanguageModelConfig
from capdec_core.mapper import MapperConfig
from capdec_core.material import Material, pretrained_language_model
from capdec_core.noise import perturbation_from_dict
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.training import train

VERSIONED = ("capdec_core", "torch", "transformers", "tokenizers", "open_clip_torch", "numpy")


def run_cell(cell: CellConfig, material: Material, store: CellStore, device: str) -> None:
    """Train and decode one cell into the store; a cell that is there already is left alone.

    A run that was cut off goes on from its last checkpoint, where the budget writes any.
    """
    if store.has(cell):
        return
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
    ids = material.evaluation_ids(evaluation)
    return {
        key: [tokenizer.decode(tokens) for tokens in beams] for key, beams in zip(ids, found, strict=True)
    }


def record(captioner: Captioner, facts: dict[str, Any], device: str) -> dict[str, Any]:
    """Return what a cell's record says beside its scores: training, size, versions, machine."""
    parameters = list(captioner.parameters())
    return facts | {
        "parameters": sum(p.numel() for p in parameters),
        "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED}
        | {"python": platform.python_version()},
        "device": torch.cuda.get_device_name(device)
        if device.startswith("cuda")
        else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
    }


def work(cell: CellConfig, material: Material, folder: Path, device: str) -> str:
    """Run one cell in a worker process and return its id; the process uses one thread."""
    torch.set_num_threads(1)
    run_cell(cell, material, CellStore(folder), device)
    return cell.id
