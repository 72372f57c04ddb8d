"""Captioning pictures of one's own: a captioner in a folder, and what `capdec caption` does with it."""

from capdec_core.captioning.checkpoint import Facts, PictureCaptioner, load_checkpoint, load_shipped
from capdec_core.captioning.command import Answer, answers

__all__ = ["Answer", "Facts", "PictureCaptioner", "answers", "load_checkpoint", "load_shipped"]
