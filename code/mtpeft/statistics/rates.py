"""A rate over problems with its interval, as text."""

from collections.abc import Sequence

from mtpeft.core.errors import Unavailable
from mtpeft.statistics import r_session


def rate_line(name: str, values: Sequence[float], unit: str, level: float = 0.95) -> str:
    """A mean with its interval over the units that it is taken over.

    Args:
        name: What the mean is called.
        values: One value within [0, 1] a unit.
        unit: What a value belongs to, in the plural.
        level: Of the interval.
    """
    text = f"{name} {sum(values) / len(values):.4f} over {len(values)} {unit}"
    try:
        low, high = r_session.call("rate_interval", list(values), level=level)
    except Unavailable as error:
        return f"{text}, without an interval: {error.found}"
    return f"{text}, {level:.0%} interval {low:.4f} to {high:.4f}" if low == low else text
