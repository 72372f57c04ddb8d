"""`capdec import-checkpoint`: a published file into one of this project."""

from pathlib import Path

from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.imported.build import import_captioner
from capdec_core.imported.settings import StatedShape
from capdec_core.language_model import PretrainedConfig


def import_file(file: Path, output: Path, stated: StatedShape, language_model: str) -> str:
    """Write the captioner in a published file as `Captioner.load` reads it, and say what it is.

    Raises CapdecError as `import_captioner` does, or if there is no writing to `output`.
    """
    captioner = import_captioner(file, stated, language_model)
    try:
        captioner.save(output)
    except OSError as error:
        raise CapdecError(f"cannot write {output}: {error.strerror}") from None
    return f"{output}: {described(captioner)}"


def described(captioner: Captioner) -> str:
    """Return a captioner of a named language model in a sentence."""
    mapper, model = captioner.config.mapper, captioner.config.language_model
    assert isinstance(model, PretrainedConfig)  # a published one has a name
    inside = (
        f", clip length {mapper.clip_length}, {mapper.layers} layers of {mapper.heads} heads"
        if mapper.kind == "transformer"
        else ""
    )
    own = "with its own weights, tuned" if model.tuned else "as it is, not stored"
    return (
        f"{mapper.kind} mapper of {mapper.embedding_dim} dimensions, prefix length {mapper.prefix_length}{inside}; "
        f"language model {model.name}, {own}"
    )
