"""Decoding: captions a second, this project's batches against one image at a time and against transformers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.data import photo_tokens, unit_rows
from benchmarks.measure import Side, compare
from benchmarks.presets import paper_presets, reference_model
from benchmarks.reference import ClipCaptionModel, predict
from benchmarks.training import VARIANCE
from benchmarks.world import World, load_world
from capdec_core.captioner import Captioner
from capdec_core.decoding import Beam, Contrastive, Decoding, Greedy, Sampling, decode_with
from capdec_core.noise import Gaussian
from capdec_core.training import train

BEAMS = 5
BARS = {"greedy": 10.0, "beam 5": 20.0}
TOP_P, ALPHA, K = 0.9, 0.6, 4
DOMINANT = 1000.0  # norm beside which all else in the residual stream is small


@dataclass(frozen=True)
class Task:
    """A captioner with weights that end captions, images (n, d) to decode, and how many the reference decodes."""

    name: str
    captioner: Captioner
    embeddings: Tensor
    few: int
    max_tokens: int
    pairs: int
    device: str
    bars: dict[str, float]

    @property
    def eos_id(self) -> int:
        """Id of end of text."""
        return self.captioner.config.language_model.eos_id

    def ways(self) -> dict[str, Decoding]:
        """The ways of decoding that are timed."""
        return {
            "greedy": Greedy(self.max_tokens),
            "beam 5": Beam(BEAMS, self.max_tokens),
            "nucleus": Sampling(1, self.max_tokens, top_p=TOP_P),
            "contrastive": Contrastive(ALPHA, K, self.max_tokens),
        }

    def ours(self, way: str) -> list[list[int]]:
        """Decode every image in this project's way; one caption an image."""
        found = decode_with(self.captioner, self.embeddings, self.ways()[way], eos_id=self.eos_id, seed=0)
        return [captions[0] for captions in found]


def run(device: str, quick: bool) -> dict[str, Any]:
    """Compare decoding of GPT-2 small with random weights, and of a trained captioner of the default profile."""
    tasks = [*_paper_tasks(device, quick), _world_task(load_world(quick, device), device, quick)]
    comparisons = [comparison for task in tasks for comparison in compared(task)]
    return {"comparisons": comparisons, "tables": [agreement_table(tasks)], "notes": NOTES}


def _paper_tasks(device: str, quick: bool) -> list[Task]:
    many, few, pairs = (8, 2, 1) if quick else (640, 16, 5) if device.startswith("cuda") else (64, 2, 3)
    corpus, _ = photo_tokens()
    length = round(sum(map(len, corpus)) / len(corpus))
    tasks = []
    for preset in paper_presets(quick)[:2]:
        captioner = Captioner(preset.config).to(device).eval()
        end_captions(captioner, length)
        rows = unit_rows(many, preset.config.mapper.embedding_dim, 0).to(device)
        tasks.append(
            Task(f"GPT-2 small, {preset.name}", captioner, rows, few, length + 5, pairs, device, BARS)
        )
    return tasks


@torch.no_grad()
def end_captions(captioner: Captioner, length: int) -> None:
    """Make every caption end after `length` tokens, whatever it says: random weights would never end.

    From the position that predicts the token after them on, the position's own vector points along end of
    text's and outweighs everything else, so that end of text is the likeliest token by far. Both sides read
    these weights; nothing is added to the work.
    """
    body: Any = captioner.language_model.transformer
    end = body.wte.weight[captioner.config.language_model.eos_id]
    first = captioner.config.mapper.prefix_length + length - 1
    body.wpe.weight[first:] += DOMINANT * end / end.norm()


