"""Tolerances of the mathematical tests, each with its reason. Absolute unless stated otherwise.

A relative tolerance needs ``abs=0`` in ``pytest.approx``, whose default of 1e-12 hides errors of small numbers.
"""

ROUNDING = 1e-14  # numbers of order one after tens of operations in float64
BELOW_ROUNDING_SQUARED = 1e-33  # 1 - A without the rounding of a mean, which costs about 1.2e-32 = (1.1e-16)^2
IDENTITY = 1e-12  # the same after sums of about a thousand terms, or with vectors scaled over sixteen decades
CONDITIONED = 1e-9  # after solving with matrices of condition up to 1e3, or powers of them
INVERSE_ROOTS = 1e-6  # after inverse square roots at condition up to 1e7
NEAR_ANTIPARALLEL = 1e-6  # projections of almost opposite vectors lose half of their digits
DISTORTION = 1e-6  # relative: half-angles lose digits by the condition number of the map
DIFFERENCES = 1e-8  # central differences with step 1e-5: truncation and rounding are near 1e-10 each
SINGLE = 2e-6  # relative: blockwise sums of float32 products cost a few rounding units of 1.2e-7
LEADING_ORDER = 1e-3  # relative: steps are small enough for the next order of an expansion to stay below it
STANDARD_ERRORS = 4.0  # a correct mean leaves this band with probability 6e-5
STOCHASTIC = 0.01  # four standard errors of a correlation over 4e5 steps
VARIANCE = 0.03  # relative: four standard errors sqrt(2 / 40000) of a sample variance
