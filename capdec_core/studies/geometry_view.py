"""What chapter 1 shows: gaps taken apart, of the profile's encoder and of published pairs, and heads at many scales."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from capdec_core import paths
from capdec_core.embeddings import unit_rows
from capdec_core.encoders.heads import Pairs, standardised
from capdec_core.gap import Anatomy, anatomy, embedded_pairs, read_centres, read_pairs
from capdec_core.gap.heads import HeadRun
from capdec_core.gap.kept_heads import kept_heads
from capdec_core.studies.claims import Claim, Evidence
from capdec_core.studies.geometry_claims import claims, head_tests
from capdec_core.studies.view import StudyView

PUBLISHED = {
    "CLIP": "features_clip.npy",
    "ConVIRT": "features_convirt.npy",
    "VideoCLIP": "features_videoclip.npy",
    "CLASP": "features_clasp.npy",
}
"""Pairs of Liang et al. 2022: photographs, radiographs, videos and proteins, each with a text; by model."""
RANDOM = {f"{name}, random weights": path.replace(".npy", "_random.npy") for name, path in PUBLISHED.items()}
"""The same pairs by the same networks before any training."""
CENTRES = "capdec_rn50x4_centres.npz"


@dataclass(frozen=True)
class GeometryStudy(StudyView):
    """The chapter's measures; `device` is where the profile's encoder runs."""

    device: str

    @property
    def own(self) -> str:
        """What the profile's encoder on its corpus is called."""
        return f"{self.profile.encoder.model} on {self.profile.corpus.name}"

    @property
    def claims(self) -> list[Claim]:
        """What Liang et al. 2022 say of the gap's causes."""
        return claims(self.tests)

    @cached_property
    def tests(self) -> list[Evidence]:
        """The chapter's family of tests, corrected together."""
        return head_tests(self.heads)

    @cached_property
    def pairs(self) -> Pairs:
        """Raw embeddings of the profile's test split."""
        return embedded_pairs(self.profile, self.device)

    @cached_property
    def published(self) -> dict[str, Pairs]:
        """The published pairs that lie on this machine, by name; none where their folder is absent."""
        folder = published_folder()
        files = {} if folder is None else PUBLISHED | RANDOM
        return {
            name: read_pairs(folder / file)
            for name, file in files.items()
            if folder and (folder / file).exists()
        }

    @cached_property
    def anatomies(self) -> dict[str, Anatomy]:
        """Every gap taken apart, the profile's own first."""
        everything = {self.own: self.pairs} | self.published
        return {
            name: anatomy(*pairs, statistics=self.profile.statistics) for name, pairs in everything.items()
        }

    @property
    def trained(self) -> dict[str, Anatomy]:
        """Those of trained networks."""
        return {name: found for name, found in self.anatomies.items() if name not in RANDOM}

    @cached_property
    def centres(self) -> np.ndarray | None:
        """CapDec's gap vector (640,), image centre minus text centre; None where its archive is absent."""
        folder = published_folder()
        if folder is None or not (folder / CENTRES).exists():
            return None
        image, text = read_centres(folder / CENTRES)
        return image - text

    @cached_property
    def heads(self) -> list[HeadRun]:
        """The temperature experiment: heads of both kinds at every scale and seed, on the profile's own features."""
        settings = self.profile.geometry
        train = embedded_pairs(self.profile, self.device, settings.split)
        features, held_out = standardised(train, train), standardised(self.pairs, train)
        return kept_heads(paths.CACHE / "heads", features, held_out, settings)

    @cached_property
    def heads_table(self) -> pd.DataFrame:
        """One row a training of heads: kind, scale, seed, and the geometry of held-out pairs before and after."""
        return pd.DataFrame(
            {
                "id": run.id,
                "kind": run.kind,
                "scale": run.scale,
                "seed": run.seed,
                "before": run.before.gap_norm,
                "gap": run.after.gap_norm,
                "matched": run.after.matched,
                "mismatched": run.after.mismatched,
                "recall": run.after.image_to_text[1],
                "loss": run.final_loss,
            }
            for run in self.heads
        )

    def projection(self, shown: int) -> dict[str, np.ndarray]:
        """Return two principal components of images and texts, {name: (2, pairs, 2)}, of some pairs of each source.

        The components are those of both modalities together about their common mean; of several captions of an image
        the first is taken. Sources are the profile's own and CLIP.
        """
        sources = {self.own: self.pairs} | {name: p for name, p in self.published.items() if name == "CLIP"}
        return {name: _components(*pairs)[:, :shown] for name, pairs in sources.items()}


def published_folder() -> Path | None:
    """Return the folder of published pairs; None where no place for real data has it."""
    folders = (place / "clip_pairs" for place in paths.REAL_DATA)
    return next((folder for folder in folders if folder.is_dir()), None)


def _components(images: np.ndarray, texts: np.ndarray, owners: np.ndarray) -> np.ndarray:
    first = np.unique(owners, return_index=True)[1]
    both = np.stack([unit_rows(images)[owners[first]], unit_rows(texts)[first]])
    centred = both - both.mean(axis=(0, 1))
    directions = np.linalg.svd(centred.reshape(-1, centred.shape[-1]), full_matrices=False)[2][:2]
    return centred @ directions.T