def _world_task(world: World, device: str, quick: bool) -> Task:
    """Return the default profile's captioner after its own training budget: its captions end by themselves."""
    captioner = Captioner(world.config)
    data = world.data(list(range(len(world.captions))))
    train(captioner, data.embeddings, data.packed, Gaussian(VARIANCE), world.budget, 0, device)
    many, few, pairs = (20, 4, 1) if quick else (500, 50, 5)
    rows = data.embeddings[:: len(data.embeddings) // many][:many].to(device)
    return Task(f"Profile {world.profile}", captioner, rows, few, world.max_tokens, pairs, device, {})


def compared(task: Task) -> list[dict[str, Any]]:
    """Return each way of decoding against the reference's, transformers' batched `generate`, or our greedy search."""
    model = reference_model(task.captioner).to(task.device).eval()
    few, count = task.embeddings[: task.few], len(task.embeddings)
    found = []
    for way, beams in (("greedy", None), ("beam 5", BEAMS)):
        side = _side("reference recipe", task.few, predict, model, few, task.eos_id, beams, task.max_tokens)
        found.append(_comparison(task, way, side, task.bars.get(way)))
    for way, options in GENERATE.items():
        side = _side("transformers generate, batched", count, _generate, model, task, options)
        found.append(_comparison(task, way, side, None))
    greedy = _side("our greedy search", count, task.ours, "greedy")
    return [*found, _comparison(task, "contrastive", greedy, None)]


GENERATE: dict[str, dict[str, Any]] = {
    "greedy": {"do_sample": False},
    "beam 5": {"do_sample": False, "num_beams": BEAMS},
    "nucleus": {"do_sample": True, "top_p": TOP_P, "top_k": 0},
}


@torch.no_grad()
def _generate(model: ClipCaptionModel, task: Task, options: dict[str, Any]) -> Tensor:
    """Return what transformers' `generate` writes for all of the task's images at once, with its key-value cache."""
    prefix = model.clip_project(task.embeddings).view(len(task.embeddings), model.prefix_length, -1)
    mask = torch.ones(prefix.shape[:2], dtype=torch.int64, device=prefix.device)
    ends = {"eos_token_id": task.eos_id, "pad_token_id": task.eos_id}
    gpt: Any = model.gpt  # transformers' annotations of `generate` do not hold for its own models
    return gpt.generate(
        inputs_embeds=prefix, attention_mask=mask, max_new_tokens=task.max_tokens, **ends, **options
    )


def _side(name: str, captions: int, go: Callable[..., Any], *arguments: Any) -> Side:
    """Return a side that decodes this many captions by `go(*arguments)` and is timed from outside."""

    def run_and_forget() -> None:
        go(*arguments)

    return Side(name, captions, run_and_forget)


def _comparison(task: Task, way: str, other: Side, bar: float | None) -> dict[str, Any]:
    return compare(
        f"{task.name}: {way}, against {other.name}",
        _side("ours", len(task.embeddings), task.ours, way),
        other,
        unit="captions",
        pairs=task.pairs,
        warm=0,
        bar=bar,
        device=task.device,
    )


def agreement_table(tasks: list[Task]) -> dict[str, Any]:
    """Return how many of the reference's captions are ours token for token, and how long they are."""
    rows = []
    for task in tasks:
        model = reference_model(task.captioner).to(task.device).eval()
        for way, beams in (("greedy", None), ("beam 5", BEAMS)):
            theirs = predict(model, task.embeddings[: task.few], task.eos_id, beams, task.max_tokens)
            ours = task.ours(way)[: task.few]
            same = sum(a == b for a, b in zip(ours, theirs, strict=True))
            rows.append([f"{task.name}: {way}", task.few, same, sum(map(len, ours)) / len(ours)])
    return {
        "title": "The same captions?",
        "columns": ["Decoding", "Captions", "Identical to the reference's", "Mean tokens"],
        "rows": rows,
    }


NOTES = [
    "GPT-2 small has random weights, which would never end a caption. Its position vectors are changed, for both sides "
    "alike, so that every caption ends after COCO's mean length; the reference's own limit, 67 tokens, would make it "
    "read its captions over and over and flatter us.",
    "The reference decodes fewer images than we do in one run, one at a time; rates are captions a second.",
    "Beam search: the reference ranks captions that have ended among those that grow, by mean log-probability, and "
    "stops when all its beams have ended; ours is transformers', which keeps ended captions apart. The two agree where "
    "all beams end at the same length and may differ otherwise.",
    "Contrastive search is not in transformers without a download; its cost is set against our own greedy search.",
]
