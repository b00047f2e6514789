"""Problems that know their exact answer."""

from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
from scipy.special import expit, softmax
from scipy.stats import norm


@dataclass(frozen=True)
class GaussianOnUniform:
    """One feature: signal is a Gaussian at theta, background is uniform. Baldi et al. 2016, Fig. 2."""

    theta: tuple[float, ...] = (-2.0, -1.0, 0.0, 1.0, 2.0)
    width: float = 0.25
    edge: float = 5.0

    def sample(self, n_events, seed):
        """features (n_events, 1), theta (n_events,), label (n_events,); background has a theta of the signal's."""
        rng = np.random.default_rng(seed)
        label = np.arange(n_events) % 2
        theta = rng.choice(self.theta, n_events)
        signal = rng.normal(theta, self.width)
        x = np.where(label == 1, signal, rng.uniform(-self.edge, self.edge, n_events))
        return x[:, np.newaxis].astype(np.float32), theta.astype(np.float32), label

    def posterior(self, x, theta):
        """Probability of signal where both classes are equally frequent: the best score there is."""
        signal, background = norm.pdf(x, theta, self.width), 1 / (2 * self.edge)
        return signal / (signal + background)

    def auc(self):
        """Of the posterior, for any theta far from the edges.

        It falls with r = |x - theta|. A background event is nearer than r with probability r / edge, and the mean r
        of signal is width * sqrt(2 / pi).
        """
        return 1 - self.width * np.sqrt(2 / np.pi) / self.edge


def tanh_derivatives(z):
    t = np.tanh(z)
    slope = 1 - t**2
    return t, slope, -2 * t * slope, slope * (6 * t**2 - 2), 8 * t * slope * (2 - 3 * t**2)


def sigmoid_derivatives(z):
    s = expit(z)
    slope = s * (1 - s)
    return s, slope, slope * (1 - 2 * s), slope * (1 - 6 * slope), slope * (1 - 2 * s) * (1 - 12 * slope)


def softplus_derivatives(z):
    return np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0), *sigmoid_derivatives(z)[:4]


def silu_derivatives(z):
    s = sigmoid_derivatives(z)
    return z * s[0], *(k * s[k - 1] + z * s[k] for k in range(1, 5))


def softsign_derivatives(z):
    sign, r = np.sign(z), 1 / (1 + np.abs(z))
    return z * r, r**2, -2 * sign * r**3, 6 * r**4, -24 * sign * r**5


def elu_derivatives(z):
    above, exponential = z > 0, np.exp(np.minimum(z, 0))
    return np.where(above, z, exponential - 1), np.where(above, 1, exponential), *[np.where(above, 0, exponential)] * 3


def relu_derivatives(z):
    return np.maximum(z, 0), np.where(z > 0, 1.0, 0.0), *[np.zeros_like(z)] * 3


# Each activation and its first four derivatives, written out by hand.
ACTIVATIONS = {
    "tanh": tanh_derivatives,
    "sigmoid": sigmoid_derivatives,
    "softplus": softplus_derivatives,
    "silu": silu_derivatives,
    "softsign": softsign_derivatives,
    "elu": elu_derivatives,
    "relu": relu_derivatives,
}


