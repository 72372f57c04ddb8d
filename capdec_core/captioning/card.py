"""The model card of a checkpoint: every number in it is computed or configured, none typed."""

from capdec_core.captioning.checkpoint import Facts
from capdec_core.captioning.speaker import Speaker
from capdec_core.cell import Source
from capdec_core.chart_style import POINTS
from capdec_core.encoders import RELATED, WITH_MINILM
from capdec_core.tables import DASH

METRICS = ("CIDEr", "BLEU-4", "METEOR", "ROUGE-L", "MiniLM")
TRAINED: dict[Source, str] = {
    "text": "It was trained on sentences alone: it read each one's embedding through the perturbation that "
    "is named here, and learned to say the sentence (CapDec). No image took part in its own training",
    "image": "It was trained on images with their sentences (ClipCap)",
    "blank": "It was trained on sentences alone, with an embedding that tells nothing: what it says depends on no "
    "picture",
}


def card(facts: Facts, speaker: Speaker, parameters: int) -> str:
    """Return a checkpoint's model card in Markdown.

    Args:
        facts: what the checkpoint says of itself.
        speaker: what it was made of.
        parameters: numbers of weights.
    """
    cell, made_of, noise = speaker.trained, speaker.source.id, speaker.bridge.noise.label
    judge = f"\n{RELATED}" if facts.encoder.model in WITH_MINILM else ""
    training, sources = cell.training, "\n".join(f"- {source}" for source in facts.sources)
    return f"""# Model card: a captioner for pictures

A mapper and a language model, {parameters:,} parameters, that put an image's embedding by the encoder
`{facts.encoder.model}` into a sentence. `capdec caption` reads this folder; `capdec checkpoint {made_of} FOLDER
--profile {facts.profile}` made it of a trained cell. What it was made of stands in `captioner.json`, the cell's whole
configuration with it.

{TRAINED[cell.train_on]}. Corpus: `{facts.corpus}`. Perturbation: {noise}. Budget: {training["steps"]:,} steps of
{training["batch_size"]} captions, seed {cell.seed}. Captions are read off by beam search of width
{facts.decoding.beams}, at most {facts.decoding.max_tokens} tokens.{_moved(speaker)}

Intended use: to see on any picture what such a captioner says. It knows what the corpus's sentences tell of and the
encoder tells apart, and little beside; it always says something, also of a picture of which it knows nothing, and is
often wrong. It must not be used to judge or to identify people.

## What it scores

In points, on the images that the cell was evaluated on. The scores are the cell's own; here its weights are rounded to
half precision.{judge}

{_table(facts.scores)}

{_signatures(facts.signatures)}

## Licence and sources

Weights: {facts.licence}, as the code. They stand on:

{sources}
"""


def _moved(speaker: Speaker) -> str:
    """Say what is done to an image's embedding; nothing where nothing is."""
    moves = speaker.moves_in_words
    return f" An image's embedding is moved before it is read: {moves}." if moves else ""


def _table(scores: dict[str, dict[str, float]]) -> str:
    """Return the scores as a Markdown table, an evaluation a line; a dash is what was not computed."""
    shown = [metric for metric in METRICS if any(metric in table for table in scores.values())]
    lines = [f"| evaluation | {' | '.join(shown)} |", f"|---{'|---' * len(shown)}|"]
    for key, table in scores.items():
        told = [f"{POINTS * table[metric]:.1f}" if metric in table else DASH for metric in shown]
        lines.append(f"| {key} | {' | '.join(told)} |")
    return "\n".join(lines)


def _signatures(signatures: dict[str, str]) -> str:
    """Return how the scores were made, a line an evaluation."""
    return "\n".join(f"- {key}: `{signature}`" for key, signature in signatures.items())
