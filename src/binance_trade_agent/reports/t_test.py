"""Student's t test of a mean against zero, without SciPy.

The tail of the distribution is a regularised incomplete beta function (NIST DLMF 8.17), which is evaluated as a
continued fraction (DLMF 8.17.22) by Lentz's method as modified by Thompson and Barnett (J. Comput. Phys. 64, 1986).
"""

import math

_TINY = 1e-300  # stands for a denominator of 0
_ENOUGH = 1e-16  # the fraction stands still
_MOST_STEPS = 10_000  # the fraction needs about the square root of the larger parameter


def two_sided_p(t: float, degrees: int) -> float:
    """Probability of a t at least as far from 0 as this one when the true mean is 0.

    Args:
        t: mean divided by its standard error.
        degrees: of freedom, at least 1; a sample's size less one.
    """
    # Abramowitz and Stegun 26.7.1 with 26.5.27: P(|T| > t) = I_x(n/2, 1/2) with x = n / (n + t^2).
    square = t * t
    return incomplete_beta(degrees / 2, 0.5, degrees / (degrees + square), square / (degrees + square))


def incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b), the regularised incomplete beta function, to about twelve digits.

    `a` and `b` are above 0, `x` is 0 to 1; `rest` is 1 - x, which the caller may know with more digits.
    """
    if x <= 0 or rest <= 0:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction is quick below this, and I_x(a, b) = 1 - I_(1-x)(b, a), DLMF 8.17.4
        return 1 - incomplete_beta(b, a, rest, x)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    return math.exp(log_front) / (a * _fraction(a, b, x))


def _fraction(a: float, b: float, x: float) -> float:
    """1 + d1 / (1 + d2 / (1 + ...)) of DLMF 8.17.22, from the top down."""
    value = c = 1.0
    d = 0.0
    for step in range(1, _MOST_STEPS):
        half, odd = divmod(step, 2)
        if odd:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        d = 1 / (1 + term * d or _TINY)
        c = 1 + term / c or _TINY
        value *= c * d
        if abs(c * d - 1) < _ENOUGH:
            break
    return value
