"""The reference recipe: ClipCap's and CapDec's training and decoding, written anew from what their code does.

Sources: rmokady/CLIP_prefix_caption (`train.py`, `predict.py`) and DavidHuji/CapDec (`train.py`,
`gpt2_prefix_eval.py`, `predictions_runner.py`). What they do, slow or not, is done here: captions padded to the
corpus maximum, a mask handed to the language model, logits at every position, one batch moved from the host a
step, plain 32-bit floats, a loss read back at every step, gradients of a frozen language model computed all the
same, decoding one image at a time without a key-value cache.

Where it deviates, so that the loss is this project's to rounding and both sides do the same task:

- Captions end with an end-of-text token, which is also where decoding stops. The original trains on captions as
  they are and stops at the full stop.
- Padding is told by the mask. The original pads with id 0 and ignores id 0 in the loss, so a real token 0 ("!" in
  GPT-2) teaches nothing; and it overwrites its padding marks the first time a caption is read, so from the second
  epoch on its mask is all ones (without effect on the loss, since attention is causal and padding at the right).
- AdamW is PyTorch's, one tensor at a time (neither fused nor grouped), with the epsilon of transformers' former
  AdamW (1e-6) and no weight decay, that class's default.
- No progress bar, no checkpoint on disk, and the device is an argument.

GPT-2 is today's transformers class with its defaults, its attention among them, which is faster than what the
authors had: ratios against it are the smaller for that.
"""

from benchmarks.reference.dataset import CaptionDataset
from benchmarks.reference.generate import generate2, generate_beam, predict
from benchmarks.reference.model import MLP, ClipCaptionModel, ClipCaptionPrefix, TransformerMapper
from benchmarks.reference.train import batch_loss, noise_injection, train

__all__ = [
    "MLP",
    "CaptionDataset",
    "ClipCaptionModel",
    "ClipCaptionPrefix",
    "TransformerMapper",
    "batch_loss",
    "generate2",
    "generate_beam",
    "noise_injection",
    "predict",
    "train",
]
