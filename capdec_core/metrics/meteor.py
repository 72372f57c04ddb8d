"""METEOR 1.5 (Denkowski and Lavie 2014) by pycocoevalcap's jar, with one start of Java for all systems.

Java takes seconds to read its tables of stems, synonyms and paraphrases, and a process that is entered early
does so beside whatever else there is to do.

The jar answers two commands on its standard input: SCORE, with references and a caption, gives the segment's
statistics; EVAL, with many segments' statistics, gives each segment's score and then the corpus score. The
corpus score comes from the summed statistics: it is not the mean of the segments' scores.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Self

from pycocoevalcap.meteor import meteor as reference_tool

from capdec_core.errors import CapdecError
from capdec_core.java import java_environment, java_path, last_line

_FOLDER = Path(reference_tool.__file__).parent
# the serial collector: what the others do in parallel takes a core from the work beside METEOR
_ARGUMENTS = [
    "-XX:+UseSerialGC",
    "-jar",
    "-Xmx2G",
    reference_tool.METEOR_JAR,
    "-",
    "-",
    "-stdio",
    "-l",
    "en",
    "-norm",
]


@dataclass(frozen=True)
class MeteorScores:
    """METEOR of one system: the corpus score (from summed statistics) and each image's own."""

    corpus: float
    sentence: list[float]


def _score_line(references: Sequence[str], caption: str) -> str:
    fields = [text.replace("|||", "") for text in (*references, caption)]
    return " ||| ".join(["SCORE", *fields])


class MeteorProcess:
    """The jar in conversation: a thread writes while this one reads, so neither pipe can fill and block."""

    def __enter__(self) -> Self:
        self._messages = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [str(java_path()), *_ARGUMENTS],
            cwd=_FOLDER,
            env=java_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            encoding="utf-8",
        )
        return self

    def score(
        self, references: Sequence[Sequence[str]], systems: Sequence[Sequence[str]]
    ) -> list[MeteorScores]:
        """Score every system's tokenised captions (one an image, in the references' order).

        A caption that several systems give to one image is aligned once. Raises CapdecError where Java fails.
        """
        segments = list(dict.fromkeys(pair for captions in systems for pair in enumerate(captions)))
        lines = [_score_line(references[image], caption) for image, caption in segments]
        statistics = dict(zip(segments, self._ask(lines, answers=len(lines)), strict=True))
        return [self._evaluate([statistics[pair] for pair in enumerate(captions)]) for captions in systems]

    def _evaluate(self, statistics: list[str]) -> MeteorScores:
        if not statistics:
            return MeteorScores(0.0, [])
        answers = self._ask([" ||| ".join(["EVAL", *statistics])], answers=len(statistics) + 1)
        *sentence, corpus = [float(answer) for answer in answers]
        return MeteorScores(corpus, sentence)

    def _ask(self, lines: Sequence[str], answers: int) -> list[str]:
        """Send lines and return that many answers; CapdecError with Java's own message where it stops."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        writer = Thread(target=_send, args=(self._process.stdin, lines), daemon=True)
        writer.start()
        received = [self._process.stdout.readline() for _ in range(answers)]
        writer.join()
        if "" in received:
            raise CapdecError(
                f"METEOR stopped after {received.index('')} of {answers} answers: {self._reason()}"
            )
        return [line.strip() for line in received]

    def _reason(self) -> str:
        self._process.wait(timeout=60)
        self._messages.seek(0)
        return last_line(self._messages.read().decode(errors="replace"))

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._messages.close()


def _send(stream: IO[str], lines: Sequence[str]) -> None:
    try:
        stream.writelines(f"{line}\n" for line in lines)
        stream.flush()
    except (BrokenPipeError, ValueError):
        pass  # Java has stopped, or been stopped: the reader finds no answer and says why
