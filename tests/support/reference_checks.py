"""What the tests of several reference solutions share."""

from contextlib import contextmanager

import jax.numpy as jnp
import pytest
from pydantic import ValidationError

from gradalign.references.solvers import spectral
from gradalign.references.solvers.plane import Plane


def silent(share, text):
    """Progress that is not shown."""


def refuse(settings, coarse_modes, wrongs):
    """Settings whose coarse run has as many modes as the reference, and any of the ``wrongs``, are refused."""
    with pytest.raises(ValidationError, match=f"coarse_modes must be below modes = {coarse_modes}"):
        settings(coarse_modes=coarse_modes)
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            settings(**wrong)


@contextmanager
def derivatives_times(factor):
    """Every derivative of a Fourier series in one dimension is wrong by a factor."""
    right = spectral.Fourier.derivative
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(spectral.Fourier, "derivative", lambda space, v: factor * right(space, v))
        yield


@contextmanager
def products_times(factor):
    """Every product of fields on the plane is wrong by a factor."""
    right = Plane.pointwise
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Plane, "pointwise", lambda *given, **degree: factor * right(*given, **degree))
        yield


@contextmanager
def stencil_times(module, order, factor):
    """The finite differences of a module for derivatives of one order are wrong by a factor."""
    right = module.central_stencil
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(module, "central_stencil", lambda n, reach: (factor if n == order else 1) * right(n, reach))
        yield


def degrees_of_products(run):
    """The degrees of the products of fields on the plane in ``run()``, up to which aliasing is removed."""
    right, degrees = Plane.pointwise, set()

    def recorded(*given, degree=2):
        degrees.add(degree)
        return right(*given, degree=degree)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Plane, "pointwise", recorded)
        run()
    return degrees


def network_of(expansion, unit_time, angle):
    """The parts of ``oracles.korteweg_de_vries.expansion`` as a network: waves cos(n arccos τ(t)) in time, of kφ(x)."""
    a, b = (jnp.asarray(part) for part in expansion)

    def apply(params, z):
        times = jnp.cos(jnp.arange(11.0) * jnp.arccos(unit_time(z[:, :1])))
        angles = angle(z[:, 1:2]) * jnp.arange(float(a.shape[1]))
        return jnp.sum((times @ a) * jnp.cos(angles) + (times @ b) * jnp.sin(angles), axis=1)[:, None]

    return apply
