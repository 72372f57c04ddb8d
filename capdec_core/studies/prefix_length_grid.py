"""The names of chapter 5's grid: mappers, lengths, and whether the language model is tuned or frozen."""

STUDY_B = (1, 10, 20)
"""The prefix lengths of Study B; these have several training seeds."""

FIXED_AT = 10
"""The length whose MLP lends its hidden width to the MLP of fixed width: ClipCap's own."""

MAPPERS = {
    "mlp": "MLP",
    "fixed mlp": "Fixed-width MLP",
    "linear": "Linear",
    "transformer": "Transformer",
}
"""What each mapper is called."""

TUNED = (False, True)
"""The language model: frozen, tuned."""


def tuning_of(tuned: bool) -> str:
    """Return what the language model is called."""
    return "tuned" if tuned else "frozen"


def family_of(mapper: str, tuned: bool) -> str:
    """Return the name of one curve over k: "mlp, frozen"."""
    return f"{mapper}, {tuning_of(tuned)}"


FAMILIES = tuple(family_of(mapper, tuned) for tuned in TUNED for mapper in MAPPERS)
"""All curves, the frozen language model's first."""

STUDY_B_FAMILY = family_of("mlp", False)
"""What Study B trained, as it says: the MLP alone."""


def title_of(family: str) -> str:
    """Return a curve's name as it stands in a table or at the start of a sentence: "MLP, language model frozen"."""
    mapper, tuning = family.split(", ")
    return f"{MAPPERS[mapper]}, language model {tuning}"
