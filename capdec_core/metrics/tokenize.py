"""The Penn Treebank tokenizer of caption evaluation: lower case, punctuation removed.

The same program, flags and punctuation list as pycocoevalcap's `PTBTokenizer` (Stanford CoreNLP 3.4.1),
with one start of Java for any number of caption lists, where pycocoevalcap starts one for each. A caption that
is told many times is read once in each context that makes a difference.

What makes a difference: the tokenizer looks past the end of a line, for a digit, a capital or a space, to tell
an abbreviation's full stop from a sentence's ("no." keeps it where the next caption begins with a digit). So a
line's tokens depend on the line and on the next one's first letter or digit, by kind; where the next begins
with anything else, on the whole of it.
"""

import subprocess
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase, digits

from pycocoevalcap.tokenizer import ptbtokenizer

from capdec_core.errors import CapdecError
from capdec_core.java import java_environment, java_path, last_line

_JAR = Path(ptbtokenizer.__file__).parent / ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR
_PUNCTUATION = frozenset(ptbtokenizer.PUNCTUATIONS)


Line = tuple[str, str]
"""A caption on one line, and a line of the kind that follows it: "" at the end of a block."""


def tokenize(blocks: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return each block's captions as tokens joined by single spaces; Java is started once.

    Each block comes out as pycocoevalcap's tokenizer gives it alone: what follows a block's last caption is
    hidden from it. (Known difference: pycocoevalcap splits the apostrophe from a decade, "'90", in the very
    last position.)

    Line breaks inside a caption are read as spaces (pycocoevalcap does so for "\\n" only). A caption may come
    out empty. Raises CapdecError where Java fails.
    """
    lines = [_in_context([_one_line(caption) for caption in block]) for block in blocks]
    known = _tokens({line for block in lines for line in block})
    return [[known[line] for line in block] for block in lines]


def _in_context(captions: Sequence[str]) -> list[Line]:
    return [(caption, _kind(after)) for caption, after in zip(captions, [*captions[1:], ""], strict=False)]


def _kind(line: str) -> str:
    """Return a line that stands for this one to whoever looks at it from the line before."""
    for letters, kind in ((ascii_lowercase, "a"), (ascii_uppercase, "A"), (digits, "5")):
        if line[:1] and line[:1] in letters:
            return kind
    return line


def _tokens(lines: Collection[Line]) -> dict[Line, str]:
    """Tokenise distinct lines, each followed by what it is to be followed by.

    In this order most lines are followed by another; the rest by a line of that kind, which nobody asked for.
    """
    order = sorted(lines, key=lambda line: (line[1], _kind(line[0]) != line[1], line[0]))
    asked: list[int] = []
    text: list[str] = []
    for line, (after, _) in zip(order, [*order[1:], ("", "")], strict=False):
        asked.append(len(text))
        text.append(line[0])
        if _kind(after) != line[1]:
            text.append(line[1])
    found = _run_ptb(text) if text else []
    return {line: _without_punctuation(found[place]) for line, place in zip(order, asked, strict=True)}


def _one_line(caption: str) -> str:
    return " ".join(caption.splitlines())


def _without_punctuation(line: str) -> str:
    return " ".join(word for word in line.rstrip().split(" ") if word not in _PUNCTUATION)


def _run_ptb(lines: Sequence[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "captions.txt"
        source.write_bytes("".join(f"{line}\n" for line in [*lines, ""]).encode())
        command = [str(java_path()), "-cp", str(_JAR), "edu.stanford.nlp.process.PTBTokenizer"]
        command += ["-preserveLines", "-lowerCase", str(source)]
        result = subprocess.run(command, capture_output=True, env=java_environment())
    found = result.stdout.decode().split("\n")[:-2]
    if result.returncode != 0 or len(found) != len(lines):
        reason = last_line(result.stderr.decode(errors="replace"))
        raise CapdecError(f"the PTB tokenizer returned {len(found)} of {len(lines)} lines: {reason}")
    return found
