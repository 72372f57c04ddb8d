"""The reference's decoding: one image at a time, the whole caption read again for every token."""

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.reference.model import ClipCaptionModel

ENTRY_LENGTH = 67
"""The most tokens of a caption, where the caller does not say."""


def predict(
    model: ClipCaptionModel,
    embeddings: Tensor,
    eos_id: int,
    beam_size: int | None = None,
    entry_length: int = ENTRY_LENGTH,
) -> list[list[int]]:
    """Return a caption, without end of text, for each embedding (n, d): by beam search, or greedily for None."""
    captions = []
    for row in embeddings:
        with torch.no_grad():
            prefix = model.clip_project(row[None]).reshape(1, model.prefix_length, -1)
        if beam_size is None:
            captions.append(generate2(model, prefix, eos_id, entry_length))
        else:
            captions.append(generate_beam(model, prefix, eos_id, beam_size, entry_length)[0])
    return captions


@torch.no_grad()
def generate_beam(
    model: ClipCaptionModel,
    embed: Tensor,
    eos_id: int,
    beam_size: int = 5,
    entry_length: int = ENTRY_LENGTH,
) -> list[list[int]]:
    """Return `beam_size` captions after the prefix `embed` (1, k, width), the best first.

    A caption that has ended stays in its beam and is ranked with those that grow by log-probability divided
    by length, at every step; the search ends when all beams have. (Search elsewhere keeps finished captions
    apart, and grows as many as there are beams beside them: results may differ.)
    """
    model.eval()
    tokens = scores = None
    generated = embed
    lengths = torch.ones(beam_size, device=embed.device)
    stopped = torch.zeros(beam_size, device=embed.device, dtype=torch.bool)
    for _ in range(entry_length):
        logits = model.gpt(inputs_embeds=generated).logits[:, -1, :].softmax(-1).log()
        if scores is None or tokens is None:
            scores, chosen = logits.topk(beam_size, -1)
            generated = generated.expand(beam_size, *generated.shape[1:])
            chosen, scores = chosen.permute(1, 0), scores.squeeze(0)
            tokens = chosen
        else:
            logits[stopped] = -float("inf")
            logits[stopped, 0] = 0
            sums = scores[:, None] + logits
            lengths[~stopped] += 1
            averages, places = (sums / lengths[:, None]).view(-1).topk(beam_size, -1)
            source, chosen = places // sums.shape[1], (places % sums.shape[1]).unsqueeze(1)
            lengths, stopped = lengths[source], stopped[source]
            tokens = torch.cat((tokens[source], chosen), dim=1)
            generated = generated[source]
            scores = averages * lengths
        words = model.gpt.transformer.wte(chosen.squeeze(1)).view(beam_size, 1, -1)
        generated = torch.cat((generated, words), dim=1)
        stopped = stopped + chosen.eq(eos_id).squeeze(1)
        if stopped.all():
            break
    assert scores is not None  # entry_length is at least 1
    assert tokens is not None
    order = (scores / lengths).argsort(descending=True).tolist()
    found = [row[: int(length)] for row, length in zip(tokens.tolist(), lengths.tolist(), strict=True)]
    return [_without_end(found[index], eos_id) for index in order]


@torch.no_grad()
def generate2(
    model: ClipCaptionModel,
    embed: Tensor,
    eos_id: int,
    entry_length: int = ENTRY_LENGTH,
    top_p: float = 0.8,
) -> list[int]:
    """Return one caption after the prefix `embed` (1, k, width): the likeliest token of the nucleus, always.

    That is greedy search, after a sort of the whole vocabulary whose outcome cannot matter, as in the original.
    """
    model.eval()
    generated = embed
    written: list[int] = []
    for _ in range(entry_length):
        logits = model.gpt(inputs_embeds=generated).logits[:, -1, :]
        ordered, places = torch.sort(logits, descending=True)
        removed = torch.cumsum(F.softmax(ordered, dim=-1), dim=-1) > top_p
        removed[..., 1:] = removed[..., :-1].clone()
        removed[..., 0] = False
        logits[:, places[removed]] = -float("inf")
        chosen = torch.argmax(logits, -1).unsqueeze(0)
        generated = torch.cat((generated, model.gpt.transformer.wte(chosen)), dim=1)
        written.append(int(chosen.item()))
        if written[-1] == eos_id:
            break
    return _without_end(written, eos_id)


def _without_end(tokens: list[int], eos_id: int) -> list[int]:
    return tokens[: tokens.index(eos_id)] if eos_id in tokens else tokens
