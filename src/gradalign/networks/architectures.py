"""Networks: maps from coordinates (N, D) to fields (N, F), as pure functions of a parameter tree.

Sizes. D coordinates, of which C are periodic, h harmonics, m random Fourier features, width w, depth d, F fields.
A dense layer from a to b units has

    q(a, b) = a b + b        parameters,  a b + 2 b  with weight factorisation.

Embedding: e = D - C + 2 h C inputs; with m > 0 Fourier features another e m/2 parameters, and then e = m. Parameters:

    mlp           [embedding] + q(e, w) + (d - 1) q(w, w) + q(w, F)
    modified_mlp  [embedding] + 2 q(e, w) + q(e, w) + (d - 1) q(w, w) + q(w, F)
    pirate_net    [embedding] + 2 q(e, w) + d (q(e, w) + q(w, w) + q(w, e) + 1) + q(e, F)

A ``spectral`` network has as many as an ``mlp`` of the other coordinates with one output per wave of each field:
2h + 1 waves per field, or with ``symmetric`` h + 1 for an even field and h for an odd one.

All networks compute in the dtype they were built with; all quantities are dimensionless.
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

    1. a coordinate is scaled to [-1, 1] over the domain, and stretched at the faces if the problem says so; a
       periodic one on [a, a + P] is replaced by cos(2πk(x - a)/P) and sin(2πk(x - a)/P), k = 1..harmonics, so that
       every field is exactly periodic (arXiv 2007.07400);
    2. with Fourier features, z <- (cos(z B), sin(z B)), where B is drawn from N(0, fourier_scale²) and trained like
       every other parameter, as in the released code of arXiv 2502.00604.

    Body, where σ is the activation, ⊙ acts by element, and all layers are dense with bias:

    - ``mlp``: h_1 = σ(z W_1 + b_1), h_{l+1} = σ(h_l W_{l+1} + b_{l+1}), d hidden layers, linear output.
    - ``modified_mlp`` (arXiv 2001.04536): gates U = σ(z W_U + b_U), V = σ(z W_V + b_V); each hidden value of the
      ``mlp`` is replaced by h ⊙ U + (1 - h) ⊙ V.
    - ``pirate_net`` (arXiv 2402.00326): d blocks x -> α σ(g_2 W_3 + b_3) + (1 - α) x with g_1 = f ⊙ U + (1 - f) ⊙ V,
      f = σ(x W_1 + b_1), and g_2 likewise from g_1. Each block has its own trained α, initially 0, so that the body
      starts as the identity on the embedding.
    - ``spectral`` (arXiv 2202.02710): N_f(t, x) = Σ_k c_fk(t) φ_k(x), where an ``mlp`` of the other coordinates gives
      the coefficients c of the waves φ of a Fourier series in x, up to k = harmonics, for problems with one periodic
      coordinate x. Such fields are smooth between collocation points, and linear in the output layer. That layer starts
      at zero, and the biases of the first are drawn from U(-1, 1): with zero biases and one hidden layer of tanh, all c
      would be odd functions of time plus a constant.

    Kernels are drawn from Glorot's normal distribution (variance 2/(inputs + outputs)); biases start at 0. With weight
    factorisation (arXiv 2210.01274) the kernel is V diag(exp s), whose columns are outputs. Both V and s are trained;
    s is drawn from N(mean, deviation²), and V is chosen so that the initial product is Glorot's.

    With ``symmetric`` and a reflection x -> 2c - x of parity p_f for field f, the network is
    (N_f(t, x) + p_f N_f(t, 2c - x)) / 2, which has the symmetry exactly, at twice the cost of N; a ``spectral`` network
    instead omits the waves without the symmetry. With a quarter turn, the network is the mean of N over the four turned
    points, each value turned back, at four times the cost. Raises ``ConfigurationError`` for ``symmetric`` where the
    problem has no symmetry, and for ``spectral`` unless exactly one coordinate is periodic.

    >>> import jax
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
