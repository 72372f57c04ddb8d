"""What the cells of one profile share, made once and kept as files: tokenizer, tokens, embeddings, language model."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor
from transformers import GPT2LMHeadModel

from capdec_core.batches import PackedCaptions
from capdec_core.bridges import Material as BridgeMaterial
from capdec_core.budget import Budget
from capdec_core.captioner import load_language_model, save_language_model
from capdec_core.cell import CellConfig, Evaluation, Source, code_fingerprint
from capdec_core.corpora import Corpus, load_corpus
from capdec_core.embeddings import MODALITIES, Modality, bank, bank_path, unit_rows
from capdec_core.encoders import Encoder, load_encoder
from capdec_core.encoders.heads import Pairs
from capdec_core.encoders.reduced import reduced_encoder
from capdec_core.errors import CapdecError
from capdec_core.files import digest, read_json, replacing, write_atomic, write_json
from capdec_core.language_model import PretrainedConfig, build_language_model, language_model_config
from capdec_core.paths import BANKS, CACHE
from capdec_core.pretrained import find_model, pretrained_config, pretrained_tokenizer
from capdec_core.profiles import CalibrationSettings, EncoderSettings, NamedLanguageModelSettings, Profile
from capdec_core.subwords import load_tokenizer
from capdec_core.tokenizer import SPECIALS, CaptionTokenizer, TextTokenizer
from capdec_core.training import pretrain_language_model

PRETRAINING_SEED = 0


@dataclass(frozen=True)
class Wanted:
    """What cells read beside captions and the images that are captioned.

    Attributes:
        images: encoders whose embeddings of training images are read; None is the profile's own.
        dims: dimensions to which heads reduce the profile's own embedding.
    """

    images: frozenset[EncoderSettings | None] = frozenset()
    dims: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Material:
    """Fingerprints and files of what a profile's cells train on and are evaluated with.

    Attributes:
        corpus, encoder, tokenizer: fingerprints; that of an encoder says whether its embeddings are read raw.
        dim: the joint embedding's dimension d.
        vocab_size: of the tokenizer, special tokens included.
        banks: file of the embeddings of each "split/modality"; no images where a split is text only.
        folder: where tokenizer, tokens and image ids lie.
        encoder_settings: what the joint encoder is loaded by, for what is embedded while cells are computed.
        reduced: the same with embeddings of fewer dimensions (`capdec_core.reduced`), by dimension.
        others: the same with embeddings of another encoder, of images alone, by its settings.
    """

    corpus: str
    encoder: str
    tokenizer: str
    dim: int
    vocab_size: int
    banks: dict[str, str]
    folder: Path
    encoder_settings: EncoderSettings
    reduced: "Mapping[int, Material]" = field(default_factory=dict)
    others: "Mapping[EncoderSettings, Material]" = field(default_factory=dict)

    def by(self, encoder: EncoderSettings | None) -> "Material":
        """Return the material with the embeddings of an encoder; itself for None or the profile's own.

        Raises CapdecError where this encoder has embedded nothing here.
        """
        if encoder in (None, self.encoder_settings):
            return self
        if encoder not in self.others:
            raise CapdecError(f"{encoder.model} has embedded nothing here: no condition was said to read it")
        return self.others[encoder]

    def at(self, dim: int | None) -> "Material":
        """Return the material with the embedding reduced to `dim` dimensions; itself for None.

        Raises CapdecError where the profile has no heads of this dimension.
        """
        if dim is None:
            return self
        if dim not in self.reduced:
            raise CapdecError(f"no heads of dimension {dim}: there are {sorted(self.reduced) or 'none'}")
        return self.reduced[dim]

    def of(self, encoder: str) -> "Material":
        """Return the material, of this one, its reductions and others, whose embeddings have this fingerprint."""
        known = (self, *self.reduced.values(), *self.others.values())
        return next(each for each in known if each.encoder == encoder)

    def load_encoder(self, device: str) -> Encoder:
        """Return the joint encoder on `device`; of reduced embeddings, the one below their heads."""
        return load_encoder(self.encoder_settings.model, self.encoder_settings.pretrained, device)

    def load_tokenizer(self) -> TextTokenizer:
        """Return the tokenizer of the training captions: made from them, or the named language model's own."""
        return load_tokenizer(self.folder / "tokenizer.json")

    def training_captions(self) -> PackedCaptions:
        """Return the packed training captions, in the order of the caption embeddings."""
        tensors = load_file(self.folder / "captions.safetensors")
        return PackedCaptions(tensors["flat"], tensors["starts"], tensors["lengths"])

    def training_embeddings(self, source: Source) -> Tensor:
        """Return rows (captions, d): a caption's own embedding, its image's, or the blank one; unit, unless read raw.

        Raises CapdecError for images where the corpus trains on text only, or none were said to be read.
        """
        owners = load_file(self.folder / "captions.safetensors")["owners"]
        if source == "blank":
            return _blank(len(owners), self.dim)
        if f"train/{source}" not in self.banks:
            raise CapdecError(f"there are no embeddings of training {source}s here: train on what there is")
        rows = self._rows(np.load(self.banks[f"train/{source}"], mmap_mode="r"))
        return rows[owners] if source == "image" else rows

    def _rows(self, embeddings: np.ndarray) -> Tensor:
        """Return embeddings (n, d) as captioners read them: in memory, unit unless they are read raw."""
        if self.encoder_settings.raw:
            return torch.from_numpy(np.array(embeddings, dtype=np.float32))
        return torch.from_numpy(unit_rows(embeddings))

    def fitting_material(self) -> BridgeMaterial:
        """Return what bridges are fitted on: training captions, and images unless the corpus trains on text only."""
        owners = load_file(self.folder / "captions.safetensors")["owners"]
        images = None
        if "train/image" in self.banks:
            images = torch.from_numpy(unit_rows(np.load(self.banks["train/image"], mmap_mode="r")))
        return BridgeMaterial(self.training_embeddings("text"), images, owners)

    def training_pairs(self) -> Pairs:
        """Return unit image rows (n, d), unit text rows (captions, d), and each caption's image."""
        known = self.fitting_material()
        owners = known.need_clusters("a head")
        return known.need_images("a head").numpy(), known.texts.numpy(), owners.numpy()

    def evaluation_ids(self, evaluation: Evaluation) -> list[str]:
        """Return the ids of the images that are captioned."""
        return list(read_json(self.folder / "splits.json")[evaluation.split]["ids"][: evaluation.images])

    def evaluation_embeddings(self, evaluation: Evaluation) -> Tensor:
        """Return rows (images, d): the images', their first captions', or the blank one; unit, unless read raw."""
        if evaluation.source == "blank":
            return _blank(evaluation.images, self.dim)
        bank_rows = np.load(self.banks[f"{evaluation.split}/{evaluation.source}"], mmap_mode="r")
        first = read_json(self.folder / "splits.json")[evaluation.split]["first_caption"][: evaluation.images]
        return self._rows(bank_rows[: len(first)] if evaluation.source == "image" else bank_rows[first])


