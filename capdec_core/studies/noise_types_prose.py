"""Sentences of chapter 2 whose numbers and wording follow from the results; all return Markdown.

Differences are in points of CIDEr with their 95% interval. Where a sentence says that something is better or
worse, the contrast's sign says so; a difference outside the corrected family of contrasts is judged by its
interval alone, and called exploratory.
"""

import numpy as np

from capdec_core.chart_style import POINTS
from capdec_core.studies.noise_types_claims import GRADIENT_NONE, GRADIENT_RANDOM, NOISE
from capdec_core.studies.noise_types_view import NoiseTypes
from capdec_core.studies.phrases import (
    asked,
    capital,
    comparison,
    holding_zero,
    in_points,
    listed,
    number,
    score,
    tested,
    verdicts,
    within_sentence,
)
from capdec_core.tables import p_phrase, points

STUDY_A_LARGEST_EPSILON = 0.1


def in_short(study: NoiseTypes) -> str:
    """Return the chapter's answer: noise against none, the law, and the claims."""
    noise = asked(study.contrasts, NOISE)
    words = {1: "Noise helps", -1: "Noise harms", 0: "Whether noise helps is not decided"}[noise.sign]
    lines = [
        f"**{words}.** {study.best.label}, chosen on validation images, minus no noise: {tested(noise)}.",
        f"**How much.** {_law_short(study)}",
    ]
    return listed(lines + verdicts(study.claims))


def world(study: NoiseTypes) -> str:
    """Return what the encoder's gap looks like."""
    g, profile = study.geometry, study.profile
    budget = profile.training
    left_out = (
        " The control that is trained on images is left out: no training photograph is read for this chapter."
    )
    return (
        f"This copy of the chapter was run with the profile `{profile.name}` ({profile.title}): corpus "
        f"{profile.corpus.name} with {profile.corpus.sizes['train']} training images, encoder "
        f"{profile.encoder.model}, and captioners trained for {budget.steps} batches of {budget.batch_size} "
        f"captions. On the {g.images} test images of this corpus and their {g.captions} captions (d = {g.dim}) "
        f"the mean cosine of an image with its own caption is {number(g.matched)}, with another image's "
        f"{number(g.mismatched)}, and the two centroids are {number(g.gap_norm)} apart. {_law_solution(study)}"
        f"{'' if study.family('trained on images') else left_out}"
    )


def currency(study: NoiseTypes) -> str:
    """Return how far the measured cosines are from those that the closed forms predict."""
    dim = study.results.dim
    predicted = {
        c: c.noise.describe(dim)["expected_cosine"] for c in study.results.cells if c.train_on == "text"
    }
    distances = [abs(study.results.cosine(c) - value) for c, value in predicted.items() if value is not None]
    return (
        f"Wherever the cosine can be predicted in closed form ({len(distances)} conditions), prediction and "
        f"measurement differ by at most {max(distances):.4f}."
    )


def best_variance(study: NoiseTypes) -> str:
    """Return which variance validation chooses, whether it lies inside the grid, and what it scores on test."""
    best, none, noise = study.best, study.none, asked(study.contrasts, NOISE)
    return (
        f"On validation images CIDEr is highest at variance **{best.parameter:g}** (std. dev. "
        f"{np.sqrt(best.parameter or 0):.3g}, measured cosine {study.results.cosine(best):.2f}); {_inside(study)} "
        f"On test images this captioner scores {score(study.results, best)}, without noise "
        f"{score(study.results, none)}. It {comparison(noise)} no noise: {tested(noise)}."
    )


def law(study: NoiseTypes) -> str:
    """Return where v* falls against the validation optimum, and what choosing by the law alone would give."""
    near = study.nearest_to_law
    if near is None:
        return f"{_law_solution(study)} So it cannot be tested here."
    won = study.difference(near, study.none)
    text = f"{_law_short(study)} "
    if near != study.best:
        lost = study.difference(near, study.best)
        text += (
            f"On test images the two differ by {in_points(lost)} (law minus validation{holding_zero(lost)}). "
        )
    return (
        f"{text}Choosing by the law alone, without a validation image, gives {in_points(won)} over no noise"
        f"{holding_zero(won)}. One encoder and one dimension do not make a law; each new encoder is another test of it."
    )


def reconstruction(study: NoiseTypes) -> str:
    """Return what the noise of the best Gaussian changes in reading texts and in reading images."""
    texts, images = study.reconstruction_change(), study.difference(study.best, study.none)
    table = study.reconstruction.set_index("variance")
    before = study.results.corpus(study.none, "CIDEr")
    after = study.results.corpus(study.best, "CIDEr")
    gaps = [table.CIDEr[0.0] - before, table.CIDEr[study.best.parameter] - after]
    direction = "narrows" if abs(gaps[1]) < abs(gaps[0]) else "does not narrow"
    return (
        f"From no noise to variance {study.best.parameter:g}, reading a caption's own embedding changes by "
        f"{in_points(texts)}{holding_zero(texts)}, and reading an image by {in_points(images)}"
        f"{holding_zero(images)}. The distance between the two curves {direction}: {points(gaps[0])} points "
        f"without noise, {points(gaps[1])} with it."
    )


