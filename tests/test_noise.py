"""What holds for every perturbation: unit rows, determinism, the dictionary round trip, honest errors."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noise_rows import quartic, seeded, unit_rows
from torch import Tensor

from capdec_core.errors import CapdecError
from capdec_core.noise import (
    KINDS,
    CosineDirected,
    FixedCosine,
    Gaussian,
    MultivariateT,
    NoNoise,
    NormalisedGradient,
    Perturbation,
    RandomDirection,
    Shuffled,
    StudentT,
    UniformBall,
    measure,
    measured_cosine,
    perturbation_from_dict,
)

EXAMPLES: list[Perturbation] = [
    NoNoise(),
    Gaussian(0.016),
    UniformBall(2.5),
    StudentT(3),
    StudentT(5, 0.016),
    MultivariateT(3, 0.016),
    NormalisedGradient(0.1),
    NormalisedGradient(0.1, -1),
    RandomDirection(0.5),
    CosineDirected(20, 0.05, 0.7),
    FixedCosine(0.4),
    Shuffled(),
]
positive = st.floats(0.001, 50)
perturbations = st.one_of(
    st.just(NoNoise()),
    st.just(Shuffled()),
    st.builds(Gaussian, st.floats(0, 50)),
    st.builds(UniformBall, st.floats(0, 50)),
    st.builds(StudentT, positive, st.none()),
    st.builds(StudentT, st.floats(2.01, 50), positive),
    st.builds(MultivariateT, st.floats(2.01, 50), positive),
    st.builds(NormalisedGradient, st.floats(0, 3), st.sampled_from([1, -1])),
    st.builds(RandomDirection, st.floats(0, 3)),
    st.builds(CosineDirected, st.integers(1, 40), st.floats(0, 1), st.floats(0, 1)),
    st.builds(FixedCosine, st.floats(0.001, 1)),
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", EXAMPLES, ids=lambda noise: noise.label)
def test_every_kind_returns_unit_rows_of_the_same_dtype(noise: Perturbation, dtype: torch.dtype) -> None:
    x = unit_rows(16, 128, dtype=dtype)
    before = x.clone()
    y = noise(x, generator=seeded(), loss=quartic)
    assert y.dtype == dtype
    assert y.shape == x.shape
    torch.testing.assert_close(y.norm(dim=-1), torch.ones(16, dtype=dtype))
    assert torch.equal(x, before)


@settings(max_examples=150, deadline=None)
@given(noise=perturbations, batch=st.integers(1, 9), d=st.integers(2, 40), seed=st.integers(0, 2**31))
def test_unit_rows_and_the_same_seed_the_same_bytes(
    noise: Perturbation, batch: int, d: int, seed: int
) -> None:
    x = unit_rows(batch, d, seed)
    first, again = (noise(x, generator=seeded(seed), loss=quartic) for _ in range(2))
    assert torch.equal(first, again)
    torch.testing.assert_close(first.norm(dim=-1), torch.ones(batch), rtol=0, atol=1e-5)


@settings(max_examples=100, deadline=None)
@given(noise=perturbations)
def test_the_dictionary_round_trip_through_json(noise: Perturbation) -> None:
    text = json.dumps(noise.to_dict(), allow_nan=False)
    assert perturbation_from_dict(json.loads(text)) == noise
    json.dumps(noise.describe(64), allow_nan=False)


def test_every_kind_has_an_example_and_the_examples_have_labels_of_their_own() -> None:
    assert {type(noise).__name__ for noise in EXAMPLES} == set(KINDS)
    assert len({noise.label for noise in EXAMPLES}) == len(EXAMPLES)
    assert Gaussian(0.016).label == "Gaussian, variance 0.016"


@pytest.mark.parametrize(
    "noise", [n for n in EXAMPLES if n not in (NoNoise(), Shuffled())], ids=lambda n: n.label
)
def test_another_seed_moves_the_rows_elsewhere(noise: Perturbation) -> None:
    x = unit_rows(8, 32)
    one, two = (noise(x, generator=seeded(seed), loss=quartic) for seed in (1, 2))
    assert torch.equal(one, two) == isinstance(noise, NormalisedGradient)


def test_no_noise_and_zero_noise_return_the_same_bytes() -> None:
    x = unit_rows(8, 64)
    for noise in (
        NoNoise(),
        Gaussian(0),
        UniformBall(0),
        StudentT(3, 0),
        RandomDirection(0),
        CosineDirected(5, 0, 0.7),
        FixedCosine(1),
    ):
        assert torch.equal(noise(x, generator=seeded()), x), noise.label


def test_integers_and_numpy_numbers_become_the_same_configuration() -> None:
    assert json.dumps(Gaussian(1).to_dict()) == json.dumps(Gaussian(np.float32(1.0)).to_dict())  # type: ignore[arg-type]
    assert CosineDirected(np.int64(30), 0.5, 0.7).to_dict()["n"] == 30  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [2, 3, 7, 64])
def test_shuffled_is_a_derangement_of_the_batch(batch: int) -> None:
    x = unit_rows(batch, 32)
    for seed in range(20):
        y = Shuffled()(x, generator=seeded(seed))
        source = (y @ x.T).argmax(dim=1)
        assert sorted(source.tolist()) == list(range(batch))
        assert (source != torch.arange(batch)).all()
        torch.testing.assert_close(y, x[source])


def test_shuffled_leaves_a_batch_of_one_as_it_is() -> None:
    x = unit_rows(1, 32)
    assert torch.equal(Shuffled()(x, generator=seeded()), x)


def test_measure_agrees_with_the_rows_that_come_out() -> None:
    x, noise = unit_rows(512, 128), Gaussian(0.016)
    report = measure(noise, x, generator=seeded())
    assert report["cosine"] == pytest.approx(measured_cosine(x, noise(x, generator=seeded())).mean().item())
    assert report["variance"] == pytest.approx(0.016, rel=0.02)
    assert report["std"] == pytest.approx(math.sqrt(report["variance"]))
    assert report["norm"] == pytest.approx(noise.describe(128)["expected_norm"], rel=0.01)


@pytest.mark.parametrize(
    "x", [torch.ones(4), torch.ones(4, 4), torch.ones(4, 4, dtype=torch.int64), torch.full((1, 4), torch.nan)]
)
def test_what_is_no_matrix_of_unit_rows_is_refused(x: Tensor) -> None:
    with pytest.raises(ValueError, match=r"float matrix|norm 1"):
        Gaussian(0.016)(x, generator=seeded())


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (Gaussian, {"variance": -0.1}, "variance must be at least 0"),
        (Gaussian, {"variance": "0.1"}, "variance must be a finite number"),
        (Gaussian, {"variance": True}, "variance must be a finite number"),
        (Gaussian, {"variance": math.nan}, "variance must be a finite number"),
        (Gaussian, {"variance": None}, "variance must be a finite number"),
        (UniformBall, {"radius": -1}, "radius must be at least 0"),
        (StudentT, {"df": 0}, "df must be above 0"),
        (StudentT, {"df": 2, "variance": 0.1}, "df must be above 2"),
        (StudentT, {"df": 3, "variance": -0.1}, "variance must be at least 0"),
        (MultivariateT, {"df": 2, "variance": 0.1}, "df must be above 2"),
        (MultivariateT, {"df": 3, "variance": -0.1}, "variance must be at least 0"),
        (NormalisedGradient, {"epsilon": -0.1}, "epsilon must be at least 0"),
        (NormalisedGradient, {"epsilon": 0.1, "sign": 0}, "sign must be 1 or -1"),
        (NormalisedGradient, {"epsilon": 0.1, "sign": 1.0}, "sign must be an integer"),
        (RandomDirection, {"epsilon": -0.1}, "epsilon must be at least 0"),
        (CosineDirected, {"n": 0, "beta": 0.1, "threshold": 0.7}, "n must be at least 1"),
        (CosineDirected, {"n": 1, "beta": -0.1, "threshold": 0.7}, "beta must be at least 0"),
        (CosineDirected, {"n": 1, "beta": 0.1, "threshold": 1.1}, "threshold must be a cosine"),
        (FixedCosine, {"cosine": 0}, "cosine must be above 0"),
        (FixedCosine, {"cosine": 1.1}, "at most 1"),
    ],
)
def test_values_without_a_meaning_are_refused_in_code_and_in_json(
    kind: type, values: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**values)
    with pytest.raises(CapdecError, match=message):
        perturbation_from_dict({"kind": kind.__name__, **values})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "Gausian", "variance": 0.1}, "the kinds are NoNoise, Gaussian, "),
        ({"kind": ["Gaussian"]}, "unknown perturbation"),
        ({"variance": 0.1}, "unknown perturbation None"),
        ("Gaussian", "an object"),
        ({"kind": "Gaussian", "std": 0.1, "variance": 0.1}, "no 'std': Gaussian takes variance"),
        (
            {"kind": "CosineDirected", "n": 3},
            "lacks beta, threshold: CosineDirected takes n, beta, threshold",
        ),
        ({"kind": "NoNoise", "variance": 0}, "NoNoise takes nothing"),
    ],
)
def test_a_wrong_dictionary_is_answered_with_the_right_keys(data: dict, message: str) -> None:
    with pytest.raises(CapdecError, match=message):
        perturbation_from_dict(data)
