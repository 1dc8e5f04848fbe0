"""Data-parallel training: each device holds an equal part of every point set, and a copy of all the rest.

All devices that JAX sees take part. To use fewer, restrict them before JAX starts, with ``CUDA_VISIBLE_DEVICES`` or
JAX's own options. Losses and gradients are sums over the points, which the compiler adds up across the devices. Every
device draws its own part of one stream, so the points are those of a single device, and the numbers too up to rounding.
Where a method amplifies rounding, runs on different numbers of devices differ as runs on different types of devices do:
SOAP's first basis is arbitrary where the first gradient of a layer leaves its factors several zero eigenvalues.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from gradalign.base.errors import ConfigurationError
from gradalign.base.types import Points

AXIS = "points"


def mesh_for(counts: Mapping[str, int], devices: Sequence[jax.Device] | None = None) -> Mesh | None:
    """The mesh (number of devices,) over which the points are sharded; None for a single device.

    ``counts`` is the number of points by point set; ``devices`` defaults to all that JAX sees. Raises
    ``ConfigurationError`` for a set that cannot be split into equal parts.

    >>> mesh_for({"pde": 1023}, jax.devices()[:1]) is None
    True
    """
    devices = jax.devices() if devices is None else devices
    parts = len(devices)
    uneven = {name: count for name, count in counts.items() if count % parts}
    if uneven:
        given = ", ".join(f"{name!r} has {count} points" for name, count in uneven.items())
        fewer = (
            "one device: take --xla_force_host_platform_device_count out of XLA_FLAGS, and JAX_NUM_CPU_DEVICES out of "
            "the environment; one device of a CPU has all of its cores"
            if devices[0].platform == "cpu"
            else "fewer devices: only the first GPU with the environment variable CUDA_VISIBLE_DEVICES=0"
        )
        nearest = ", ".join(f"{name}: {-(-count // parts) * parts}" for name, count in uneven.items())
        raise ConfigurationError(
            f"JAX sees {parts} devices, which share out every set of points in equal parts: {given}; allowed: "
            f"multiples of {parts}. Change the key 'points' of the problem or of the run ({nearest}), or let JAX see "
            + fewer
        )
    return None if parts == 1 else Mesh(np.asarray(devices), (AXIS,))


def shared_out(points: Points, mesh: Mesh | None) -> Points:
    """The same points, each set sharded along its rows over the mesh; unchanged without a mesh. Traceable."""
    if mesh is None:
        return points
    sharding = NamedSharding(mesh, PartitionSpec(AXIS))
    return {name: jax.lax.with_sharding_constraint(values, sharding) for name, values in points.items()}


def replicated(mesh: Mesh | None) -> dict[str, Any]:
    """Arguments of ``jax.jit`` for a function whose inputs and outputs are replicated on every device."""
    if mesh is None:
        return {}
    everywhere = NamedSharding(mesh, PartitionSpec())
    return {"in_shardings": everywhere, "out_shardings": everywhere}


def held_by_all(tree: Any, mesh: Mesh | None) -> Any:
    """The tree with every array replicated over the mesh; unchanged without a mesh."""
    return tree if mesh is None else jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))
