"""The baseline of the speed tables: input derivatives point by point, in the style of public PINN codes.

Every derivative is a nested ``jax.grad`` of one output of the network at one point, and ``vmap`` runs it over the
points. The function has the signature of ``gradalign.derivatives.partial_derivatives`` and takes its place in a
problem, so that both programs share all the rest: equation, network, points, weights, optimizer.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

import jax
import jax.numpy as jnp
from jax import Array

from gradalign.derivatives import Fields, Operators


def partial_derivatives(
    function: Fields,
    coordinates: Array,
    wanted: Sequence[str],
    names: Sequence[str] = ("t", "x"),
    operators: Operators | None = None,
) -> dict[str, Array]:
    """Partial derivatives of fields u: R^D -> R^F at N points, as ``gradalign.derivatives.partial_derivatives``."""
    outputs = jax.eval_shape(function, coordinates).shape[1]
    columns = coordinates.T

    def field(index: int, word: str) -> Array:
        nested = lambda *point: function(jnp.stack(point)[None])[0, index]  # noqa: E731
        for letter in word:
            nested = jax.grad(nested, argnums=names.index(letter))
        return jax.vmap(nested)(*columns)

    def fields(word: str) -> Array:
        return jnp.stack([field(index, word) for index in range(outputs)], axis=1)

    found = {word: fields(word) for word in wanted}
    for name, terms in (operators or {}).items():
        found[name] = sum(coefficient * (found[w] if w in found else fields(w)) for w, coefficient in terms.items())
    return found


@contextmanager
def in_use(problem: str) -> Iterator[None]:
    """Let a problem take its derivatives point by point. What is traced in the meantime stays that way."""
    module = import_module(f"gradalign.problems.{problem}")
    batched = module.partial_derivatives
    module.partial_derivatives = partial_derivatives
    try:
        yield
    finally:
        module.partial_derivatives = batched