def literal_t(study: NoiseTypes) -> str:
    """Return what Student t as written does to the embedding and to the captions."""
    rows = study.table[study.table.family == "student t, literal"]
    headline = study.named("student t, literal", study.profile.noise_types.headline_df)
    against = study.difference(headline, study.named("language model alone"))
    verdict = "better than" if against.low > 0 else "worse than" if against.high < 0 else "not separated from"
    return (
        f"As written, its variance per coordinate lies between {rows.variance.min():.3g} and "
        f"{rows.variance.max():.3g}, so the noise is many times longer than the unit embedding that it is added to, "
        f"and the measured cosine is between {rows.cosine.min():.3f} and {rows.cosine.max():.3f}. Trained so, with "
        f"{headline.parameter:g} degrees of freedom, the captioner is {verdict} a language model that is told nothing "
        f"at all: {in_points(against)} (exploratory)."
    )


def matched_t(study: NoiseTypes) -> str:
    """Return whether Student t and the Gaussian of its variance are equivalent, in cosine and in score."""
    t, gaussian = study.shape
    found = study.shape_equivalence
    margin, e = POINTS * found.margin, found.difference
    said = (
        f"they are equivalent within {margin:g} points"
        if found.p_value <= 0.05
        else f"equivalence within {margin:g} points is not shown"
    )
    return (
        f"With {t.parameter:g} degrees of freedom and the same variance per coordinate, "
        f"{study.profile.noise_types.matched_variance:g}, the measured cosine is {study.results.cosine(t):.3f} for "
        f"Student t and {study.results.cosine(gaussian):.3f} for the Gaussian, and in CIDEr {said}: the difference is "
        f"{in_points(e)}, here with its 90% interval, as two one-sided tests at 5% read it "
        f"({p_phrase(found.p_value)})."
    )


def gradient(study: NoiseTypes) -> str:
    """Return how little Study A's gradient steps move the embedding, and what they and larger ones do."""
    families = ("gradient", "gradient, descending", "random direction")
    used = study.table[study.table.parameter <= STUDY_A_LARGEST_EPSILON]
    cosine = used[used.family.isin(families)].cosine.min()
    none, random = asked(study.contrasts, GRADIENT_NONE), asked(study.contrasts, GRADIENT_RANDOM)
    best = {name: study.results.best(study.family(name)) for name in families}
    listed = "; ".join(f"{within_sentence(c)} with {score(study.results, c)}" for c in best.values())
    return (
        f"At the steps that Study A used (ε at most {STUDY_A_LARGEST_EPSILON:g}) the measured cosine never falls "
        f"below {np.floor(1000 * cosine) / 1000:.3f}. {capital(within_sentence(none.a))} {comparison(none)} no noise "
        f"({tested(none)}), and {comparison(random)} a random direction of the same norm ({tested(random)}). Over all "
        f"step sizes, the best on validation images of each kind scores on test images: {listed}."
    )


def provenance(study: NoiseTypes) -> str:
    """Return what Study A's baseline is here: the published checkpoint, or what stands for it."""
    told = "Study A compared its noises with a published CapDec checkpoint."
    if study.baseline.checkpoint is None:
        return (
            f"{told} The baseline here is a captioner of this world, trained like all others with Gaussian noise of "
            f"the variance that Study A names; so the comparison is one of noise alone, which the original was not."
        )
    return (
        f"{told} The baseline here is such a checkpoint, the one of variance {study.baseline.parameter:g} that "
        f"CapDec's authors published. It was trained elsewhere and by other code, so more than the noise sets it apart "
        f"from the others, as it did in Study A."
    )


def _law_solution(study: NoiseTypes) -> str:
    g = study.geometry
    if not np.isfinite(g.calibrated_variance):
        return f"The calibration law has no solution for this encoder, whose matched cosine is {number(g.matched)}."
    return f"The calibration law says v\\* = **{g.calibrated_variance:.3g}**."


def _law_short(study: NoiseTypes) -> str:
    near, best = study.nearest_to_law, study.best
    if near is None:
        return (
            f"Validation images choose variance {best.parameter:g}; the calibration law has no solution here."
        )
    grid = study.family("gaussian")
    steps = grid.index(best) - grid.index(near)
    where = (
        "which is the variance that validation images choose"
        if steps == 0
        else f"and validation images choose {best.parameter:g}, {_steps(steps)}"
    )
    return (
        f"Of the variances tried, {near.parameter:g} is nearest to v\\* = "
        f"{study.geometry.calibrated_variance:.3g}, {where}."
    )


def _steps(steps: int) -> str:
    count = "one step" if abs(steps) == 1 else f"{abs(steps)} steps"
    return f"{count} of the grid {'above' if steps > 0 else 'below'} it"


def _inside(study: NoiseTypes) -> str:
    """Say whether the maximum over the variances, 0 included, is bracketed by lower scores."""
    grid = [study.none, *study.family("gaussian")]
    place = grid.index(study.results.best(grid))
    if place == 0:
        return "but no noise at all scores as high there or higher."
    if place == len(grid) - 1:
        return "that is the edge of the grid, so the maximum may lie beyond it."
    below, above = (grid[place + step].parameter or 0 for step in (-1, 1))
    return f"the maximum is inside the grid, between {below:g} and {above:g}."
