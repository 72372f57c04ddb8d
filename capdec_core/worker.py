"""One cell's work: train, decode, write; or decode anew. Runs in a process of its own beside others, or on a GPU."""

import importlib.metadata
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from capdec_core.bridges import Bridge, FittedBridge, bridge_from_dict
from capdec_core.bridges.serial import moves_from_dicts
from capdec_core.budget import Budget
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.cell import CellConfig, Decoded, Evaluation, Imported, Retrieved, StoredCell
from capdec_core.decoding import beam_candidates, caption_encoder, decode_with, decoding_from_dict
from capdec_core.distributed import train_together
from capdec_core.files import write_json
from capdec_core.imported.speak import speak
from capdec_core.material import Material, pretrained_language_model
from capdec_core.side_by_side import Run, train_side_by_side
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.tokenizer import TextTokenizer
from capdec_core.training import TrainingRecord, peak_memory, train

if TYPE_CHECKING:
    from accelerate import Accelerator

VERSIONED = ("capdec_core", "torch", "transformers", "tokenizers", "open_clip_torch", "numpy")

CHECKPOINT = "training.safetensors"
TIMED_RUNS, ENOUGH_SECONDS = 3, 0.1
"""A decoding that is measured runs so often, or until it has taken so long, after a short run to warm up."""


def run_cells(cells: Sequence[StoredCell], material: Material, store: CellStore, device: str) -> None:
    """Compute cells into the store, trained ones in one program; those that are there already are left alone."""
    run_program([cell for cell in cells if isinstance(cell, CellConfig)], material, store, device)
    for cell in cells:
        if isinstance(cell, Decoded):
            if not store.has(cell):
                _decode_anew(cell, material, store, device)
        elif isinstance(cell, Retrieved):
            if not store.has(cell):
                _retrieve(cell, material, store, device)
        elif isinstance(cell, Imported):
            if not store.has(cell):
                _import(cell, material, store, device)
        elif not isinstance(cell, CellConfig):
            raise TypeError(f"nothing computes a {type(cell).__name__}")


def run_program(cells: Sequence[CellConfig], material: Material, store: CellStore, device: str) -> None:
    """Train cells in one program, decode and write each; those that the store has are left alone.

    A cell alone that was cut off goes on from its last checkpoint, where the budget writes any.
    """
    missing = [cell for cell in cells if not store.has(cell)]
    if not missing:
        return
    with ExitStack() as opened:
        folders = [opened.enter_context(store.writing(cell)) for cell in missing]
        started = time.perf_counter()
        captioners = [build_captioner(cell, material, device) for cell in missing]
        bridges = [fitted_bridge(cell, material, device) for cell in missing]
        preparing = (time.perf_counter() - started) / len(missing)
        trained = _train(missing, captioners, bridges, material, device, folders[0] / CHECKPOINT)
        for cell, captioner, bridge, training, folder in zip(
            missing, captioners, bridges, trained, folders, strict=True
        ):
            done = Trained(cell, captioner, bridge, training)
            _decode_and_write(done, material, folder, device, preparing)


def run_part(cell: CellConfig, material: Material, folder: Path, accelerator: "Accelerator") -> None:
    """Train a cell together with `accelerator`'s other processes; the main one decodes, and writes into `folder`."""
    device, started = str(accelerator.device), time.perf_counter()
    captioner, bridge = build_captioner(cell, material, device), fitted_bridge(cell, material, device)
    preparing = time.perf_counter() - started
    training = train_together(
        accelerator,
        captioner,
        material.training_embeddings(cell.train_on),
        material.training_captions(),
        bridge.training_noise,
        Budget(**cell.training),
        cell.seed,
        folder / CHECKPOINT,
    )
    accelerator.end_training()
    if accelerator.is_main_process:
        _decode_and_write(Trained(cell, captioner, bridge, training), material, folder, device, preparing)


@dataclass(frozen=True)
class Trained:
    """A cell's captioner after training, with the bridge that it reads through."""

    cell: CellConfig
    captioner: Captioner
    bridge: FittedBridge
    training: TrainingRecord


def fitted_bridge(cell: CellConfig, material: Material, device: str) -> FittedBridge:
    """Return the cell's bridge, fitted on training material where it learns anything."""
    bridge = bridge_from_dict(cell.bridge)
    if not bridge.learns:
        return FittedBridge(bridge, (), {})
    return _fit(bridge, material, device)


def _fit(bridge: Bridge, material: Material, device: str) -> FittedBridge:
    known = material.fitting_material()
    return bridge.fit(known.texts, known.images, known.clusters).to(device)


def _train(
    cells: Sequence[CellConfig],
    captioners: list[Captioner],
    bridges: list[FittedBridge],
    material: Material,
    device: str,
    checkpoint: Path,
) -> list[TrainingRecord]:
    captions, budget = material.training_captions(), Budget(**cells[0].training)
    sources = {cell.train_on: material.training_embeddings(cell.train_on) for cell in cells}
    runs = [
        Run(captioner, sources[cell.train_on], bridge.training_noise, cell.seed)
        for cell, captioner, bridge in zip(cells, captioners, bridges, strict=True)
    ]
    if len(runs) > 1:
        return train_side_by_side(runs, captions, budget, device)
    (run,) = runs
    return [train(run.captioner, run.embeddings, captions, run.noise, budget, run.seed, device, checkpoint)]


