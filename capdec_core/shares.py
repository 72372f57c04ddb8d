"""Shares and chances for reading: percentages, and powers of ten where they are tiny."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NEGLIGIBLE, NEGLIGIBLE_POWER = 1e-9, -9


def share_text(share: float) -> str:
    """Return a share in at most seven characters: "100%", "3.9%", "5·10⁻⁶", "<10⁻⁹", "0".

    "100%" and ">99.9%" differ as "0" and a tiny share do, but that what lacks less than 10⁻⁹ is all.
    """
    if share == 0:
        return "0"
    if share > 1 - NEGLIGIBLE:
        return "100%"
    if share < NEGLIGIBLE:
        return f"<{_power(NEGLIGIBLE_POWER)}"
    if share < 1e-3:
        return scientific(share, decimals=0)
    if share > 0.999:
        return ">99.9%"
    return f"{share:.1%}" if share < 0.1 or share > 0.9 else f"{share:.0%}"


def scientific(value: float, decimals: int = 1) -> str:
    """Return a positive number as "8.2·10⁻⁷", from a thousandth up with three digits, and 0 as "0"."""
    if value == 0 or value >= 1e-3:
        return f"{value:.3g}"
    digits, exponent = f"{value:.{decimals}e}".split("e")
    return f"{digits}·{_power(int(exponent))}"


def _power(exponent: int) -> str:
    return f"10{str(exponent).translate(SUPERSCRIPTS)}"
