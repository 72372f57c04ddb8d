"""Published checkpoints by name: from a local folder, or from the model hub at a pinned revision; checked by hash."""

from pathlib import Path

from huggingface_hub import hf_hub_download

from capdec_core import paths
from capdec_core.captioner import Captioner
from capdec_core.errors import CapdecError
from capdec_core.files import file_digest
from capdec_core.imported.build import import_captioner
from capdec_core.imported.settings import PublishedSettings
from capdec_core.quiet import UNREADABLE


def published_captioner(wanted: PublishedSettings, language_model: str) -> Captioner:
    """Return a published captioner that speaks through the GPT-2 of this name.

    Raises CapdecError if it is not to be had, or is not what `wanted` says.
    """
    return import_captioner(find_checkpoint(wanted), wanted.mapper, language_model)


def find_checkpoint(wanted: PublishedSettings) -> Path:
    """Return where a published checkpoint is, after fetching it where that is needed.

    It is looked for below the folder that CAPDEC_MODELS names (.../owner/name/file), then in the hub's cache and on the
    hub at its revision (HF_ENDPOINT names a mirror).

    Raises CapdecError if it is in none of these, or has another hash.
    """
    local = Path(paths.MODELS) / wanted.hub / wanted.file
    path = local if local.is_file() else _from_hub(wanted, local)
    if (found := file_digest(path)) != wanted.sha256:
        raise CapdecError(
            f"{path} is not the checkpoint {wanted.hub} that is asked for: its SHA-256 is {found}, not "
            f"{wanted.sha256}. Delete it to have it fetched anew."
        )
    return path


def _from_hub(wanted: PublishedSettings, local: Path) -> Path:
    try:
        return Path(hf_hub_download(wanted.hub, wanted.file, revision=wanted.revision))
    except UNREADABLE as error:
        raise CapdecError(
            f"the checkpoint {wanted.hub} is neither {local} (CAPDEC_MODELS names the folder above {wanted.hub}) "
            f"nor to be had from the hub at revision {wanted.revision} (HF_ENDPOINT names a mirror): {error}"
        ) from None