@dataclass(frozen=True)
class DenseNetwork:
    """A network with one or two hidden layers of one activation, and the derivatives of its outputs.

    With z = x V + a, the logit of one hidden layer is u = h(z) w + c; that of two is u = h(g) w + c, g = h(z) W + b.
    """

    activation: str = "tanh"
    last: str = "sigmoid"
    widths: tuple[int, ...] = (3, 6, 1)

    @cached_property
    def layers(self):
        """One (kernel, bias) a layer."""
        rng = np.random.default_rng(0)
        shapes = zip(self.widths[:-1], self.widths[1:], strict=True)
        return [(rng.normal(size=(m, n)) / np.sqrt(m), rng.normal(size=n) / 2) for m, n in shapes]

    def events(self, n_events, seed=1):
        """(n_events, n_inputs) standard normal."""
        return np.random.default_rng(seed).normal(size=(n_events, self.widths[0]))

    def model(self, dtype="float64"):
        *hidden, last = [keras.layers.Dense(width, dtype=dtype) for width in self.widths[1:]]
        for layer in hidden:
            layer.activation = keras.activations.get(self.activation)
        last.activation = keras.activations.get(self.last)
        model = keras.Sequential([keras.Input((self.widths[0],), dtype=dtype), *hidden, last])
        model.set_weights([array for layer in self.layers for array in layer])
        return model

    def logit(self, x):
        """(n_events, n_outputs) u."""
        for kernel, bias in self.layers[:-1]:
            x = ACTIVATIONS[self.activation](x @ kernel + bias)[0]
        return x @ self.layers[-1][0] + self.layers[-1][1]

    def logit_derivatives(self, x):
        """Gradient (n_events, n_outputs, n_inputs) and Hessian (n_events, n_outputs, n_inputs, n_inputs) of u."""
        (v, a), *between, (w, _) = self.layers
        h, h1, h2, *_ = ACTIVATIONS[self.activation](x @ v + a)
        if not between:
            return np.einsum("nm,mo,im->noi", h1, w, v), np.einsum("nm,mo,im,jm->noij", h2, w, v, v)
        ((kernel, bias),) = between
        first = np.einsum("nm,im,mk->nik", h1, v, kernel)  # of g
        second = np.einsum("nm,im,jm,mk->nijk", h2, v, v, kernel)
        _, g1, g2, *_ = ACTIVATIONS[self.activation](h @ kernel + bias)
        hessian = np.einsum("nk,ko,nik,njk->noij", g2, w, first, first) + np.einsum("nk,ko,nijk->noij", g1, w, second)
        return np.einsum("nk,ko,nik->noi", g1, w, first), hessian

    def output_derivatives(self, x, column=0):
        """Gradient (n_events, n_inputs) and Hessian (n_events, n_inputs, n_inputs) of one output."""
        u, (gradient, hessian) = self.logit(x), self.logit_derivatives(x)
        if self.last == "linear":
            return gradient[:, column], hessian[:, column]
        if self.last == "sigmoid":
            _, s1, s2, *_ = (derivative[:, column] for derivative in sigmoid_derivatives(u))
            own = gradient[:, column]
            bent = s2[:, None, None] * own[:, :, None] * own[:, None, :]
            return s1[:, None] * own, bent + s1[:, None, None] * hessian[:, column]
        p = softmax(u, axis=1)
        mean = np.einsum("no,noi->ni", p, gradient)
        away = gradient - mean[:, None]  # d log p_o / dx_i
        bent = (
            hessian[:, column] - np.einsum("no,noij->nij", p, hessian) - np.einsum("no,noi,noj->nij", p, away, gradient)
        )
        own = p[:, column, None]
        return own * away[:, column], own[..., None] * (away[:, column, :, None] * away[:, column, None] + bent)

    def of_one_hidden_layer(self, x, index):
        """(n_events,) derivative of the first output, sigmoid or linear, in up to four inputs, by Faa di Bruno."""
        (v, a), (w, _) = self.layers
        h = ACTIVATIONS[self.activation](x @ v + a)
        f = (None, 1, 0, 0, 0) if self.last == "linear" else [d[:, 0] for d in sigmoid_derivatives(self.logit(x))]

        def u(*block):
            return (h[len(block)] * np.prod(v[list(block)], axis=0)) @ w[:, 0]

        if len(index) == 1:
            return f[1] * u(*index)
        if len(index) == 2:
            i, j = index
            return f[1] * u(i, j) + f[2] * u(i) * u(j)
        if len(index) == 3:
            i, j, k = index
            pairs = u(i, j) * u(k) + u(i, k) * u(j) + u(j, k) * u(i)
            return f[1] * u(i, j, k) + f[2] * pairs + f[3] * u(i) * u(j) * u(k)
        i, j, k, m = index
        triples = u(i, j, k) * u(m) + u(i, j, m) * u(k) + u(i, k, m) * u(j) + u(j, k, m) * u(i)
        two_pairs = u(i, j) * u(k, m) + u(i, k) * u(j, m) + u(i, m) * u(j, k)
        one_pair = (
            u(i, j) * u(k) * u(m)
            + u(i, k) * u(j) * u(m)
            + u(i, m) * u(j) * u(k)
            + u(j, k) * u(i) * u(m)
            + u(j, m) * u(i) * u(k)
            + u(k, m) * u(i) * u(j)
        )
        return f[1] * u(i, j, k, m) + f[2] * (triples + two_pairs) + f[3] * one_pair + f[4] * u(i) * u(j) * u(k) * u(m)
