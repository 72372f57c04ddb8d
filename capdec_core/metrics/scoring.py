"""All metrics for many systems at once: the references' side, and each start of Java, is paid once."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from capdec_core.metrics.captions import Aligned, tokenized
from capdec_core.metrics.hallucination import ObjectsMentioned
from capdec_core.metrics.inputs import Candidates, References, check_ids
from capdec_core.metrics.judges import Objects, Wording, add_meteor, add_semantic, lexical_scores
from capdec_core.metrics.meteor import MeteorProcess
from capdec_core.metrics.scores import Scores
from capdec_core.metrics.semantic import SentenceSpace


def score(
    references: References,
    systems: Mapping[str, Candidates],
    *,
    split: str,
    decoding: str | Mapping[str, str],
    labels: Mapping[str, Sequence[str]] | None = None,
    objects_mentioned: ObjectsMentioned | None = None,
    semantic: bool = True,
    device: str = "cpu",
) -> dict[str, Scores]:
    """Score every system's captions against the same references; METEOR's Java works beside this process.

    references: image id -> captions. systems: system -> image id -> caption, or list of captions of which the
    first is the system's answer. BLEU, METEOR, ROUGE-L, CIDEr, CHAIR and diversity read the first; MiniLM is
    averaged over all (Study A's protocol: five), and self-BLEU compares them. split, decoding: words for the
    signature, of each system where it is a mapping. labels (image id -> objects) with objects_mentioned: CHAIR.
    device: where MiniLM runs.

    A caption may be empty (a collapsed system scores 0). Raises CapdecError for ids that do not match, an
    image without references, a value that is no text, or a Java that fails; ValueError for labels without
    objects_mentioned or the reverse.
    """
    told = Aligned.of(references, systems)
    objects = _objects(references, labels, objects_mentioned)
    decodings = dict.fromkeys(systems, decoding) if isinstance(decoding, str) else decoding
    with ThreadPoolExecutor(max_workers=1) as beside, MeteorProcess() as process:
        (tokens,) = tokenized([told])
        of_meteor = beside.submit(process.score, tokens.references, tokens.firsts)
        results = lexical_scores(told, tokens, Wording(split, decodings, semantic), objects)
        if semantic:
            add_semantic(results, told, SentenceSpace(told.sentences, device=device))
        add_meteor(results, of_meteor.result())
    return results


def _objects(
    references: References,
    labels: Mapping[str, Sequence[str]] | None,
    objects_mentioned: ObjectsMentioned | None,
) -> Objects | None:
    if labels is None and objects_mentioned is None:
        return None
    if labels is None or objects_mentioned is None:
        raise ValueError("CHAIR needs labels and objects_mentioned, both or neither")
    check_ids(references, labels, what="labels")
    return Objects(labels, objects_mentioned)
