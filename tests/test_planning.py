"""A grid is counted as the runner computes it, recognised in the store, and dealt to machines as well as can be."""

import itertools
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import EOS, tiny_config, unit_rows
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from capdec_core.captioner import Captioner
from capdec_core.cell import CellConfig
from capdec_core.decoding import beam_candidates
from capdec_core.files import write_json
from capdec_core.material import Material, prepare
from capdec_core.planning import space
from capdec_core.planning.encoding import encoding, towers
from capdec_core.planning.grid import GPT2_SMALL, Grid, grid
from capdec_core.planning.judging import judging
from capdec_core.planning.operations import decoding_flops
from capdec_core.planning.plan import pretrainings
from capdec_core.planning.schedule import longest_first
from capdec_core.planning.stored import measured, recognised
from capdec_core.planning.work import common, costliest, pretraining_of, shape_of, work_of
from capdec_core.profiles import load_profile
from capdec_core.runner import Runner
from capdec_core.store import CellStore
from capdec_core.studies import conclusions
from capdec_core.studies.conditions import all_cells, wanted_by

SMOKE = load_profile("smoke", "cpu")
CONDITIONS = conclusions.conditions(SMOKE, SMOKE.seeds)


@pytest.fixture(scope="module")
def counted() -> Grid:
    """The smoke grid as it is counted, without data or weights."""
    return grid(SMOKE)


@pytest.fixture(scope="module")
def paper() -> Grid:
    """The grid of paper scale, of which nothing is on this machine."""
    return grid(load_profile("coco", "cuda"))


@pytest.fixture(scope="module")
def material() -> Material:
    return prepare(SMOKE, "cpu", wanted_by(CONDITIONS))


def test_the_cells_are_those_that_the_runner_computes(
    counted: Grid, material: Material, tmp_path: Path
) -> None:
    real = all_cells(CONDITIONS, SMOKE, material)
    runner = Runner(SMOKE, CellStore(tmp_path), "cpu", wanted_by(CONDITIONS))
    trained, others = runner.missing(real)
    computed = [cell for group in [*trained, *others] for cell in group]
    assert len(counted.cells) == len(computed)
    assert len(counted.trained) == sum(map(len, trained))
    assert {recognised(asdict(cell)) for cell in counted.cells} == {
        recognised(asdict(cell)) for cell in computed
    }
    assert not {cell.id for cell in counted.cells} & {cell.id for cell in computed}, "names are stand-ins"


def test_paper_scale_is_counted_without_its_weights(paper: Grid) -> None:
    shapes = {shape_of(cell).language_model for cell in paper.trained}
    assert {replace(shape, tuned=True) for shape in shapes} == {GPT2_SMALL}
    assert {cell.mapper["embedding_dim"] for cell in paper.trained} >= {512, 640}
    capdec = shape_of(common(paper.trained))
    assert (capdec.mapper.prefix_length, capdec.mapper.layers) == (40, 8)
    assert space.parameters(common(paper.trained))[1] == 124_439_808, "GPT-2 small's published size"
    assert shape_of(costliest(paper.trained)).mapper.layers == 24


def test_studies_share_cells_and_captioners_that_are_only_read_are_counted(counted: Grid) -> None:
    asked = [cell.id for chapter in counted.chapters.values() for cell in chapter]
    assert len(asked) > len(set(asked))
    assert len(counted.cells) == len({cell.id for cell in counted.cells}) >= len(set(asked))


def stored(store: CellStore, cell: CellConfig, seconds: float) -> Path:
    with store.writing(cell) as folder:
        write_json(folder / "record.json", {"seconds": seconds})
    return store.path(cell)


def test_stored_cells_are_recognised_without_fingerprints(
    counted: Grid, material: Material, tmp_path: Path
) -> None:
    store = CellStore(tmp_path)
    real = {recognised(asdict(cell)): cell for cell in all_cells(CONDITIONS, SMOKE, material)}
    first, second, third, fourth = counted.cells[:2] + counted.cells[-2:]
    for cell, seconds in ((first, 3.5), (third, 0.5)):
        stored(store, real[recognised(asdict(cell))], seconds)
    stored(store, replace(real[recognised(asdict(second))], code="of another version"), 9.0)
    (stored(store, real[recognised(asdict(fourth))], 9.0) / "cell.json").write_text("{")
    assert measured(counted.cells, store) == {first.id: 3.5, third.id: 0.5}
    assert measured(counted.cells, CellStore(tmp_path / "nothing")) == {}


def test_work_grows_with_what_is_asked(counted: Grid) -> None:
    cell, shape = common(counted.trained), shape_of(common(counted.trained))

    def seconds(**changes: object) -> tuple[int, float, float]:
        found = work_of(replace(cell, **changes), shape)
        return found.steps, found.training, found.decoding

    steps, training, decoding = seconds()
    assert seconds(training=cell.training | {"steps": 2 * cell.training["steps"]}) == (
        2 * steps,
        2 * training,
        decoding,
    )
    assert (
        seconds(training=cell.training | {"batch_size": 3 * cell.training["batch_size"]})[1] == 3 * training
    )
    for key in ("layers", "prefix_length", "clip_length"):
        assert seconds(mapper=cell.mapper | {key: cell.mapper[key] + 2})[1] > training
    assert seconds(language_model=cell.language_model | {"tuned": False})[1] < training
    assert seconds(bridge=cell.bridge | {"noise": {"kind": "NormalisedGradient"}})[1] == 2 * training
    assert seconds(decoding=cell.decoding | {"beams": 10})[2] > decoding
    assert seconds(evaluations=cell.evaluations[:1])[2] < decoding