def _decode_and_write(done: Trained, material: Material, folder: Path, device: str, preparing: float) -> None:
    """Write all that a cell consists of; `preparing` is its share of the seconds before its training."""
    cell, captioner, started = done.cell, done.captioner, time.perf_counter()
    captions = {e.key: decode(captioner, cell, done.bridge, material, e) for e in cell.evaluations}
    seconds = time.perf_counter() - started
    captioner.save(folder / CAPTIONER)
    write_json(folder / "captions.json", captions)
    for leftover in folder.glob("training.*"):
        leftover.unlink()
    cost = {"decoding_seconds": seconds, "seconds": preparing + done.training.seconds + seconds}
    facts = asdict(done.training) | cost | {"bridge": bridge_facts(done.bridge, material, cell, device)}
    write_json(folder / "record.json", record(captioner, facts, device))


MEASURED = 4096
"""Training captions on which the noise of a bridge is measured."""


def bridge_facts(bridge: FittedBridge, material: Material, cell: CellConfig, device: str) -> dict[str, Any]:
    """Return what the bridge keeps (bytes), and, where it learns, its noise as measured on what its moves return."""
    if not bridge.bridge.learns:
        return {"memory": 0}
    rows = material.training_embeddings(cell.train_on)[:MEASURED].to(device)
    generator = torch.Generator(device).manual_seed(cell.seed)
    return {"memory": bridge.memory} | bridge.measure(rows, generator)


def across(bridge: FittedBridge, embeddings: Tensor, evaluation: Evaluation, device: str) -> Tensor:
    """Return embeddings (n, d) as the captioner reads them: images and texts moved, the blank one left alone."""
    if evaluation.source == "blank" or not bridge.bridge.moves:
        return embeddings
    moved = bridge.infer_side if evaluation.source == "image" else bridge.place
    return moved(embeddings.to(device))


def _decode_anew(cell: Decoded, material: Material, store: CellStore, device: str) -> None:
    """Decode a trained cell's captioner in another way, or from moved images, and measure how long it takes."""
    moves = Bridge(moves_from_dicts(cell.moves))
    bridge = _fit(moves, material, device) if moves.learns else fitted_bridge(cell.cell, material, device)
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
            embeddings = across(bridge, embeddings, evaluation, device)
            captions, took = _timed(told, embeddings)
            found[evaluation.key] = _by_image(captions, material.evaluation_ids(evaluation), tokenizer)
            seconds += took
        write_json(folder / "captions.json", found)
        images = sum(evaluation.images for evaluation in cell.evaluations)
        facts: dict[str, Any] = {"seconds": seconds, "decoding_seconds": seconds}
        facts |= {"images_per_second": images / seconds, "bridge": {"memory": bridge.memory}}
        trained = store.record(cell.cell)
        facts |= {name: trained[name] for name in ("parameters", "trainable_parameters", "mean_cosine")}
        write_json(folder / "record.json", facts | machine(device) | {"peak_memory": peak_memory(device)})


def _retrieve(cell: Retrieved, material: Material, store: CellStore, device: str) -> None:
    """Give each image the training caption that the bridge finds."""
    started, tokenizer = time.perf_counter(), material.load_tokenizer()
    bridge = _fit(bridge_from_dict(cell.bridge), material, device)
    spoken = material.training_captions()
    fitted = time.perf_counter()
    with store.writing(cell) as folder:
        found = {}
        for evaluation in cell.evaluations:
            rows = bridge.retrieve(material.evaluation_embeddings(evaluation).to(device)).tolist()
            captions = [[spoken.caption(row).tolist()] for row in rows]
            found[evaluation.key] = _by_image(captions, material.evaluation_ids(evaluation), tokenizer)
        finished = time.perf_counter()
        write_json(folder / "captions.json", found)
        images = sum(evaluation.images for evaluation in cell.evaluations)
        facts: dict[str, Any] = {"seconds": finished - started, "decoding_seconds": finished - fitted}
        facts |= {"images_per_second": images / (finished - fitted), "bridge": {"memory": bridge.memory}}
        facts |= {"parameters": 0, "trainable_parameters": 0, "mean_cosine": None}
        write_json(folder / "record.json", facts | machine(device) | {"peak_memory": peak_memory(device)})


def _import(cell: Imported, material: Material, store: CellStore, device: str) -> None:
    """Let a published captioner speak; nothing is trained."""
    with store.writing(cell) as folder:
        spoken = speak(cell, material, device)
        write_json(folder / "captions.json", spoken.captions)
        facts = spoken.facts | {"peak_memory": peak_memory(device)}
        write_json(folder / "record.json", record(spoken.captioner, facts, device))


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
    config = CaptionerConfig.from_dict(vars(cell))
    language_model = pretrained_language_model(cell, material, device)
    return Captioner(config, seed=cell.seed, language_model=language_model).to(device)


def decode(
    captioner: Captioner, cell: CellConfig, bridge: FittedBridge, material: Material, evaluation: Evaluation
) -> dict[str, list[str]]:
    """Return {image id: the beam's captions, the best first} of one evaluation."""
    tokenizer = material.load_tokenizer()
    device = str(next(captioner.parameters()).device)
    embeddings = across(bridge, material.evaluation_embeddings(evaluation), evaluation, device)
    found = beam_candidates(captioner, embeddings, eos_id=tokenizer.eos_id, **cell.decoding)
    return _by_image(found, material.evaluation_ids(evaluation), tokenizer)


def _by_image(found: list[list[list[int]]], ids: list[str], tokenizer: TextTokenizer) -> dict[str, list[str]]:
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


def work(cells: Sequence[StoredCell], material: Material, folder: Path, device: str) -> None:
    """Run a program's cells in a worker process, which uses one thread."""
    torch.set_num_threads(1)
    run_cells(cells, material, CellStore(folder), device)
