"""Openly licensed photographs that come with installed packages: pictures for everyone, with nothing to fetch.

They are all photographs of everyday scenes in scikit-image's and scikit-learn's wheels whose package states an open
licence: `skimage.data`'s docstrings, and `sklearn/datasets/images/README.txt`.
"""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from capdec_core.errors import CapdecError

CC0 = ("CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/")
CC_BY = ("CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/")
PUBLIC = ("public domain", "https://creativecommons.org/publicdomain/mark/1.0/")


@dataclass(frozen=True)
class Photograph:
    """A photograph in a package.

    Attributes:
        package, distribution: the module that holds it, and what is installed for that.
        file: its path in the module's folder.
        shows: what is to be seen, for those who do not see it.
        author: who took it, or gave it.
        licence: name and address of its licence.
        source: address of the photograph, or of the package's page on it.
    """

    package: str
    distribution: str
    file: str
    shows: str
    author: str
    licence: tuple[str, str]
    source: str

    @property
    def path(self) -> Path:
        """The file; CapdecError where the package, or the file in it, is missing."""
        found = find_spec(self.package)
        path = Path(found.origin).parent / self.file if found and found.origin else None
        if path is None or not path.is_file():
            raise CapdecError(
                f"the package {self.distribution} with its photograph {self.file} is not installed; "
                "`make env` installs what is locked"
            )
        return path


def _image(file: str, shows: str, author: str, licence: tuple[str, str], source: str = "") -> Photograph:
    """Return a photograph of scikit-image; without a source of its own it is that of the package's page."""
    name = file.partition(".")[0]
    page = f"https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data.{name}"
    return Photograph("skimage", "scikit-image", f"data/{file}", shows, author, licence, source or page)


def _learn(file: str, shows: str, author: str, number: str) -> Photograph:
    """Return a photograph of scikit-learn; they come from Flickr."""
    source = f"https://www.flickr.com/photos/{author}/{number}/"
    return Photograph("sklearn", "scikit-learn", f"datasets/images/{file}", shows, author, CC_BY, source)


PHOTOGRAPHS = (
    _image(
        "astronaut.png",
        "A smiling woman in an orange space suit, a flag and a model of a space shuttle behind her",
        "NASA",
        PUBLIC,
        "https://flic.kr/p/r9qvLn",
    ),
    _image("camera.png", "A man in a dark coat looks into a camera on a tripod", "Lav Varshney", CC0),
    _image("chelsea.png", "The face of a tabby cat", "Stefan van der Walt", CC0),
    _learn("china.jpg", "A Chinese pavilion above trees and a lake", "danielbuechele", "6061409035"),
    _image("coffee.png", "A red cup of coffee on a wooden table", "Rachel Michetti", CC0),
    _learn("flower.jpg", "A pale orange dahlia", "vultilion", "6056698931"),
    _image(
        "rocket.jpg",
        "A rocket on its launch pad at dusk",
        "SpaceX",
        PUBLIC,
        "https://www.flickr.com/photos/spacexphotos/16511594820/",
    ),
)
