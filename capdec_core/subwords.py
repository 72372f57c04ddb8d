"""The tokenizer of a pre-trained language model, as a caption tokenizer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import AutoTokenizer

from capdec_core.errors import CapdecError
from capdec_core.files import digest, read_json, write_atomic
from capdec_core.quiet import UNREADABLE, quiet
from capdec_core.tokenizer import CaptionTokenizer, TextTokenizer


class SubwordTokenizer:
    """A model's own vocabulary over captions as they are written, case and punctuation included.

    A caption begins without a space before its first word, as in the published code of ClipCap and CapDec, and
    no token is put before it: the prefix stands there. Runs of white space are one blank. Special tokens
    cannot be spelled in a caption: their text is text. Padding is end of text, as GPT-2 has no token for it;
    lengths tell them apart.
    """

    def __init__(self, tokenizer: Tokenizer, eos_id: int) -> None:
        """Take a tokenizer, which is changed, and the id of end of text."""
        tokenizer.no_padding()
        tokenizer.no_truncation()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.vocab_size: int = tokenizer.get_vocab_size()
        self.eos_id = self.pad_id = eos_id

    @classmethod
    def from_folder(cls, folder: Path, eos_id: int) -> "SubwordTokenizer":
        """Read the tokenizer of a model's folder; CapdecError if it is missing or unreadable."""
        try:
            with quiet():
                loaded: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                return cls(loaded.backend_tokenizer, eos_id)
        except UNREADABLE as error:
            raise CapdecError(f"{folder} has no tokenizer that can be read: {error}") from None

    def encode(self, captions: list[str]) -> list[list[int]]:
        """Return each caption's ids, without end of text."""
        plain = [" ".join(caption.split()) for caption in captions]
        found = self._tokenizer.encode_batch_fast(plain, add_special_tokens=False)
        return [encoding.ids for encoding in found]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text up to the first end of text, without special tokens, on one line."""
        kept = list(ids)
        if self.eos_id in kept:
            kept = kept[: kept.index(self.eos_id)]
        return " ".join(self._tokenizer.decode(kept, skip_special_tokens=True).split())

    @property
    def fingerprint(self) -> str:
        """Hash of the vocabulary, the way of splitting and end of text."""
        return digest(self._content())

    def save(self, path: Path) -> None:
        """Write the tokenizer in the `tokenizers` library's form beside the id of end of text, atomically."""
        write_atomic(path, json.dumps(self._content()) + "\n")

    def _content(self) -> dict[str, Any]:
        return {"eos_id": self.eos_id, "tokenizer": json.loads(self._tokenizer.to_str())}

    @classmethod
    def load(cls, path: Path) -> "SubwordTokenizer":
        """Read what `save` wrote; raises CapdecError for a missing or foreign file."""
        found = read_json(path)
        try:
            return cls(Tokenizer.from_str(json.dumps(found["tokenizer"])), int(found["eos_id"]))
        except Exception as error:  # the tokenizers library raises Exception itself
            raise CapdecError(f"{path} is not a language model's tokenizer: {error}") from None


def load_tokenizer(path: Path) -> TextTokenizer:
    """Read a tokenizer of either kind; raises CapdecError for a missing or foreign file."""
    found = read_json(path)
    named = isinstance(found, dict) and "eos_id" in found
    return SubwordTokenizer.load(path) if named else CaptionTokenizer.load(path)
