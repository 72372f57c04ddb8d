"""What the report's title page shows first: real photographs with what the shipped captioner says of them."""

import base64
import io
from html import escape

from PIL import Image

from capdec_core import paths
from capdec_core.bridges import Sight
from capdec_core.captioning.checkpoint import FACTS, Facts, has_shipped, load_shipped, read_facts
from capdec_core.captioning.command import NO_WORDS, answers
from capdec_core.captioning.packaged import PHOTOGRAPHS, Photograph
from capdec_core.captioning.speaker import Speaker, speaker_of
from capdec_core.cell import code_fingerprint
from capdec_core.chart_style import POINTS
from capdec_core.errors import CapdecError
from capdec_core.files import digest, file_digest, read_json, write_json
from capdec_core.pictures import upright_rgb

THUMBNAIL = (400, 288)
"""Pixels that a picture keeps at most, (width, height): twice what the page shows, for screens with dense pixels."""
LEARNED = {
    "text": "It has learned to speak from sentences alone; the encoder through which it looks has met pictures.",
    "image": "It was trained on pictures with their sentences.",
    "blank": "It has learned sentences and does not look at the picture.",
}


def photographs_part() -> str:
    """Return the title page's part on photographs as MyST; nothing where no captioner is shipped.

    Captions are computed once for a captioner, its code and the photographs, and kept in the cache.

    Raises:
        CapdecError: a captioner that cannot be loaded, or a photograph's package that is missing.
    """
    if not has_shipped():
        return ""
    figures = "".join(_figure(*pair) for pair in zip(PHOTOGRAPHS, _captions(), strict=True))
    return (
        f"{_introduction(read_facts(paths.SHIPPED))}\n\n"
        f'<div class="photographs">{figures}</div>\n\n'
        "The photographs come with the packages scikit-image and scikit-learn and are shown scaled down. "
        "`capdec caption photo.jpg` says as much of any other picture.\n"
    )


def _introduction(facts: Facts) -> str:
    """Return the heading and what there is to know of the captioner, its score from its own record."""
    speaker = speaker_of(facts.cell)
    scored = facts.scores.get("test/image", {}).get("CIDEr")
    score = (
        "" if scored is None else f", where it scores {POINTS * scored:.1f} points of CIDEr on test images"
    )
    return (
        "## What a captioner says of photographs\n\n"
        "Under each picture stands the caption, as it came, of the captioner that ships with this project. "
        f"{LEARNED[speaker.trained.train_on]}{_moved(speaker)} "
        f"Its sentences are those of the corpus `{facts.corpus}`{score}; of what "
        "they do not tell it knows little, and it says something all the same."
    )


def _moved(speaker: Speaker) -> str:
    """Return what is done to a picture's embedding before it is read, and whether that takes training pictures."""
    if not speaker.bridge.moves:
        return ""
    looked = "" if speaker.moves.sight is Sight.NEVER else ", by what training pictures tell"
    return f" Before it reads a picture's embedding, that is moved ({speaker.moves_in_words}){looked}."


def _captions() -> list[str]:
    """Return the photographs' captions, from the cache where they are there."""
    contents = [file_digest(photograph.path) for photograph in PHOTOGRAPHS]
    key = digest([file_digest(paths.SHIPPED / FACTS), contents, code_fingerprint()])[:16]
    kept = paths.CACHE / "title_page" / f"{key}.json"
    if not kept.is_file():
        found = list(answers(load_shipped(), [photograph.path for photograph in PHOTOGRAPHS]))
        if refused := [answer for answer in found if answer.refused]:
            raise CapdecError(f"{refused[0].picture}: {refused[0].refused}")
        write_json(kept, [answer.caption for answer in found])
    return read_json(kept)


def _figure(photograph: Photograph, caption: str) -> str:
    """Return a photograph with its caption, author and licence as HTML."""
    name, address = photograph.licence
    return (
        f'<figure><img src="{_thumbnail(photograph)}" alt="{escape(photograph.shows)}">'
        f'<figcaption><span class="said">{escape(caption or NO_WORDS)}</span>'
        f'<span class="credit"><a href="{escape(photograph.source)}">{escape(photograph.author)}</a>, '
        f'<a href="{escape(address)}">{escape(name)}</a></span></figcaption></figure>'
    )


def _thumbnail(photograph: Photograph) -> str:
    """Return a small JPEG of a photograph as a data URI."""
    stream = io.BytesIO()
    with photograph.path.open("rb") as file:
        image = upright_rgb(file)
    image.thumbnail(THUMBNAIL, Image.Resampling.BICUBIC)
    image.save(stream, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
