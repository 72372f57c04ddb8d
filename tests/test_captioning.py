"""`capdec caption`: any number of pictures, each answered by name; the checkpoint behind it; the cell it is made of."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from small_captioner import (
    CAPTIONS,
    COLOURS,
    SCORES,
    ColourEncoder,
    material,
    profile,
    trained,
    write_cell,
    write_decoded,
    write_pictures,
)

from capdec_core import cli, paths
from capdec_core.bridges import Bridge, Collapse, MemoryProjection
from capdec_core.captioner import Captioner, CaptionerConfig
from capdec_core.captioning import answers, checkpoint, command, export, load_checkpoint
from capdec_core.captioning.card import card
from capdec_core.captioning.checkpoint import BRIDGE, CARD, FACTS, TOKENIZER, WEIGHTS, PictureCaptioner
from capdec_core.captioning.export import write_checkpoint
from capdec_core.captioning.speaker import speaker_of
from capdec_core.cell import CellConfig
from capdec_core.decoding import Greedy
from capdec_core.embeddings import unit_rows
from capdec_core.encoders import load_encoder
from capdec_core.errors import CapdecError
from capdec_core.files import file_digest, read_json, write_json
from capdec_core.noise import Gaussian
from capdec_core.store import CAPTIONER, CellStore
from capdec_core.tokenizer import CaptionTokenizer

Made = tuple[Captioner, CaptionTokenizer]


@pytest.fixture(scope="module")
def made() -> Made:
    """The trained captioner and its tokenizer."""
    return trained()


@pytest.fixture(autouse=True)
def _world_of_colours(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let encoder and material be those of the small captioner."""
    monkeypatch.setattr(checkpoint, "load_encoder", lambda *_: ColourEncoder())
    monkeypatch.setattr(export, "prepare", lambda *_: material(made[1], tmp_path / "material"))


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path / "cells")


@pytest.fixture
def cell(store: CellStore, made: Made) -> CellConfig:
    return write_cell(store, *made)


@pytest.fixture
def folder(store: CellStore, cell: CellConfig, tmp_path: Path) -> Path:
    """A checkpoint."""
    write_checkpoint(cell.id, profile(), store, tmp_path / "captioner")
    return tmp_path / "captioner"


