"""The Penn Treebank tokenizer of caption evaluation: lower case, punctuation removed.

The same program, flags and punctuation list as pycocoevalcap's `PTBTokenizer` (Stanford CoreNLP 3.4.1),
with one start of Java for any number of caption lists, where pycocoevalcap starts one for each.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pycocoevalcap.tokenizer import ptbtokenizer

from capdec_core.errors import CapdecError
from capdec_core.java import java_environment, java_path, last_line

_JAR = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
_PUNCTUATION = frozenset(ptbtokenizer.PUNCTUATIONS)


def tokenize(blocks: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return each block's captions as tokens joined by single spaces; Java is started once.

    Each block comes out as pycocoevalcap's tokenizer gives it alone. Blocks matter because the tokenizer
    looks past the end of a line: "no." keeps its full stop where the next caption begins with a digit.
    A blank line after each block hides the next one, so no system's tokens depend on another system. (Known
    difference: pycocoevalcap splits the apostrophe from a decade, "'90", in the very last position.)

    Line breaks inside a caption are read as spaces (pycocoevalcap does so for "\\n" only). A caption may come
    out empty. Raises CapdecError where Java fails.
    """
    if not any(blocks):
        return [[] for _ in blocks]
    text = "".join("".join(f"{_one_line(caption)}\n" for caption in block) + "\n" for block in blocks)
    lines = iter(_run_ptb(text, expected=text.count("\n")))
    tokenized = []
    for block in blocks:
        tokenized.append([_without_punctuation(next(lines)) for _ in block])
        next(lines)
    return tokenized


def _one_line(caption: str) -> str:
    return " ".join(caption.splitlines())


def _without_punctuation(line: str) -> str:
    return " ".join(word for word in line.rstrip().split(" ") if word not in _PUNCTUATION)


def _run_ptb(text: str, expected: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "captions.txt"
        source.write_bytes(text.encode())
        command = [str(java_path()), "-cp", str(_JAR), "edu.stanford.nlp.process.PTBTokenizer"]
        command += ["-preserveLines", "-lowerCase", str(source)]
        result = subprocess.run(command, capture_output=True, env=java_environment())
    lines = result.stdout.decode().split("\n")[:-1]
    if result.returncode != 0 or len(lines) != expected:
        reason = last_line(result.stderr.decode(errors="replace"))
        raise CapdecError(f"the PTB tokenizer returned {len(lines)} of {expected} lines: {reason}")
    return lines