def _blank(count: int, dim: int) -> Tensor:
    """Return the constant embedding that tells nothing: the first basis vector, for every row."""
    return torch.eye(1, dim).expand(count, dim).contiguous()


def prepare(profile: Profile, device: str, wanted: Wanted | None = None) -> Material:
    """Make what the profile's cells share, as far as it is not there yet, and say where it is.

    Args:
        profile: the scale.
        device: where encoders run.
        wanted: what the cells read of the training split beside captions; None is all that the profile's book can.

    Raises:
        CapdecError: the corpus's data or an encoder's weights are missing, training images are wanted that are not
            there, or more images of a split are to be captioned than it has.
    """
    corpus = corpus_of(profile)
    wanted = _checked(wanted, corpus) if wanted else _everything(profile, corpus)
    encoder = _load(profile.encoder, device)
    own, rare = _model_tokenizer(profile), getattr(profile.language_model, "rare", 1)
    vocabulary = own.fingerprint if own else rare
    key = digest([corpus.fingerprint, profile.corpus.captioned, vocabulary, code_fingerprint()])[:16]
    folder = CACHE / "material" / f"{profile.name}-{key}"
    if not (folder / "splits.json").is_file():
        tokenizer = own or CaptionTokenizer.train(chain.from_iterable(corpus.split("train").captions), rare)
        _write_captions(folder, corpus, profile.corpus.captioned, tokenizer)
    tokenizer = load_tokenizer(folder / "tokenizer.json")
    trained_on: Sequence[Modality] = MODALITIES if None in wanted.images else ("text",)
    evaluated = dict.fromkeys(profile.corpus.captioned, MODALITIES)
    material = Material(
        corpus=corpus.fingerprint,
        encoder=_fingerprint(encoder, profile.encoder),
        tokenizer=tokenizer.fingerprint,
        dim=encoder.dim,
        vocab_size=tokenizer.vocab_size,
        banks=_write_banks(corpus, encoder, {"train": trained_on, **evaluated}),
        folder=folder,
        encoder_settings=profile.encoder,
    )
    others = {settings: _other(material, profile, settings, device) for settings in wanted.images if settings}
    reduced = {dim: _reduced(material, dim, profile.calibration) for dim in sorted(wanted.dims)}
    return replace(material, reduced=reduced, others=others)