@pytest.fixture
def captioner(folder: Path) -> PictureCaptioner:
    return load_checkpoint(folder)


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    return write_pictures(tmp_path)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run `capdec caption` as the console script does and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["capdec", "caption", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


# ---- pictures in, sentences out


def test_each_picture_has_its_own_caption(captioner: PictureCaptioner, pictures: dict[str, Path]) -> None:
    found = list(answers(captioner, pictures.values()))
    assert [answer.picture for answer in found] == list(pictures.values())
    assert [answer.caption for answer in found] == list(CAPTIONS.values())
    assert not any(answer.refused for answer in found)


@pytest.mark.parametrize("at_once", [1, 2, 3, 64])
def test_company_and_refusals_change_nothing(
    at_once: int, captioner: PictureCaptioner, pictures: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands beside a picture, its caption is its own, and what is refused keeps its place."""
    monkeypatch.setattr(command, "AT_ONCE", at_once)
    missing = Path("missing.png")
    asked = [
        missing,
        pictures["blue"],
        missing,
        missing,
        pictures["red"],
        pictures["green"],
        pictures["blue"],
    ]
    found = list(answers(captioner, asked))
    assert [answer.picture for answer in found] == asked
    said = [CAPTIONS[colour] for colour in ("blue", "red", "green", "blue")]
    assert [answer.caption for answer in found if answer.caption] == said
    assert [answer.refused for answer in found if answer.refused] == ["no such file"] * 3


def test_no_pictures_no_answers(captioner: PictureCaptioner) -> None:
    assert list(answers(captioner, [])) == []


def test_a_captioner_is_shown_whole_upright_pictures(captioner: PictureCaptioner, tmp_path: Path) -> None:
    """A transparent picture is captioned as the white that a viewer shows."""
    path = tmp_path / "clear.png"
    Image.new("RGBA", (30, 60), (*COLOURS["red"], 0)).save(path)
    (answer,) = answers(captioner, [path])
    assert answer.caption == CAPTIONS["white"]


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _written(data: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path, "no such file"),
        (lambda path: path.parent, "not a file"),
        (_pipe, "not a file"),
        (lambda path: path.with_name("n" * 300), "cannot be read: File name too long"),
        (_written(b""), "cannot be read as one of these formats"),
        (_written(b"GIF89a"), "cannot be read as one of these formats"),
        (_written(b"\xff\xd8\xff\xe0\0\x10JFIF"), "damaged: "),
    ],
)
def test_what_is_no_picture_is_refused_by_name(
    make: Callable[[Path], Path], reason: str, captioner: PictureCaptioner, tmp_path: Path
) -> None:
    path = make(tmp_path / "picture")
    (answer,) = answers(captioner, [path])
    assert answer.caption is None
    assert answer.refused is not None
    assert answer.refused.startswith(reason)
    assert command.as_line(answer) == f"{path}: {answer.refused}"


# ---- the command


def test_a_line_a_picture(
    folder: Path,
    pictures: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, *pictures.values(), "--checkpoint", folder) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [f"{pictures[colour]}: {CAPTIONS[colour]}" for colour in COLOURS]


def test_the_others_go_on_and_the_exit_code_tells(
    folder: Path,
    pictures: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "no.png", pictures["red"], "--checkpoint", folder) == 1
    captured = capsys.readouterr()
    assert captured.out == f"{pictures['red']}: {CAPTIONS['red']}\n"
    assert captured.err == "no.png: no such file\n"


def test_json_holds_captions_and_refusals(
    folder: Path,
    pictures: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, pictures["green"], "no.png", "--json", "--checkpoint", folder) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    told = json.loads(captured.out)
    assert told["pictures"] == [
        {"picture": str(pictures["green"]), "caption": CAPTIONS["green"], "refused": None},
        {"picture": "no.png", "caption": None, "refused": "no such file"},
    ]
    assert told["captioner"]["weights"] == read_json(folder / FACTS)["weights"]
    assert told["captioner"]["decoding"] == {"beams": 3, "max_tokens": 8}


def test_a_name_that_is_no_text_is_printed(
    folder: Path,
    pictures: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    odd = pictures["red"].rename(pictures["red"].with_name(os.fsdecode(b"\xff.png")))
    assert run(monkeypatch, odd, "--checkpoint", folder) == 0
    assert capsys.readouterr().out == f"{odd.parent}/\ufffd.png: {CAPTIONS['red']}\n"


def test_without_a_shipped_captioner_it_says_what_to_do(
    pictures: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(paths, "SHIPPED", tmp_path / "nowhere")
    assert run(monkeypatch, pictures["red"]) == 2
    assert "ships no captioner" in capsys.readouterr().err
    assert run(monkeypatch, pictures["red"], "--checkpoint", tmp_path) == 2
    assert f"no captioner in {tmp_path}: it has no captioner.json" in capsys.readouterr().err


def test_the_shipped_captioner_is_asked(
    folder: Path,
    pictures: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(paths, "SHIPPED", folder)
    assert run(monkeypatch, pictures["black"]) == 0
    assert capsys.readouterr().out.endswith(f": {CAPTIONS['black']}\n")


# ---- the checkpoint


def test_a_checkpoint_says_what_the_cell_says(folder: Path, cell: CellConfig, store: CellStore) -> None:
    """Half precision halves the file; the weights are those of the cell, rounded; it computes in single precision."""
    own = Captioner.load(store.path(cell) / CAPTIONER).state_dict()
    found = load_checkpoint(folder).captioner.state_dict()
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert all(torch.equal(found[name], own[name].half().float()) for name in own)
    sizes = [path.stat().st_size for path in (folder / WEIGHTS, store.path(cell) / CAPTIONER)]
    assert sizes[0] < 0.6 * sizes[1]
    head = load_checkpoint(folder).captioner.language_model
    assert head.lm_head.weight is head.transformer.wte.weight


def test_a_checkpoint_is_the_same_bytes_each_time(
    folder: Path, cell: CellConfig, store: CellStore, tmp_path: Path
) -> None:
    write_checkpoint(cell.id, profile(), store, tmp_path / "again")
    for name in (FACTS, WEIGHTS, TOKENIZER, CARD):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_the_facts_and_the_card_tell_where_it_comes_from(folder: Path, cell: CellConfig) -> None:
    facts = checkpoint.read_facts(folder)
    assert (facts.profile, facts.corpus, facts.embeddings) == ("walls", "walls", "colours")
    assert facts.scores == {"test/image": SCORES}
    assert CellConfig.from_dict(facts.cell) == cell
    told = (folder / CARD).read_text()
    assert "| test/image | 43.2 | 10.0 |" in told
    assert "| evaluation | CIDEr | BLEU-4 |" in told
    assert Gaussian(0.016).label in told
    assert "sentences alone" in told
    assert cell.id in told


def _other_weights(folder: Path) -> None:
    shape = Captioner.load(folder / WEIGHTS).config
    Captioner(shape, seed=5).half().save(folder / WEIGHTS)


def _other_words(folder: Path) -> None:
    words = [f"word{i}" for i in range(CaptionTokenizer.load(folder / TOKENIZER).vocab_size - 3)]
    CaptionTokenizer(words).save(folder / TOKENIZER)


def _change(**values: object) -> Callable[[Path], None]:
    return lambda folder: write_json(folder / FACTS, read_json(folder / FACTS) | values)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_other_weights, "do not belong together"),
        (_other_words, "do not belong together"),
        (_change(embeddings="another"), "was trained for another encoder than the colours that is here"),
        (_change(beams=5), r"captioner\.json: unknown key 'beams'"),
        (_change(sources="me"), r"captioner\.json: sources: 'me' is not a list"),
        (lambda folder: (folder / FACTS).write_text("["), r"captioner\.json is not JSON"),
        (lambda folder: (folder / FACTS).unlink(), r"it has no captioner\.json"),
        (lambda folder: (folder / WEIGHTS).unlink(), "cannot read the captioner"),
        (lambda folder: (folder / TOKENIZER).unlink(), r"no such file: .*tokenizer\.json"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"x" * 99), "is not a captioner of this project"),
    ],
)
def test_a_spoilt_checkpoint_is_refused(spoil: Callable[[Path], object], message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(CapdecError, match=message):
        load_checkpoint(folder)


# ---- from a cell


def test_a_cell_with_moves_reads_moved_images(store: CellStore, made: Made, tmp_path: Path) -> None:
    """Where texts and images lose their own centroids, a captioner of such texts needs images without theirs."""
    move = Collapse()
    moved = write_cell(store, *made, {"bridge": Bridge((move,), Gaussian(0.01)).to_dict()})
    write_checkpoint(moved.id, profile(), store, tmp_path / "out")
    captioner = load_checkpoint(tmp_path / "out")
    encoder = ColourEncoder()
    rows = torch.from_numpy(unit_rows(encoder.encode_texts(list(CAPTIONS.values()))))
    wanted = Bridge((move,)).fit(rows, rows, torch.arange(len(rows))).infer_side(rows)
    assert captioner.bridge is not None
    torch.testing.assert_close(captioner.bridge.infer_side(rows), wanted, atol=2e-3, rtol=0)
    told = (tmp_path / "out" / CARD).read_text()
    assert f"moved before it is read: {move.label}." in told
    assert f"Perturbation: {Gaussian(0.01).label}." in told


def test_a_captioner_behind_a_memory_sees_images_through_it(
    store: CellStore, cell: CellConfig, pictures: dict[str, Path], tmp_path: Path
) -> None:
    """With one caption remembered, every picture becomes that one; what is remembered is half as precise."""
    out = tmp_path / "out"
    decoded = write_decoded(store, cell, [MemoryProjection(size=1, seed=3)])
    facts = write_checkpoint(decoded.id, profile(), store, out)
    said = {answer.caption for answer in answers(load_checkpoint(out), pictures.values())}
    assert len(said) == 1
    assert said < set(CAPTIONS.values())
    assert facts.bridge == file_digest(out / BRIDGE)
    whole = write_decoded(store, cell, [MemoryProjection()])
    write_checkpoint(whole.id, profile(), store, tmp_path / "whole")
    found = answers(load_checkpoint(tmp_path / "whole"), pictures.values())
    assert [answer.caption for answer in found] == [CAPTIONS[colour] for colour in pictures]


def test_a_bridge_of_another_checkpoint_is_refused(
    store: CellStore, cell: CellConfig, tmp_path: Path
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for size, folder in zip((1, 2), folders, strict=True):
        decoded = write_decoded(store, cell, [MemoryProjection(size=size)])
        write_checkpoint(decoded.id, profile(), store, folder)
    shutil.copy(folders[1] / BRIDGE, folders[0] / BRIDGE)
    with pytest.raises(CapdecError, match="do not belong together"):
        load_checkpoint(folders[0])
    (folders[1] / BRIDGE).unlink()
    with pytest.raises(CapdecError, match="cannot read the fitted bridge"):
        load_checkpoint(folders[1])


def test_a_checkpoint_reads_by_beam_search_alone(store: CellStore, cell: CellConfig, tmp_path: Path) -> None:
    decoded = write_decoded(store, cell, [], Greedy(8))
    with pytest.raises(CapdecError, match="by beam search alone"):
        write_checkpoint(decoded.id, profile(), store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("other", ["corpus", "encoder", "tokenizer"])
def test_a_cell_of_another_world_is_refused(other: str, store: CellStore, made: Made, tmp_path: Path) -> None:
    foreign = write_cell(store, *made, {other: "another"})
    with pytest.raises(CapdecError, match=f"was trained with another {other} than profile walls has here"):
        write_checkpoint(foreign.id, profile(), store, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cell_without_scores_is_refused(store: CellStore, cell: CellConfig, tmp_path: Path) -> None:
    (store.path(cell) / "scores.json").unlink()
    with pytest.raises(CapdecError, match="is not finished"):
        write_checkpoint(cell.id, profile(), store, tmp_path / "out")


def test_what_is_no_trained_cell_is_refused(store: CellStore, cell: CellConfig, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(CapdecError, match="no such file"):
        write_checkpoint("0123", profile(), store, out)
    shutil.copytree(store.path(cell), store.folder / "0123")
    with pytest.raises(CapdecError, match=f"its configuration is that of cell {cell.id}"):
        write_checkpoint("0123", profile(), store, out)
    write_json(store.folder / "0123" / "cell.json", {"cell": {}, "decoding": {}})
    with pytest.raises(CapdecError, match="tells of no captioner that this version trains"):
        write_checkpoint("0123", profile(), store, out)


# ---- with the towers


def test_the_towers_caption_pictures(made: Made, folder: Path, pictures: dict[str, Path]) -> None:
    """The whole way with the encoder that the shipped captioner is for, under a captioner that has learned nothing."""
    tower, (small, tokenizer) = load_encoder("towers"), made
    mapper = replace(small.config.mapper, embedding_dim=tower.dim)
    untrained = Captioner(CaptionerConfig(mapper, small.config.language_model), seed=1).eval()
    captioner = PictureCaptioner(untrained, tokenizer, tower, checkpoint.read_facts(folder))
    found = list(answers(captioner, pictures.values()))
    alone = [next(answers(captioner, [path])) for path in pictures.values()]
    assert all(answer.caption for answer in found)
    assert found == alone


@pytest.mark.skipif(not checkpoint.has_shipped(), reason="no captioner is shipped yet")
def test_the_shipped_captioner_is_whole_and_small_and_has_its_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "load_encoder", load_encoder)
    shipped = checkpoint.load_shipped()
    assert shipped.facts.encoder.model == "towers"
    assert sum(path.stat().st_size for path in paths.SHIPPED.iterdir()) < 15_000_000
    parameters = sum(parameter.numel() for parameter in shipped.captioner.parameters())
    told = card(shipped.facts, speaker_of(shipped.facts.cell), parameters)
    assert (paths.SHIPPED / CARD).read_text() == told
