"""CapDec Book: captioning images with a decoder that has only ever read text, as a reproducible study."""

__version__ = "0.1.0"
