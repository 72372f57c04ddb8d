"""open_clip's causal text towers, computed as far as a sentence goes and not to the end of the context.

Under a causal mask a token sees only what stands before it, and these towers take the embedding from one token, the
end of the text. Nothing behind it can change the embedding, so the padding to the context length (77 for CLIP) is cut.
"""

from typing import Any

import torch
from open_clip.model import CLIP, CustomTextCLIP
from open_clip.transformer import TextTransformer
from torch import Tensor, nn


class CausalTextTower:
    """A text tower that embeds token ids cut behind the token it pools at.

    Args:
        tower: the module that holds the text weights: open_clip's `CLIP` itself or its `TextTransformer`.
        end: the id of the end of the text; None where the end is the largest id of a sentence.
    """

    def __init__(self, tower: CLIP | TextTransformer, end: int | None) -> None:
        self.tower, self.end = tower, end

    def lengths(self, tokens: Tensor) -> Tensor:
        """Return how many of each row's token ids (n, context) are needed, long (n,): up to the pooled token."""
        marks = tokens if self.end is None else (tokens == self.end).int()
        return marks.argmax(dim=1) + 1

    def __call__(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Embed token ids (n, L) whose needed lengths (n,) are at most L, at their raw norm: (n, dim)."""
        tower, count = self.tower, tokens.shape[1]
        kind = tower.transformer.get_cast_dtype()
        x = tower.token_embedding(tokens).to(kind) + tower.positional_embedding[:count].to(kind)
        x = tower.transformer(x, attn_mask=tower.attn_mask[:count, :count])
        pooled = tower.ln_final(x[torch.arange(len(x), device=x.device), lengths - 1])
        projection = tower.text_projection
        if projection is None:
            return pooled
        return projection(pooled) if isinstance(projection, nn.Linear) else pooled @ projection


def causal_text_tower(model: nn.Module) -> CausalTextTower | None:
    """Return the model's text tower if padding cannot reach its embeddings, else None.

    None is for towers that attend in both directions, that pool at the first or the last position or at a class
    token behind the padding (CoCa), and for those that are not open_clip's own (Hugging Face models).
    """
    tower: Any = model
    if type(model) is CLIP:
        pool, end = tower.text_pool_type, tower.text_eos_id
    elif type(model) is CustomTextCLIP and type(model.text) is TextTransformer:
        tower = model.text
        pool, end = tower.pool_type if tower.cls_emb is None else "class token", tower.eos_id
    else:
        return None
    if tower.attn_mask is None or pool not in ("argmax", "eos"):
        return None
    return CausalTextTower(tower, end if pool == "eos" else None)
