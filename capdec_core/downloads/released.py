"""A released archive that is kept as it is: the photographs of Flickr8k."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from capdec_core.downloads.parts import Part, first_present, target_folder
from capdec_core.downloads.transport import Remote, download, partial_size


@dataclass(frozen=True, kw_only=True)
class Released(Part):
    """A zip archive of `count` photographs; `folder` is the one inside, which is taken in its place when extracted."""

    file: str
    remote: Remote
    folder: str
    count: int

    @property
    def target(self) -> Path:
        """The archive, in the data set's folder."""
        return target_folder(self.corpus) / self.file

    def found(self) -> Path | None:
        """Return the archive, or the extracted folder."""
        return first_present(self.corpus, self.file, self.folder)

    def here(self) -> str:
        """Say yes, no, or how many bytes of how many."""
        if self.found():
            return "yes"
        share = partial_size(self.target) / self.remote.size
        return f"{share:.0%} of it" if share else "no"

    def missing(self) -> dict[str, int]:
        """Return the bytes of the archive that were not fetched yet."""
        return {} if self.found() else {self.remote.url: self.remote.size - partial_size(self.target)}

    def fetch(self) -> None:
        """Fetch the archive, going on where an earlier try was cut off."""
        download(self.remote, self.target)

    def damage(self) -> list[str]:
        """Check each photograph by the checksum that the archive holds of it, and their number."""
        path = self.found() or self.target
        if path.is_dir():
            names = [entry.name for entry in path.iterdir() if entry.suffix == ".jpg"]
            return self._miscount(path, len(names))
        try:
            with zipfile.ZipFile(path) as archive:
                members = [
                    n for n in archive.namelist() if n.startswith(f"{self.folder}/") and n.endswith(".jpg")
                ]
                lines = [_unreadable(archive, name) for name in tqdm(members, self.name, leave=False)]
        except (OSError, zipfile.BadZipFile) as error:
            return [f"{path} is truncated or no zip archive: {error}"]
        return self._miscount(path, len(members)) + [line for line in lines if line]

    def _miscount(self, path: Path, found: int) -> list[str]:
        return [] if found == self.count else [f"{path} holds {found:,} photographs, not {self.count:,}"]


def _unreadable(archive: zipfile.ZipFile, name: str) -> str:
    try:
        archive.read(name)
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        return f"{archive.filename}: {name}: {error}"
    return ""