def test_decoding_takes_the_operations_that_torch_counts() -> None:
    """Ours reads a cache half grown on the mean and no element-wise work; torch counts what was multiplied."""
    captioner = Captioner(tiny_config("transformer")).eval()
    rows, tokens = unit_rows(6), 9
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        beam_candidates(captioner, rows, eos_id=EOS, beams=4, max_tokens=tokens)
    assert 6 * decoding_flops(captioner.config, 4, tokens) == pytest.approx(
        counter.get_total_flops(), rel=0.3
    )


def test_a_language_model_is_trained_once_for_all_cells_that_start_from_it(
    counted: Grid, paper: Grid
) -> None:
    (work,) = pretrainings(counted.trained).values()
    assert SMOKE.pretraining is not None
    assert work == pretraining_of(counted.trained[0])
    assert work.steps == SMOKE.pretraining.steps
    assert pretrainings(paper.trained) == {}


TIMES = st.lists(st.integers(1, 40), min_size=1, max_size=7)


@settings(deadline=None, max_examples=60)
@given(TIMES, st.integers(1, 3))
def test_the_longest_first_is_within_grahams_bound_of_the_best_deal(
    seconds: list[int], machines: int
) -> None:
    found = longest_first(seconds, machines)
    best = min(
        max(sum(s for s, owner in zip(seconds, owners, strict=True) if owner == m) for m in range(machines))
        for owners in itertools.product(range(machines), repeat=len(seconds))
    )
    assert best <= found.wall <= (4 / 3 - 1 / (3 * machines)) * best + 1e-9
    assert sum(found.loads) == sum(seconds)
    assert found.idle == pytest.approx(1 - sum(seconds) / (machines * found.wall))


def test_no_machine_takes_no_cells() -> None:
    with pytest.raises(ValueError, match="at least one machine"):
        longest_first([1.0], 0)
    assert longest_first([], 3).idle == longest_first([], 3).wall == 0


def test_banks_take_what_they_were_said_to(material: Material) -> None:
    wanted = wanted_by(CONDITIONS)
    files = {path for each in (material, *material.reduced.values()) for path in each.banks.values()}
    assert sum(np.load(path, mmap_mode="r").nbytes for path in files) == space.bank_bytes(SMOKE, wanted)


def test_a_cell_takes_its_weights_and_its_texts(counted: Grid, tmp_path: Path) -> None:
    cell = common(counted.trained)
    captioner = Captioner(shape_of(cell))
    captioner.save(tmp_path / "captioner.safetensors")
    told = (tmp_path / "captioner.safetensors").stat().st_size
    assert sum(space.parameters(cell)) == sum(weight.numel() for weight in captioner.parameters())
    images = sum(evaluation.images for evaluation in cell.evaluations)
    assert told < space.cell_bytes([cell], SMOKE) < told + 2000 * (images + cell.training["steps"])


def test_a_frozen_model_by_name_is_not_stored_with_each_cell(paper: Grid) -> None:
    coco = load_profile("coco", "cuda")
    kinds = {cell.language_model["tuned"]: cell for cell in paper.trained if cell.mapper["kind"] == "mlp"}
    tuned, frozen = (space.cell_bytes([kinds[tuned]], coco) for tuned in (True, False))
    assert tuned - frozen == 4 * space.parameters(kinds[True])[1]


def test_towers_are_of_the_size_that_their_authors_state() -> None:
    """open_clip's docs/model_profile.csv: 151.28 M parameters, 4.41 and 2.98 G multiply-adds."""
    found = towers("ViT-B-32")
    assert found.parameters == 151_277_313
    assert found.image / 2e9 == pytest.approx(4.41, abs=0.01)
    assert found.text / 2e9 == pytest.approx(2.98, abs=0.01)
    with pytest.raises(ValueError, match="no architecture 'miniature'"):
        towers("miniature")


def test_each_encoder_looks_at_the_images_that_it_embeds(paper: Grid) -> None:
    coco = load_profile("coco", "cuda")
    assert encoding(coco, paper.wanted).photographs == 2 * (113_287 + 5_000 + 5_000)
    alone = replace(paper.wanted, images=frozenset(), dims=frozenset())
    texts = 5 * 123_287 * towers("RN50x4").text
    assert encoding(coco, alone).operations == 10_000 * towers("RN50x4").image + texts


def test_scores_are_bounded_by_captions_as_if_all_were_distinct(counted: Grid) -> None:
    cells = counted.trained[:1]
    tested = sum(e.images for e in cells[0].evaluations if e.split == "test")
    on_cpu, on_gpu = (judging(cells, device) for device in ("cpu", "cuda"))
    assert on_cpu.meteor == on_gpu.meteor > 0
    assert on_cpu.shared > on_gpu.shared > 0
    twice = judging([*cells, *cells], "cpu")
    assert (twice.meteor, twice.shared) == (2 * on_cpu.meteor, 2 * on_cpu.shared)
    assert on_cpu.wall(1) == on_cpu.meteor + on_cpu.shared
    assert on_gpu.wall(1000) == on_gpu.meteor == pytest.approx(tested * 2.1e-3)
