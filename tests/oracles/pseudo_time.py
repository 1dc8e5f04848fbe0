"""Gauss-Newton steps in a norm of fields and in pseudo-time, in NumPy for a model with derivatives in closed form.

    u(θ) = sin(x A) θ_1 + (x . θ_2)^2 at N points x (N, 3);   interior: u^3 + 2 u - 1, driving u;   edge: u at M points

Rows are weighted by sqrt(λ / N). A step minimises ||J v + r||^2 + mu (||J_u v||^2 + share tr(J_u^T J_u)/P ||v||^2), J_u
being that of u / sqrt(N) in the interior, by its stacked least-squares problem; or mu ||v||^2 in its place.
"""

import numpy as np

WEIGHTS = {"interior": 0.5, "edge": 4.0}


def field(theta, x):
    """u (N,), its Jacobian (N, 7), and u_vv as a function of v."""
    waves, product = np.sin(x @ np.arange(1.0, 13.0).reshape(3, 4) / 3), x @ theta[4:]
    jacobian = np.hstack([waves, 2 * product[:, None] * x])
    return waves @ theta[:4] + product**2, jacobian, lambda v: 2 * (x @ v[4:]) ** 2


def rows(theta, before, points, rate):
    """Weighted rows in pseudo-time from ``before``, their Jacobian, and r_vv as a function of v."""
    u, du, second = field(theta, points["interior"])
    edge, dedge, edge_second = field(theta, points["edge"])
    inside, outside = (np.sqrt(WEIGHTS[name] / len(points[name])) for name in ("interior", "edge"))
    slope = 3 * u**2 + 2 + rate
    r = np.concatenate(
        [inside * (u**3 + 2 * u - 1 + rate * (u - field(before, points["interior"])[0])), outside * edge]
    )
    J = np.vstack([inside * slope[:, None] * du, outside * dedge])

    def along(v):
        return np.concatenate([inside * (6 * u * (du @ v) ** 2 + slope * second(v)), outside * edge_second(v)])

    return r, J, along


def iterates(theta, batches, damping, *, norm, share, pseudo_step, good, bad, decrease, increase, refusal, longest):
    """Parameters after each batch, and mu; one loss-lowering step a batch."""
    visited = []
    for points in batches:
        plain = rows(theta, theta, points, 0.0)[0]
        rate = 0.0 if pseudo_step is None else np.linalg.norm(plain) / pseudo_step
        r, J, along = rows(theta, theta, points, rate)
        Ju = field(theta, points["interior"])[1] / np.sqrt(len(points["interior"]))
        metric = np.eye(7)
        if norm == "fields":
            metric = np.vstack([Ju, np.sqrt(share / 7) * np.linalg.norm(Ju) * np.eye(7)])
        for _ in range(8):

            def solved(right, metric=metric, J=J, damping=damping):
                stacked = np.vstack([J, np.sqrt(damping) * metric])
                return np.linalg.lstsq(stacked, np.concatenate([-right, np.zeros(len(metric))]), rcond=None)[0]

            v = solved(r)
            a = solved(along(v))
            step = v + a / 2 if 2 * np.linalg.norm(metric @ a) <= longest * np.linalg.norm(metric @ v) else v
            actual = r @ r - np.sum(rows(theta + step, theta, points, rate)[0] ** 2)
            ratio = actual / (r @ r - np.sum((r + J @ v) ** 2))
            if actual > 0:
                theta = theta + step
                damping *= decrease if ratio > good else increase if ratio < bad else 1
                break
            damping *= refusal
        visited.append(np.concatenate([theta, [damping]]))
    return visited
