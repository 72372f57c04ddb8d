"""Sentences of chapter 2 whose numbers and wording follow from the results; all return Markdown.

Differences are in points of CIDEr with their 95% interval. Where a sentence says that something is better or
worse, the contrast's sign says so; a difference outside the corrected family of contrasts is judged by its
interval alone, and called exploratory.
"""

import numpy as np

from capdec_core.chart_style import POINTS
from capdec_core.statistics import Estimate, smallest_detectable_difference
from capdec_core.studies.claims import Contrast
from capdec_core.studies.conditions import Condition
from capdec_core.studies.noise_types_claims import GRADIENT_NONE, GRADIENT_RANDOM, NOISE
from capdec_core.studies.noise_types_view import NoiseTypes
from capdec_core.tables import p_phrase, points, with_interval

STUDY_A_LARGEST_EPSILON = 0.1


def in_short(study: NoiseTypes) -> str:
    """Return the chapter's answer: noise against none, the law, and the claims."""
    noise = _asked(study, NOISE)
    words = {1: "Noise helps", -1: "Noise harms", 0: "Whether noise helps is not decided"}[noise.sign]
    lines = [
        f"**{words}.** {_capital(_mid(study.best))}, chosen on validation images, minus no noise: {_tested(noise)}.",
        f"**How much.** {_law_short(study)}",
    ]
    lines += [
        f"**{claim.source}: “{claim.claim.rstrip('.')}”: {claim.verdict}.** {claim.reason}"
        for claim in study.claims
    ]
    return "\n".join(f"- {line}" for line in lines)


def world(study: NoiseTypes) -> str:
    """Return what the encoder's gap looks like."""
    g, profile = study.geometry, study.profile
    budget = profile.training
    return (
        f"This copy of the chapter was run with the profile `{profile.name}` ({profile.title}): corpus "
        f"{profile.corpus.name} with {profile.corpus.sizes['train']} training images, encoder "
        f"{profile.encoder.model}, and captioners trained for {budget.steps} batches of {budget.batch_size} "
        f"captions. On the {g.images} test images of this corpus and their {g.captions} captions (d = {g.dim}) "
        f"the mean cosine of an image with its own caption is {_number(g.matched)}, with another image's "
        f"{_number(g.mismatched)}, and the two centroids are {_number(g.gap_norm)} apart. {_law_solution(study)}"
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
    best, none, asked = study.best, study.none, _asked(study, NOISE)
    words = {1: "better than", -1: "worse than", 0: "not separated from"}[asked.sign]
    return (
        f"On validation images CIDEr is highest at variance **{best.parameter:g}** (std. dev. "
        f"{np.sqrt(best.parameter or 0):.3g}, measured cosine {study.results.cosine(best):.2f}); {_inside(study)} "
        f"On test images this captioner scores {_score(study, best)}, without noise {_score(study, none)}. It is "
        f"{words} no noise: {_tested(asked)}."
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
        text += f"On test images the two differ by {_points(lost)} (law minus validation{_verdict(lost)}). "
    return (
        f"{text}Choosing by the law alone, without a validation image, gives {_points(won)} over no noise"
        f"{_verdict(won)}. One encoder and one dimension do not make a law; each new encoder is another test of it."
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
        f"{_points(texts)}{_verdict(texts)}, and reading an image by {_points(images)}{_verdict(images)}. The "
        f"distance between the two curves {direction}: {points(gaps[0])} points without noise, "
        f"{points(gaps[1])} with it."
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
        f"at all: {_points(against)} (exploratory)."
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
        f"{_points(e)}, here with its 90% interval, as two one-sided tests at 5% read it "
        f"({p_phrase(found.p_value)})."
    )


def gradient(study: NoiseTypes) -> str:
    """Return how little Study A's gradient steps move the embedding, and what they and larger ones do."""
    families = ("gradient", "gradient, descending", "random direction")
    used = study.table[study.table.parameter <= STUDY_A_LARGEST_EPSILON]
    cosine = used[used.family.isin(families)].cosine.min()
    none, random = _asked(study, GRADIENT_NONE), _asked(study, GRADIENT_RANDOM)
    best = {name: study.results.best(study.family(name)) for name in families}
    listed = "; ".join(f"{_mid(c)} with {_score(study, c)}" for c in best.values())
    return (
        f"At the steps that Study A used (ε at most {STUDY_A_LARGEST_EPSILON:g}) the measured cosine never falls "
        f"below {np.floor(1000 * cosine) / 1000:.3f}. {_capital(_mid(none.a))} {_word(none)} no noise "
        f"({_tested(none)}), and {_word(random)} a random direction of the same norm ({_tested(random)}). Over all "
        f"step sizes, the best on validation images of each kind scores on test images: {listed}."
    )


def detectable(study: NoiseTypes) -> str:
    """Return the smallest difference that the chapter's contrasts can find, between its extremes."""
    errors = {c.estimate.standard_error for c in study.contrasts}
    smallest, largest = (
        POINTS * smallest_detectable_difference(error) for error in (min(errors), max(errors))
    )
    images = study.contrasts[0].estimate.n_images
    return (
        f"With {images} test images, and the seeds that each contrast has, a true difference must be between "
        f"{smallest:.1f} and {largest:.1f} points of CIDEr, depending on the pair, to be found in four of five "
        f"repetitions at the 5% level, before the correction for {len(study.contrasts)} contrasts. What is smaller is "
        f"beyond this test set."
    )


def _law_solution(study: NoiseTypes) -> str:
    g = study.geometry
    if not np.isfinite(g.calibrated_variance):
        return f"The calibration law has no solution for this encoder, whose matched cosine is {_number(g.matched)}."
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


def _asked(study: NoiseTypes, question: str) -> Contrast:
    return next(contrast for contrast in study.contrasts if contrast.question == question)


def _word(contrast: Contrast) -> str:
    return {1: "is better than", -1: "is worse than", 0: "is not separated from"}[contrast.sign]


def _tested(contrast: Contrast) -> str:
    return f"{_points(contrast.estimate)}, {p_phrase(contrast.p_value)}"


def _points(estimate: Estimate) -> str:
    return with_interval(estimate.value, estimate.low, estimate.high, signed=True) + " points"


def _verdict(estimate: Estimate) -> str:
    return "" if estimate.excludes_zero else ", an interval that holds 0"


def _score(study: NoiseTypes, condition: Condition) -> str:
    estimate = study.results.interval(condition, "CIDEr")
    return with_interval(estimate.value, estimate.low, estimate.high) + " points"


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _mid(condition: Condition) -> str:
    """Return the label as it stands in the middle of a sentence: only Gauss and Student keep their capital."""
    label = condition.label
    return label if label.startswith(("Gaussian", "Student")) else label[0].lower() + label[1:]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