def _checked(wanted: Wanted, corpus: Corpus) -> Wanted:
    """Return what is wanted; CapdecError, as the corpus tells it, where it has no training images and some are."""
    if wanted.images and (train := corpus.split("train")).text_only:
        train.render([0])
    return wanted


def _everything(profile: Profile, corpus: Corpus) -> Wanted:
    """Return all that a profile's book can read of a corpus: captions alone where its training split is text only."""
    if corpus.split("train").text_only:
        return Wanted()
    own = profile.prefix_length.encoder
    encoders = {None if own in (None, profile.encoder) else own, None}
    return Wanted(frozenset(encoders), frozenset(profile.calibration.dims))


def _load(settings: EncoderSettings, device: str) -> Encoder:
    return load_encoder(settings.model, settings.pretrained, device)


def _fingerprint(encoder: Encoder, settings: EncoderSettings) -> str:
    """Return what names an encoder's embeddings as they are read: raw ones are others than those made unit."""
    return digest([encoder.fingerprint, "raw"])[:16] if settings.raw else encoder.fingerprint


def _other(material: Material, profile: Profile, settings: EncoderSettings, device: str) -> Material:
    """Return the material with another encoder's embeddings of images."""
    encoder = _load(settings, device)
    images: tuple[Modality, ...] = ("image",)
    wanted = dict.fromkeys(("train", *profile.corpus.captioned), images)
    return replace(
        material,
        encoder=_fingerprint(encoder, settings),
        dim=encoder.dim,
        banks=_write_banks(corpus_of(profile), encoder, wanted),
        encoder_settings=settings,
    )


def _reduced(material: Material, dim: int, settings: CalibrationSettings) -> Material:
    folder = CACHE / "reduced" / digest([material.corpus, material.encoder])[:16]
    heads = reduced_encoder(folder, material.training_pairs, dim, settings)
    banks = {}
    for key, file in material.banks.items():
        path = folder / f"{key.replace('/', '-')}-{heads.fingerprint}.npy"
        if not path.is_file():
            with replacing(path) as partial:
                np.save(partial, heads.apply(key.split("/")[1], np.load(file, mmap_mode="r")))
        banks[key] = str(path)
    return replace(material, encoder=heads.fingerprint, dim=dim, banks=banks)


@functools.lru_cache(maxsize=2)
def _corpus(name: str, seed: int, sizes: tuple[tuple[str, int], ...]) -> Corpus:
    return load_corpus(name, seed, dict(sizes))


