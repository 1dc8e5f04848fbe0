"""Networks: maps from coordinates (N, D) to fields (N, F), as pure functions of a parameter tree.

Sizes. D coordinates, of which C are periodic, h harmonics, m random Fourier features, width w, depth d, F fields.
A dense layer from a to b units has

    q(a, b) = a b + b        parameters,  a b + 2 b  with weight factorisation.

Embedding: e = D - C + 2 h C inputs; with m > 0 Fourier features another e m/2 parameters, and then e = m. Parameters:

    mlp           [embedding] + q(e, w) + (d - 1) q(w, w) + q(w, F)
    modified_mlp  [embedding] + 2 q(e, w) + q(e, w) + (d - 1) q(w, w) + q(w, F)
    pirate_net    [embedding] + 2 q(e, w) + d (q(e, w) + q(w, w) + q(w, e) + 1) + q(e, F)

A ``spectral`` network has as many as an ``mlp`` of the other coordinates with a field for each wave of each field:
2h + 1 waves a field, or with ``symmetric`` h + 1 of an even field and h of an odd one.

Everything computes in the dtype it was built with; all quantities are dimensionless.
"""

import jax.numpy as jnp

from gradalign.base.errors import ConfigurationError
from gradalign.networks.layers import Network
from gradalign.networks.perceptrons import perceptron
from gradalign.networks.settings import NetworkSettings
from gradalign.networks.spectral import spectral
from gradalign.networks.symmetry import mirrored, turned
from gradalign.problems._contract import Problem


def build(settings: NetworkSettings, problem: Problem, dtype: jnp.dtype) -> Network:
    """The network of ``settings`` for the coordinates, domain and fields of ``problem``.

    Embedding z of the coordinates:

    1. a coordinate is scaled to [-1, 1] over the domain, and stretched at the faces where the problem says so; a
       periodic one on [a, a + P] is replaced by cos(2πk(x - a)/P) and sin(2πk(x - a)/P), k = 1..harmonics, so that
       every field is exactly periodic (arXiv 2007.07400);
    2. with Fourier features, z <- (cos(z B), sin(z B)), B drawn from N(0, fourier_scale²) and trained like every other
       parameter, as in the released code of arXiv 2502.00604.

    Body, with σ the activation, all layers dense with bias, ⊙ by element:

    - ``mlp``: h_1 = σ(z W_1 + b_1), h_{l+1} = σ(h_l W_{l+1} + b_{l+1}), d hidden layers, linear output.
    - ``modified_mlp`` (arXiv 2001.04536): gates U = σ(z W_U + b_U), V = σ(z W_V + b_V); each hidden value of the
      ``mlp`` is replaced by h ⊙ U + (1 - h) ⊙ V.
    - ``pirate_net`` (arXiv 2402.00326): d blocks x -> α σ(g_2 W_3 + b_3) + (1 - α) x with g_1 = f ⊙ U + (1 - f) ⊙ V,
      f = σ(x W_1 + b_1), and g_2 likewise from g_1; each block has its own trained α, 0 at the start, so that the
      initial body is the identity on the embedding.
    - ``spectral`` (arXiv 2202.02710): N_f(t, x) = Σ_k c_fk(t) φ_k(x), where an ``mlp`` of the other coordinates gives
      the coefficients c of the waves φ of a Fourier series in x, up to k = harmonics, for problems with one periodic
      coordinate x. Such fields are smooth between the points of the residual, and linear in the output layer. That
      layer starts at zero, and the biases of the first from U(-1, 1): with biases at 0 and one hidden layer of tanh
      all c would be odd functions of time, but for a constant.

    Kernels start from Glorot's normal distribution (variance 2/(inputs + outputs)), biases from 0. Weight
    factorisation (arXiv 2210.01274): the kernel in use is V diag(exp s), columns being outputs, s drawn from
    N(mean, deviation²), both trained; V is chosen so that the initial product is Glorot's.

    Symmetric: with the reflection x -> 2c - x of the problem, which has parity p_f for field f, the network is
    (N_f(t, x) + p_f N_f(t, 2c - x)) / 2, which has it exactly, at twice the cost of N; a ``spectral`` network leaves
    out the waves without it instead. With a quarter turn it is the mean of N at the four places that the turn takes a
    point to, each turned back, at four times the cost. Raises ``ConfigurationError`` where the problem has no symmetry,
    or, for ``spectral``, no or several periodic coordinates.

    >>> from gradalign.problems.burgers import Settings, problem
    >>> settings = NetworkSettings(architecture="mlp", width=8, depth=2, activation="tanh")
    >>> network = build(settings, problem(Settings()), jnp.dtype("float32"))
    >>> params = network.init(jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))  # (2·8 + 8) + (8·8 + 8) + (8·1 + 1)
    105
    >>> network.apply(params, jnp.zeros((5, 2), jnp.float32)).shape
    (5, 1)
    """
    if settings.symmetric and not problem.has_symmetry:
        raise ConfigurationError(f"symmetric: true, but {problem.name} has no known symmetry; leave it out")
    if settings.architecture == "spectral":
        return spectral(settings, problem, dtype)
    network = perceptron(settings, problem, dtype)
    if not settings.symmetric:
        return network
    made = turned if problem.reflection is None else mirrored
    return Network(network.init, made(network.apply, problem))
