"""A word-level tokenizer made from a corpus's own captions."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from capdec_core.errors import CapdecError
from capdec_core.files import digest, read_json, write_atomic

UNKNOWN, PADDING, END = "<|unk|>", "<|pad|>", "<|endoftext|>"
SPECIALS = 3
"""Ids of these stand last, in this order: the unknown word's is the size of the vocabulary less this."""
WORD = r"\w+(?:['-]\w+)*|[^\w\s]"  # "t-shirt" and "man's" are words; other punctuation stands alone


class TextTokenizer(Protocol):
    """What captions are made tokens with: a corpus's own words, or the vocabulary of a pre-trained model."""

    vocab_size: int
    eos_id: int
    pad_id: int

    def encode(self, captions: list[str]) -> list[list[int]]:
        """Return each caption's ids, without end of text."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text up to the first end of text."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides the ids."""
        ...

    def save(self, path: Path) -> None:
        """Write the tokenizer, atomically."""
        ...


class CaptionTokenizer:
    """Lower-cased words and punctuation marks; the last three ids are unknown, padding and end of text.

    The special tokens cannot be spelled in a caption: text is split before they are looked up. The wrapper of a
    pre-trained model's vocabulary is `capdec_core.subwords`.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        """Take the words in the order of their ids, without the special tokens."""
        self._words = [*vocabulary, UNKNOWN, PADDING, END]
        ids = {word: index for index, word in enumerate(self._words)}
        if len(ids) != len(self._words):
            raise CapdecError("a word occurs twice in the tokenizer's vocabulary")
        self._tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
        self._tokenizer.normalizer = _normalizer()
        self._tokenizer.pre_tokenizer = _splitter()
        self.vocab_size = len(self._words)
        self.pad_id = self.vocab_size - 2
        self.eos_id = self.vocab_size - 1

    @classmethod
    def train(cls, captions: Iterable[str], rare: int = 1) -> "CaptionTokenizer":
        """Make a vocabulary of the words that occur at least `rare` times, the most frequent first, then by spelling.

        Raises CapdecError if there is no such word.
        """
        normalizer, splitter = _normalizer(), _splitter()
        counts: Counter[str] = Counter()
        for caption in captions:
            counts.update(word for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(caption)))
        kept = [word for word, count in counts.items() if count >= rare]
        if not kept:
            times = f" at least {rare} times" if counts else ""
            raise CapdecError(f"the tokenizer's captions hold no word{times}")
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def encode(self, captions: list[str]) -> list[list[int]]:
        """Return each caption's ids, without end of text; words not in the vocabulary become unknown."""
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(captions)]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text up to the first end of text, spaced as one writes: "a dog, on a beach."."""
        words = []
        for index in ids:
            if index == self.eos_id:
                break
            if index != self.pad_id:
                words.append(self._words[index])
        spaced = " ".join(words)
        return re.sub(r"([(\[]) ", r"\1", re.sub(r" ([.,!?;:%)\]])", r"\1", spaced))

    @property
    def fingerprint(self) -> str:
        """Hash of the vocabulary and the way of splitting: equal for tokenizers that give equal ids."""
        return digest({"words": self._words, "split": WORD})

    def save(self, path: Path) -> None:
        """Write the tokenizer in the `tokenizers` library's JSON form, atomically."""
        write_atomic(path, self._tokenizer.to_str(pretty=True) + "\n")

    @classmethod
    def load(cls, path: Path) -> "CaptionTokenizer":
        """Read what `save` wrote; raises CapdecError for a missing or foreign file."""
        try:
            ids = read_json(path)["model"]["vocab"]
            words = sorted(ids, key=ids.__getitem__)
            consecutive = [ids[word] for word in words] == list(range(len(words)))
        except (KeyError, TypeError, AttributeError):
            consecutive, words = False, []
        if not consecutive or words[-3:] != [UNKNOWN, PADDING, END]:
            raise CapdecError(f"{path} is not a caption tokenizer: train it again")
        return cls(words[:-3])


def _normalizer() -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase(), normalizers.Replace("’", "'")])


def _splitter() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
