"""What the tests of several problems share."""

import jax
import jax.numpy as jnp
import numpy as np
from tolerances import ROUNDING

from gradalign.training.model import residuals_of


def check_that_given_values_are_used(equation, z):
    """The initial residual of a problem in one dimension takes the values behind its points.

    From the second window on they are those of the window before.
    """
    z = z | {"ic": z["ic"].at[:, 2].set(jnp.arange(6.0))}
    found = residuals_of(equation, lambda params, y: 10 * y[:, 1:2], None, z)
    np.testing.assert_allclose(found["ic"], 10 * z["ic"][:, 1] - np.arange(6.0), atol=ROUNDING)


def check_that_given_values_of_u_and_v_are_used(equation, z, initial):
    """The initial residuals of u and v on a plane take the values behind their points, at first ``initial(x, y)``.

    From the second window on they are those of the window before.
    """
    x, y = np.asarray(z["ic"][:, 1:3]).T
    np.testing.assert_allclose(z["ic"][:, 3:].T, initial(x, y), atol=1e-15)
    changed = z | {"ic": z["ic"].at[:, 3].set(0.25).at[:, 4].set(-0.5)}
    found = residuals_of(equation, lambda params, p: p[:, 1:3], None, changed)  # u = x, v = y
    np.testing.assert_allclose(found["u_ic"], x - 0.25, atol=1e-15)
    np.testing.assert_allclose(found["v_ic"], y + 0.5, atol=1e-15)


def check_that_u_and_v_are_scored(equation):
    """u, v and both together, which is the main quantity."""
    fields = {"u": np.full((2, 3, 3), 1.0), "v": np.full((2, 3, 3), 2.0)}
    found = {name: quantity(fields) for name, quantity in equation.quantities.items()}
    np.testing.assert_equal(list(found), ["u", "v", "u and v"])
    np.testing.assert_equal(equation.main_quantity, "u and v")
    np.testing.assert_array_equal(found["u and v"], [found["u"], found["v"]])


def residuals_of_the_reference(equation, z, fourier, middle, gap):
    """Norms of the residuals ru and rv of a reference on a plane, relative to their terms without derivatives.

    ``fourier(times)`` gives the plane and the coefficients. The points are those of ``z`` at the time ``middle``, moved
    to where something happens.
    """
    plane, series = fourier(np.array([0.0, *(middle + gap * np.arange(-3, 4))]))
    z = z | {"pde": z["pde"].at[:, 0].set(middle).at[:, 1:].multiply(0.4)}
    apply = series_in_time(plane, series[1:], middle, gap)
    left = residuals_of(equation, apply, None, z)
    terms = residuals_of(equation, lambda params, p: jax.lax.stop_gradient(apply(params, p)), None, z)
    return np.array([np.linalg.norm(left[name]) / np.linalg.norm(terms[name]) for name in ("ru", "rv")])


def series_in_time(plane, series, middle, gap):
    """The reference near t = ``middle`` as a network would give it, from its coefficients at seven times.

    Its exact series in space; in time, the tangent, whose slope is the central difference of order 6.
    """
    slope = np.tensordot([-1 / 60, 3 / 20, -3 / 4, 0, 3 / 4, -3 / 20, 1 / 60], series, axes=1) / gap
    value, doubled = series[3], np.where(plane.wavenumbers[1] == 0, 1, 2)
    kappa, mu = (jnp.asarray(waves.ravel()) for waves in plane.wavenumbers)

    def apply(params, z):
        phase_x = jnp.exp(1j * (kappa * (z[:, 1:2] + 1)).astype(complex))
        phase_y = jnp.exp(1j * (mu * (z[:, 2:3] + 1)).astype(complex))
        level, tangent = (
            jnp.einsum("nj,fjk,nk->nf", phase_x, jnp.asarray(part * doubled), phase_y).real for part in (value, slope)
        )
        return level + (z[:, :1] - middle) * tangent

    return apply
