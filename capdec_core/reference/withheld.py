"""What of a corpus a reference may not hold, and the guard that nothing of it is there.

The generated world is the project's own and is shown as it is. Of the data sets of photographs neither a
photograph nor a sentence may be passed on; what is computed from them may, captions that a system wrote included.
"""

import re
from collections.abc import Iterable
from html import unescape

from capdec_core.corpora import Corpus
from capdec_core.errors import CapdecError

OWN = ("scenes",)
"""Corpora that were made here."""

REASON = "withheld: the data set’s terms"
VERBATIM = "withheld: a sentence of the data set, word for word"
TOO_SHORT = 5
"""Sentences of fewer words are no one's: "a dog runs" is said by every system and in the book's own prose."""

PICTURE = re.compile(r"<img [^>]*>")
LINE = re.compile(r'(<th scope="row" [^>]*>)(.*?)(</th><td [^>]*>)(.*?)(</td>)')
"""A line of `capdec_core.gallery.caption_panel`: a system's name and its caption."""
ENCODED = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]*")
PHOTOGRAPH = re.compile(r"data:image/(?:png|jpeg|gif|webp)")
WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def is_own(corpus: str) -> bool:
    """Tell whether the corpus of this name was made here, so that all of it may be shown."""
    return corpus in OWN


class Sentences:
    """The sentences of a corpus, to be recognised word for word in any text, whatever its case and punctuation."""

    def __init__(self, captions: Iterable[str]) -> None:
        words = (tuple(_words(caption)) for caption in captions)
        self._known = {sentence for sentence in words if len(sentence) >= TOO_SHORT}
        self._lengths = sorted({len(sentence) for sentence in self._known})

    @classmethod
    def of(cls, corpus: Corpus, splits: Iterable[str]) -> "Sentences":
        """Return the sentences of some splits."""
        return cls(text for name in splits for group in corpus.split(name).captions for text in group)

    def find(self, text: str) -> str | None:
        """Return the first sentence of the corpus that stands in `text`, in plain words; None where none does."""
        words = _words(text)
        for start in range(len(words)):
            for length in self._lengths:
                if start + length <= len(words) and tuple(words[start : start + length]) in self._known:
                    return " ".join(words[start : start + length])
        return None

    def withhold(self, html: str) -> str:
        """Return shown HTML without the photographs and sentences of its caption panels, which say so instead."""
        if '<table class="captions">' not in html:
            return html
        return LINE.sub(self._line, PICTURE.sub(f"<em>Photograph {REASON}</em>", html))

    def _line(self, line: re.Match[str]) -> str:
        before, name, between, caption, after = line.groups()
        if name == "Reference":
            caption = f"<em>{REASON}</em>"
        elif self.find(unescape(caption)) is not None:
            caption = f"<em>{VERBATIM}</em>"
        return f"{before}{name}{between}{caption}{after}"

    def refuse(self, text: str, where: str) -> None:
        """Raise CapdecError where `text` (HTML, Markdown or CSV) holds a photograph or a sentence of the corpus."""
        if PHOTOGRAPH.search(text):
            raise CapdecError(f"{where} would hold a picture, which may be a photograph of the data set")
        if found := self.find(unescape(ENCODED.sub(" ", text))):
            raise CapdecError(f"{where} would hold a sentence of the data set: {found!r}")


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())
