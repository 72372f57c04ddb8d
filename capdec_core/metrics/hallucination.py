"""CHAIR: objects that a caption mentions and the image does not hold (Rohrbach et al. 2018)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

ObjectsMentioned = Callable[[str], set[str]]
"""Returns the objects that a caption mentions, by the names that the labels use."""


@dataclass(frozen=True)
class ChairScores:
    """CHAIR of one system, with the counts of each image that it is made of.

    A system that mentions nothing scores 0 on both shares, so read them beside `objects_per_caption`.
    """

    hallucinated: list[int]
    mentioned: list[int]

    @property
    def chair_i(self) -> float:
        """Hallucinated objects / mentioned objects; 0 where nothing is mentioned."""
        return sum(self.hallucinated) / max(1, sum(self.mentioned))

    @property
    def chair_s(self) -> float:
        """Captions with at least one hallucinated object / captions."""
        return sum(count > 0 for count in self.hallucinated) / max(1, len(self.hallucinated))

    @property
    def objects_per_caption(self) -> float:
        """Mean number of distinct objects that a caption mentions."""
        return sum(self.mentioned) / max(1, len(self.mentioned))


def chair(
    captions: Sequence[str], labels: Sequence[Collection[str]], objects_mentioned: ObjectsMentioned
) -> ChairScores:
    """Count each caption's objects against its image's labels; an object named twice counts once.

    ValueError where captions and labels differ in number.
    """
    found = [
        (objects_mentioned(caption), set(present)) for caption, present in zip(captions, labels, strict=True)
    ]
    return ChairScores(
        hallucinated=[len(mentioned - present) for mentioned, present in found],
        mentioned=[len(mentioned) for mentioned, _ in found],
    )
