"""Study A's claims on noise types: the contrasts that decide them, the same whatever the results, and the verdicts."""

import math
from collections.abc import Mapping, Sequence

from capdec_core.profiles import NoiseTypesSettings
from capdec_core.studies.claims import Claim, Contrast, Pair, Verdict
from capdec_core.studies.conditions import Condition
from capdec_core.studies.pretrained_capdec import baseline_of
from capdec_core.studies.results import Results

NOISE = "Is Gaussian noise, its variance chosen on validation images, better than no noise?"
LAW = "Is Gaussian noise of the variance nearest to the calibration law's better than no noise?"
GRADIENT_LITERAL = "Is the gradient better than Student t as the study wrote it?"
GRADIENT_MATCHED = "Is the gradient better than Student t at CapDec's variance?"
GRADIENT_GAUSSIAN = "Is the gradient better than Gaussian noise, its variance chosen on validation images?"
GRADIENT_NONE = "Is the gradient better than no noise?"
GRADIENT_RANDOM = "Is the gradient better than a random direction of the same norm?"
BASELINE_GRADIENT = "Is the baseline (Gaussian, variance 0.05) better than the gradient?"
BASELINE_LITERAL = "Is the baseline better than Student t as the study wrote it?"
BASELINE_MATCHED = "Is the baseline better than Student t at CapDec's variance?"
BASELINE_BEST = "Is the baseline better than the Gaussian whose variance was chosen on validation images?"


def nearest(gaussians: Sequence[Condition], law: float) -> Condition | None:
    """Return the Gaussian whose variance is nearest to `law`, as a ratio; None where the law has no solution."""
    if not math.isfinite(law):
        return None
    return min(gaussians, key=lambda c: abs(math.log((c.parameter or 0) / law)))


def best_gradient(results: Results, grid: NoiseTypesSettings) -> Condition:
    """Return the ascending gradient whose step, among the headline ones, scores best on validation images."""
    return results.best([results.named("gradient", epsilon) for epsilon in grid.headline_epsilons])


def pairs(results: Results, grid: NoiseTypesSettings, law: float) -> list[Pair]:
    """Return the chapter's family of contrasts: (question, a, b).

    The parameters are the profile's headline ones; only the best Gaussian and the best
    gradient step are chosen on the validation split. `law` is the variance v* of the calibration law.
    """
    gaussians = [c for c in results.cells if c.family == "gaussian"]
    best, none = results.best(gaussians), results.named("none")
    near = nearest(gaussians, law)
    baseline = baseline_of(results)
    gradient = best_gradient(results, grid)
    literal = results.named("student t, literal", grid.headline_df)
    matched = results.named("student t, matched", grid.headline_df)
    found = [
        (NOISE, best, none),
        (GRADIENT_LITERAL, gradient, literal),
        (GRADIENT_MATCHED, gradient, matched),
        (GRADIENT_GAUSSIAN, gradient, best),
        (GRADIENT_NONE, gradient, none),
        (GRADIENT_RANDOM, gradient, results.named("random direction", gradient.parameter)),
        (BASELINE_GRADIENT, baseline, gradient),
        (BASELINE_LITERAL, baseline, literal),
        (BASELINE_MATCHED, baseline, matched),
    ]
    if near is not None and near != best:
        found.insert(1, (LAW, near, none))
    return found if best == baseline else [*found, (BASELINE_BEST, baseline, best)]


def claims(found: list[Contrast]) -> list[Claim]:
    """Return the verdicts on Study A's two claims; they follow from the contrasts alone."""
    by_question = {contrast.question: contrast for contrast in found}
    return [_most_effective(by_question), _best_overall(by_question)]


def _most_effective(found: Mapping[str, Contrast]) -> Claim:
    """Gradient noise was the most effective of the injected noises."""
    questions = (GRADIENT_LITERAL, GRADIENT_MATCHED, GRADIENT_GAUSSIAN, GRADIENT_NONE, GRADIENT_RANDOM)
    used = [found[question] for question in questions]
    literal, matched, gaussian, none, _ = signs = [contrast.sign for contrast in used]
    verdict: Verdict
    if min(signs) > 0:
        verdict = "supported"
        reason = "It beats Student t in both forms, the best Gaussian, no noise, and a random step."
    elif literal > 0 and matched <= 0:
        verdict = "artefact"
        reason = (
            "It beats Student t only as the study wrote it, with a variance that destroys the embedding; "
            f"at a matched variance Student t is {'better' if matched < 0 else 'not separated from it'}."
        )
    elif literal < 0 or matched < 0:
        verdict, reason = "not supported", "Student t noise gives better captions."
    elif none < 0:
        verdict, reason = "not supported", "Training without noise gives better captions."
    elif gaussian < 0:
        verdict, reason = "not supported", "Gaussian noise of a chosen variance gives better captions."
    else:
        verdict, reason = "undecided", _not_separated(used)
    return Claim("Study A", "Gradient noise injection was the most effective.", verdict, reason, tuple(used))


def _best_overall(found: Mapping[str, Contrast]) -> Claim:
    """The pre-trained baseline was best of all."""
    questions = (BASELINE_GRADIENT, BASELINE_LITERAL, BASELINE_MATCHED, BASELINE_BEST)
    used = [found[question] for question in questions if question in found]
    signs = [contrast.sign for contrast in used]
    verdict: Verdict
    if min(signs) < 0:
        better = used[signs.index(-1)].b.label
        verdict, reason = "not supported", f"{better} gives better captions."
    elif min(signs) > 0:
        verdict, reason = "supported", "It beats every other noise that was set against it."
    else:
        verdict, reason = "undecided", _not_separated(used)
    return Claim(
        "Study A", "Pre-trained CapDec delivered the best overall performance.", verdict, reason, tuple(used)
    )


def _not_separated(used: Sequence[Contrast]) -> str:
    equal = "; ".join(contrast.b.label for contrast in used if contrast.sign == 0)
    return f"It is not separated from: {equal}."
