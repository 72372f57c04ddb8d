"""Embeddings from anybody's files: pairs in one array, or images and texts in two. Nothing pickled is ever loaded."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from capdec_core.encoders.heads import Pairs
from capdec_core.errors import CapdecError
from capdec_core.gap.apart import Anatomy, anatomy
from capdec_core.gap.core import Geometry, geometry
from capdec_core.profiles import load_profile


def read_pairs(images: Path, texts: Path | None = None) -> Pairs:
    """Return the embeddings in one .npy array (2, n, d), images first, or in two.

    Of two, the images' is (n, d) and the texts' (n, d), or (n, k, d) with k captions an image.

    Raises:
        CapdecError: a file is missing or no float array of such a shape; it has fewer than two images, or a row that
            is not finite or has no length, which is named.
    """
    first = _array(images)
    if texts is None:
        if first.ndim != 3 or len(first) != 2:
            raise CapdecError(
                f"{images} must hold a float array (2, n, d), images and texts in pairs, not {first.shape}"
            )
        return _checked(first[0], first[1], f"{images}: image", f"{images}: text")
    second = _array(texts)
    if first.ndim != 2 or second.ndim not in (2, 3):
        raise CapdecError(
            f"two files must hold images (n, d) and texts (n, d) or (n, captions, d), not {first.shape} "
            f"in {images} and {second.shape} in {texts}"
        )
    if len(first) != len(second) or first.shape[-1] != second.shape[-1]:
        raise CapdecError(f"{images} {first.shape} and {texts} {second.shape} are not of the same n and d")
    return _checked(first, second, f"{images}: image", f"{texts}: text")


def of_file(path: Path) -> Geometry:
    """Measure the pairs in a .npy array (2, n, d), images first; CapdecError if it is something else."""
    return geometry(*read_pairs(path))


def anatomy_of_files(paths: Sequence[Path], profile: str) -> Anatomy:
    """Take apart the gap of the embeddings in one file or two (`read_pairs`), resampled as a profile says.

    Raises:
        CapdecError: more than two files, a file that `read_pairs` refuses, or an unknown profile.
    """
    if not 1 <= len(paths) <= 2:
        raise CapdecError(f"one file of pairs or two of images and texts can be measured, not {len(paths)}")
    return anatomy(*read_pairs(*paths), statistics=load_profile(profile).statistics)


def read_centres(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the image and the text centre (d,) in CapDec's own archive: `center_image` and `center_text`.

    Raises:
        CapdecError: the file is missing, or does not hold two finite vectors of one length by these names.
    """
    found = _load(path)
    if isinstance(found, np.ndarray):
        raise CapdecError(f"{path} is one array: centres are an .npz archive of center_image and center_text")
    with found:
        try:
            image, text = (
                np.asarray(found[name], dtype=np.float64) for name in ("center_image", "center_text")
            )
        except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
            raise CapdecError(f"{path} does not hold center_image and center_text: {error}") from None
    if image.size == 0 or image.size != image.shape[-1] or image.shape != text.shape:
        raise CapdecError(f"{path} must hold two vectors of one length, not {image.shape} and {text.shape}")
    if not np.isfinite(image).all() or not np.isfinite(text).all():
        raise CapdecError(f"{path}: a centre is not finite")
    return image.ravel(), text.ravel()


def _array(path: Path) -> np.ndarray:
    found = _load(path)
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f" or found.ndim < 2:
        raise CapdecError(f"{path} must hold a float array (2, n, d), or (n, d) with a second file beside it")
    return found


def _load(path: Path) -> np.ndarray | np.lib.npyio.NpzFile:
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise CapdecError(f"no such file: {path}") from None
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise CapdecError(f"{path} is not a .npy array: {error}") from None


def _checked(images: np.ndarray, texts: np.ndarray, image_name: str, text_name: str) -> Pairs:
    count, dim = len(images), images.shape[-1]
    if count < 2 or dim < 1 or texts.size == 0:
        raise CapdecError(f"at least two pairs of embeddings are needed, not {count} ({image_name}s)")
    texts = texts.reshape(-1, dim)
    for rows, name in ((images, image_name), (texts, text_name)):
        _check_rows(rows, name)
    return images, texts, np.repeat(np.arange(count), len(texts) // count)


def _check_rows(rows: np.ndarray, name: str) -> None:
    """Raise CapdecError, which names the first row that is not finite or has no length."""
    norms = np.linalg.norm(rows.astype(np.float64), axis=1)
    broken = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if len(broken):
        what = "is zero" if norms[broken[0]] == 0 else "is not finite"
        raise CapdecError(
            f"{name} {broken[0]} {what} ({len(broken)} of {len(rows)} rows); finite, non-zero rows are needed"
        )
