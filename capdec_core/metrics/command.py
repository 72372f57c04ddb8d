"""What `capdec score` does: two files in, one table or one JSON object out."""

import json
from pathlib import Path

from capdec_core.errors import CapdecError
from capdec_core.files import write_json
from capdec_core.java import check_java
from capdec_core.metrics.inputs import check_ids, load_candidates, load_references
from capdec_core.metrics.scores import Scores
from capdec_core.metrics.scoring import score


def score_files(references: Path, candidates: Path, *, semantic: bool, output: Path | None) -> Scores:
    """Score one system's captions; with `output`, write everything, per-image scores too, as JSON.

    All input is checked before anything is computed, and nothing is written unless all of it succeeds;
    CapdecError says what is wrong.
    """
    expected, given = load_references(references), load_candidates(candidates)
    check_ids(expected, given, what=str(candidates))
    if output is not None:
        _check_output(output, (references, candidates))
    check_java()
    scores = score(expected, {"": given}, split=references.name, decoding="not stated", semantic=semantic)[""]
    if output is not None:
        _write(output, scores)
    return scores


def as_json(scores: Scores) -> str:
    """Return corpus scores, what was not computed and why, the number of images and the signature."""
    values = {
        "corpus": scores.corpus,
        "not_computed": scores.not_computed,
        "images": len(scores.ids),
        "signature": scores.signature,
    }
    return json.dumps(values, indent=1, allow_nan=False)


def as_table(scores: Scores) -> str:
    """Return the same as aligned lines of text."""
    lines = [f"{name:<12} {value:.4f}" for name, value in scores.corpus.items()]
    lines += [f"{name:<12} not computed: {reason}" for name, reason in scores.not_computed.items()]
    if len(scores.ids) == 1:
        lines.append(f"{'note':<12} with one image CIDEr is 0 whatever the caption")
    return "\n".join([*lines, f"{'images':<12} {len(scores.ids)}", f"{'signature':<12} {scores.signature}"])


def _check_output(output: Path, inputs: tuple[Path, ...]) -> None:
    if output.is_dir():
        raise CapdecError(f"--output {output} is a folder; give the name of a file")
    if output.resolve() in {path.resolve() for path in inputs}:
        raise CapdecError(f"--output {output} would overwrite an input; give another name")


def _write(output: Path, scores: Scores) -> None:
    try:
        write_json(output, scores.to_dict())
    except OSError as error:
        raise CapdecError(f"cannot write {output}: {error.strerror}") from None