def corpus_of(profile: Profile) -> Corpus:
    """Return the profile's corpus; it is made once a process."""
    return _corpus(profile.corpus.name, profile.corpus.seed, tuple(sorted(profile.corpus.sizes.items())))


def _model_tokenizer(profile: Profile) -> TextTokenizer | None:
    """Return the tokenizer of the profile's language model, if that has a name."""
    model = profile.language_model
    return pretrained_tokenizer(model.name) if isinstance(model, NamedLanguageModelSettings) else None


def _write_captions(
    folder: Path, corpus: Corpus, captioned: Mapping[str, int], tokenizer: TextTokenizer
) -> None:
    """Write what is made of the captions with this tokenizer."""
    tables = {name: _split_table(corpus, name, images) for name, images in captioned.items()}
    train = corpus.split("train")
    captions = [caption for group in train.captions for caption in group]
    owners = torch.tensor([index for index, group in enumerate(train.captions) for _ in group])
    packed = PackedCaptions.pack(tokenizer.encode(captions))
    tokenizer.save(folder / "tokenizer.json")
    write_atomic(folder / "captions.safetensors", save({**vars(packed), "owners": owners}))
    write_json(folder / "splits.json", tables)


def _split_table(corpus: Corpus, name: str, images: int) -> dict[str, list]:
    split = corpus.split(name)
    if not 1 <= images <= len(split.ids):
        raise CapdecError(f"split {name!r} has {len(split.ids)} images; {images} of them cannot be captioned")
    counts = np.array([len(group) for group in split.captions])
    return {"ids": split.ids, "first_caption": (counts.cumsum() - counts).tolist()}


def _write_banks(
    corpus: Corpus, encoder: Encoder, wanted: Mapping[str, Sequence[Modality]]
) -> dict[str, str]:
    """Make the banks that are not there yet, but for images of a split that is text only; return their files."""
    found = {}
    for split, modalities in wanted.items():
        readable = [each for each in modalities if each == "text" or not corpus.split(split).text_only]
        for modality in readable:
            bank(BANKS, corpus, encoder, split, modality)
            found[f"{split}/{modality}"] = str(bank_path(BANKS, corpus, encoder, split, modality))
    return found


def language_model_path(cell: CellConfig) -> Path:
    """Return the file of the pre-trained language model that the cell starts from."""
    shape = {key: value for key, value in cell.language_model.items() if key != "tuned"}
    key = digest([cell.corpus, cell.tokenizer, shape, cell.pretraining, cell.code])[:16]
    return CACHE / "language_models" / f"{key}.safetensors"


def pretrained_language_model(cell: CellConfig, material: Material, device: str) -> GPT2LMHeadModel | None:
    """Return the language model that cells of one shape start from; pre-train it on the training captions once.

    None for one with a name: it is seen to that it is there, and the captioner reads its weights.
    """
    config = language_model_config({**cell.language_model, "tuned": True})
    if isinstance(config, PretrainedConfig):
        find_model(config.name)
        return None
    path = language_model_path(cell)
    if not path.is_file():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(PRETRAINING_SEED)
            model = build_language_model(config)
        budget = Budget(**cell.pretraining)
        pretrain_language_model(model, material.training_captions(), budget, PRETRAINING_SEED, device)
        save_language_model(model.cpu(), config, path)
    return load_language_model(path, config)


def captioner_settings(profile: Profile, material: Material) -> tuple[dict, dict]:
    """Return the mapper's and the language model's settings of a profile as a cell carries them."""
    model = profile.language_model
    mapper = asdict(profile.mapper) | {"embedding_dim": material.dim, "width": model.width}
    if isinstance(model, NamedLanguageModelSettings):
        return mapper, asdict(pretrained_config(model.name, model.tuned))
    shape = asdict(model) | {"vocab_size": material.vocab_size}
    rare = shape.pop("rare")
    unknown = material.vocab_size - SPECIALS if rare > 1 else None
    return mapper, shape | {"unknown_id": unknown}
