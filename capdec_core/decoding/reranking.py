"""Re-ranking: of several captions of an image, the one that the joint encoder finds nearest to it.

It looks at the image twice: once to write the candidates, once to judge them.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from capdec_core.encoders import Encoder
from capdec_core.tokenizer import TextTokenizer

CaptionEncoder = Callable[[list[list[int]]], Tensor]
"""Maps captions, as tokens, to joint embeddings (captions, d) of any norm."""


def caption_encoder(encoder: Encoder, tokenizer: TextTokenizer) -> CaptionEncoder:
    """Return the joint encoder as a judge of captions: what it embeds is the caption as it is printed."""

    def encode(captions: list[list[int]]) -> Tensor:
        return torch.from_numpy(encoder.encode_texts([tokenizer.decode(tokens) for tokens in captions]))

    return encode


def rerank(
    candidates: Sequence[Sequence[list[int]]], embeddings: Tensor, encode: CaptionEncoder
) -> list[list[list[int]]]:
    """Return each image's candidates by falling cosine with its embedding (n, d); equals stay in their order.

    Each distinct caption is encoded once, however many images have it.
    """
    distinct = {tuple(tokens): tokens for captions in candidates for tokens in captions}
    texts = F.normalize(encode(list(distinct.values())).cpu(), dim=-1)
    place = {key: index for index, key in enumerate(distinct)}
    ordered = []
    for captions, image in zip(candidates, embeddings.cpu(), strict=True):
        cosines = texts[[place[tuple(tokens)] for tokens in captions]] @ image
        order = cosines.argsort(descending=True, stable=True)
        ordered.append([captions[index] for index in order.tolist()])
    return ordered
