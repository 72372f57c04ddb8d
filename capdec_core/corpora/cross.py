"""A corpus that trains on the captions of one corpus and is evaluated on the images of another."""

from collections.abc import Callable

from capdec_core.corpora import Corpus, Split
from capdec_core.files import digest


class CrossCorpus:
    """The split "train" of one corpus, and every other split of another one.

    Args:
        training: the corpus whose "train" is trained on; its captions suffice.
        evaluation: the corpus of all other splits.
    """

    def __init__(self, training: Corpus, evaluation: Corpus) -> None:
        self.training, self.evaluation = training, evaluation
        self.name = f"{training.name}-to-{evaluation.name}"
        self.fingerprint = digest([training.fingerprint, evaluation.fingerprint])

    @property
    def objects_mentioned(self) -> Callable[[str], set[str]] | None:
        """The function from a caption to the object nouns that it speaks of, as the images' corpus has it."""
        return self.evaluation.objects_mentioned

    def split(self, name: str) -> Split:
        """Return a split; an unknown name raises CapdecError with the right ones."""
        return (self.training if name == "train" else self.evaluation).split(name)
