"""Decoding in batches: from a captioner and joint embeddings to captions as tokens.

One file a method; `methods` has them as values that a study can list and store, `decode_with` runs any of
those. Images that are done leave the batch, and no cache is copied (`capdec_core.incremental`).
"""

from capdec_core.decoding.beam_search import beam, beam_candidates
from capdec_core.decoding.contrastive_search import contrastive
from capdec_core.decoding.decode import decode_with
from capdec_core.decoding.greedy_search import greedy
from capdec_core.decoding.methods import (
    Beam,
    Contrastive,
    Decoding,
    Greedy,
    Reranked,
    Sampling,
    decoding_from_dict,
)
from capdec_core.decoding.reranking import CaptionEncoder, caption_encoder, rerank
from capdec_core.decoding.sampling import sample, truncated

__all__ = [
    "Beam",
    "CaptionEncoder",
    "Contrastive",
    "Decoding",
    "Greedy",
    "Reranked",
    "Sampling",
    "beam",
    "beam_candidates",
    "caption_encoder",
    "contrastive",
    "decode_with",
    "decoding_from_dict",
    "greedy",
    "rerank",
    "sample",
    "truncated",
]
