"""Systems' captions beside their references: checked, aligned, and tokenised in one start of Java."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

from capdec_core.metrics.inputs import Candidates, References, as_lists, check_ids, check_references
from capdec_core.metrics.tokenize import tokenize


@dataclass(frozen=True)
class Aligned:
    """Captions of systems on the same images, in the same order.

    Attributes:
        ids: the images.
        references: [image][caption], at least one an image.
        answers: system -> [image][caption], at least one an image, the system's answer first.
    """

    ids: list[str]
    references: list[list[str]]
    answers: dict[str, list[list[str]]]

    @classmethod
    def of(cls, references: References, systems: Mapping[str, Candidates]) -> Self:
        """Align systems with the references; CapdecError for what is no text or for ids that do not match."""
        check_references(references)
        ids = list(references)
        answers = {name: _in_order(ids, name, captions) for name, captions in systems.items()}
        return cls(ids, [list(references[image]) for image in ids], answers)

    @property
    def firsts(self) -> list[list[str]]:
        """Each system's answers, one an image."""
        return [[row[0] for row in rows] for rows in self.answers.values()]

    @property
    def sentences(self) -> set[str]:
        """Every distinct caption and reference."""
        rows = chain(self.references, *self.answers.values())
        return {caption for row in rows for caption in row}

    def first(self) -> Self:
        """Return the same with each system's answers alone."""
        answers = {name: [row[:1] for row in rows] for name, rows in self.answers.items()}
        return type(self)(self.ids, self.references, answers)

    def part(self, names: Iterable[str]) -> Self:
        """Return the same with some of the systems."""
        return type(self)(self.ids, self.references, {name: self.answers[name] for name in names})

    def tell(self) -> Iterator[list[str]]:
        """Yield blocks for the tokenizer: the references, and of each system the answers, then the others."""
        yield [caption for captions in self.references for caption in captions]
        for rows in self.answers.values():
            yield [row[0] for row in rows]
            yield [caption for row in rows for caption in row[1:]]

    def retold(self, blocks: Iterator[list[str]]) -> Self:
        """Return the same in other words, those of as many blocks as `tell` yields."""
        references = _spread(next(blocks), self.references)
        answers = {}
        for name, rows in self.answers.items():
            firsts, others = next(blocks), _spread(next(blocks), [row[1:] for row in rows])
            answers[name] = [[head, *tail] for head, tail in zip(firsts, others, strict=True)]
        return type(self)(self.ids, references, answers)


def tokenized(groups: Sequence[Aligned]) -> list[Aligned]:
    """Return the groups with tokenised captions, in one start of Java; CapdecError where it fails."""
    blocks = iter(tokenize([block for group in groups for block in group.tell()]))
    return [group.retold(blocks) for group in groups]


def _in_order(ids: list[str], name: str, captions: Candidates) -> list[list[str]]:
    lists = as_lists(captions, what=f"system {name!r}")
    check_ids(ids, lists, what=f"system {name!r}")
    return [lists[image] for image in ids]


def _spread(flat: list[str], like: Sequence[Sequence[str]]) -> list[list[str]]:
    remaining = iter(flat)
    return [[next(remaining) for _ in row] for row in like]
