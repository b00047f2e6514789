"""Networks of Baldi et al. 2016 and Anzalone et al. 2022: one classifier for a whole range of theta."""

import warnings
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
from numpy.typing import ArrayLike

from pnn_tf import checks
from pnn_tf.columns import FeatureNames
from pnn_tf.dropout import FastDropout
from pnn_tf.layers import Activation, AffineConditioning, ConcatConditioning, Initializer, ThetaScale
from pnn_tf.precision import at_least_float32

AFFINE = {"affine": {}, "scale": {"shifting": False}, "shift": {"scaling": False}}  # arguments of AffineConditioning
ORDER_OF_ONE = (0.1, 10.0)  # what scaled theta should reach, like a standardised feature


def parametric_network(
    n_features: int,
    n_parameters: int = 1,
    *,
    n_classes: int | None = None,
    conditioning: str | None = "affine",
    units: Sequence[int] = (300, 150, 100, 50),
    activation: Activation = "relu",
    dropout: float = 0.25,
    theta_scale: ArrayLike = 1000.0,
    theta_offset: ArrayLike = 0.0,
    theta_points: ArrayLike | None = None,
    feature_mean: ArrayLike | None = None,
    feature_variance: ArrayLike | None = None,
    feature_names: Iterable[str] | None = None,
    kernel_initializer: Initializer = "glorot_uniform",
    affine_start: str = "identity",
    kernel_l2: float = 1e-4,
    bias_l2: float = 1e-5,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """A feed-forward classifier of events at given theta.

    Each block is Dense, then AffineConditioning if asked for, then FastDropout. The defaults are Table 2 of Anzalone et
    al. 2022, with the L2 penalties of its code on the hidden Dense layers. The deep network of Baldi et al. 2016 is
    `conditioning="concat", units=(500,) * 5, dropout=0, kernel_l2=0, bias_l2=0` with
    `kernel_initializer=keras.initializers.RandomNormal(stddev=0.1)`.

    Under a global policy of mixed precision, features are standardised, theta enters, and the output is computed in
    float32; the rest is in the policy's.

    Args:
        n_features: number of features of an event.
        n_parameters: number of parameters theta.
        n_classes: number of classes, for labels from 0 to n_classes - 1 and the loss "sparse_categorical_crossentropy";
            None for signal and background, labels 1 and 0, and "binary_crossentropy".
        conditioning: "affine" for AffineConditioning in each block, "scale" or "shift" for the half of it that scales
            or shifts, "concat" for theta as further inputs of the first layer, None for a network that ignores theta.
            The inputs are the same in all.
        units: width of each hidden layer.
        activation: of the hidden Dense layers.
        dropout: rate after each block; 0 for none.
        theta_scale: theta is divided by this inside the model; a number or one per parameter. The default is for masses
            of hundreds of GeV: a network hardly sees a theta of the order of one through it.
        theta_offset: subtracted from theta before; a number or one per parameter. The nominal value for a nuisance
            parameter.
        theta_points: (n_points,) or (n_points, n_parameters), the theta of the training set, or corners around it, in
            the units of theta. Kept with the model: `predict_scores` warns outside their convex hull. None if unknown.
        feature_mean: (n_features,) subtracted from the features inside the model; None for features that are
            standardised already.
        feature_variance: (n_features,) positive; the features are divided by its root. Given with feature_mean.
        feature_names: (n_features,) names of the features, such as `batches.feature_names`. Kept with the model: it
            takes the columns of tables by them. None for features in the order of the training.
        kernel_initializer: of the Dense layers; biases start at zero.
        affine_start: "identity" for affine layers that start with scale 1 and shift 0, as if there were none;
            "glorot_uniform" for random kernels and no biases, as Anzalone et al. 2022, section 6.3. Through the
            second, little of the features passes at first, trainings start late, and now and then one with L2 penalties
            ends with a constant output: see docs/pnn.md.
        kernel_l2: L2 penalty on the kernels of the hidden Dense layers.
        bias_l2: L2 penalty on their biases.
        seed: int from which every layer's initial values and dropout follow; None for Keras' global generator.
        name: name of the model.

    Returns:
        keras.Model with the inputs `features` (n_events, n_features) and `theta` (n_events, n_parameters), theta in
        physical units, and one sigmoid output (n_events, 1), or with n_classes a softmax (n_events, n_classes). Not
        compiled.

    Warns:
        UserWarning: theta_points that are below 0.1 or above 10 after the scaling, in all points, of a parameter.

    Raises:
        ValueError: an unknown conditioning or affine_start; n_features, n_parameters or units that are not whole
            numbers of at least 1, n_classes below 2, no hidden layer; a dropout outside [0, 1), an L2 penalty that is
            negative or not finite; only one of feature_mean and feature_variance, or one that is not of n_features
            finite numbers, a variance that is not positive; feature_names that are not n_features distinct ones; a
            theta_scale, theta_offset or theta_points for another number of parameters, a theta_scale that is not
            positive, theta_points that are empty or not finite.

    >>> parametric_network(27).count_params()
    76151
    >>> parametric_network(27, conditioning="concat").count_params()
    74051
    """
    if conditioning not in (*AFFINE, "concat", None):
        raise ValueError(
            f"Expected conditioning 'affine', 'scale', 'shift', 'concat' or None. Received: {conditioning!r}"
        )
    if affine_start not in ("identity", "glorot_uniform"):
        raise ValueError(f"Expected affine_start 'identity' or 'glorot_uniform'. Received: {affine_start!r}")
    n_features = checks.as_count("n_features", n_features)
    n_parameters = checks.as_count("n_parameters", n_parameters)
    if n_classes is not None:
        n_classes = checks.as_count("n_classes", n_classes, 2)
    if np.ndim(units) != 1 or len(units) == 0:
        raise ValueError(
            f"Expected units as a sequence, the width of each hidden layer, at least one. Received: {units}"
        )
    units = [checks.as_count("units", width) for width in units]
    if not 0 <= dropout < 1:
        raise ValueError(f"Expected dropout in [0, 1), the share of units that is dropped. Received: dropout={dropout}")
    for argument, penalty in (("kernel_l2", kernel_l2), ("bias_l2", bias_l2)):
        if not 0 <= penalty < np.inf:
            raise ValueError(f"Expected {argument} >= 0 and finite; 0 for no penalty. Received: {argument}={penalty}")
    if (feature_mean is None) != (feature_variance is None):
        raise ValueError("feature_mean and feature_variance belong together: give both or neither.")
    if feature_mean is not None:
        feature_mean = _statistics("feature_mean", feature_mean, n_features)
        feature_variance = _statistics("feature_variance", feature_variance, n_features, positive=True)
    if theta_points is not None:
        theta_points = checks.as_points("theta_points", theta_points, n_parameters)
    seeds = _seeds(seed)

    def dense(width, **kwargs):
        return keras.layers.Dense(width, kernel_initializer=_seeded(kernel_initializer, next(seeds)), **kwargs)

    full = at_least_float32()
    features = keras.Input((n_features,), dtype=full.compute_dtype, name="features")
    theta = keras.Input((n_parameters,), dtype=full.compute_dtype, name="theta")
    z = features if feature_names is None else FeatureNames(feature_names, name="feature_names")(features)
    if feature_mean is not None:
        z = keras.layers.Normalization(mean=feature_mean, variance=feature_variance, dtype=full, name="standardise")(z)
    if conditioning is not None:
        theta_layer = ThetaScale(theta_scale, theta_offset, theta_points, name="theta_scale")
        scaled_theta = theta_layer(theta)
        if theta_points is not None:
            _warn_of_scale(theta_layer, theta_points)
    if conditioning == "concat":
        z = ConcatConditioning(name="concat")([z, scaled_theta])
    for i, width in enumerate(units, start=1):
        z = dense(
            width,
            activation=activation,
            kernel_regularizer=keras.regularizers.L2(kernel_l2) if kernel_l2 else None,
            bias_regularizer=keras.regularizers.L2(bias_l2) if bias_l2 else None,
            dtype=full if i == 1 and conditioning == "concat" else None,
            name=f"dense_{i}",
        )(z)
        if conditioning in AFFINE:
            parts = AFFINE[conditioning]
            z = _affine(affine_start, next(seeds), next(seeds), name=f"affine_{i}", **parts)([z, scaled_theta])
        if dropout:
            z = FastDropout(dropout, seed=next(seeds), name=f"dropout_{i}")(z)
    if n_classes is None:
        score = dense(1, activation="sigmoid", dtype=full, name="score")(z)
    else:
        logits = dense(n_classes, dtype=full, name="logits")(z)
        score = keras.layers.Activation("softmax", dtype=full, name="score")(logits)
    return keras.Model({"features": features, "theta": theta}, score, name=name)


def _statistics(argument: str, values: ArrayLike, n_features: int, positive: bool = False) -> list[float]:
    """A number for each feature, finite, and positive if told so."""
    array = np.asarray(values, np.float64)
    if array.shape != (n_features,):
        raise ValueError(
            f"Expected {argument} of shape ({n_features},), a number for each of the n_features={n_features} columns "
            f"that the network gets. Received: {array.shape}"
        )
    wrong = ~np.isfinite(array) | (array <= 0 if positive else False)
    if wrong.any():
        raise ValueError(
            f"Expected finite numbers{' > 0' if positive else ''} in {argument}. Received, in the columns "
            f"{np.flatnonzero(wrong).tolist()}: {array[wrong].tolist()}. Take them from events without NaN"
            f"{', and leave out a column that is constant' if positive else ''}."
        )
    return array.tolist()


def _warn_of_scale(layer: ThetaScale, points: np.ndarray) -> None:
    """Warns, in the name of the caller of `parametric_network`, of scaled points far from the order of one."""
    largest = np.abs((points.astype(np.float64) - layer.offset) / layer.scale).max(axis=0)
    low, high = ORDER_OF_ONE
    if np.any((largest > 0) & (largest < low) | (largest > high)):
        warnings.warn(
            f"(theta - theta_offset) / theta_scale of theta_points is at most {largest.tolist()}, with "
            f"theta_scale={layer.scale} and theta_offset={layer.offset}. A network takes inputs of the order of one: "
            "take the theta_scale, and the theta_offset, of your theta.",
            UserWarning,
            stacklevel=3,
        )


def _affine(start: str, scale_seed: int | None, shift_seed: int | None, **keywords) -> AffineConditioning:
    if start == "identity":
        return AffineConditioning(
            scale_initializer="zeros", shift_initializer="zeros", scale_bias_initializer="ones", **keywords
        )
    glorot = keras.initializers.GlorotUniform
    return AffineConditioning(
        scale_initializer=glorot(seed=scale_seed), shift_initializer=glorot(seed=shift_seed), **keywords
    )


def _seeds(seed: int | None) -> Iterator[int | None]:
    """An endless stream of distinct seeds, or of None."""
    sequence = None if seed is None else np.random.SeedSequence(seed)
    while True:
        yield None if sequence is None else int(sequence.spawn(1)[0].generate_state(1)[0] >> 1)


def _seeded(initializer: Initializer, seed: int | None) -> keras.Initializer:
    """The initializer with its seed replaced, where it has one and a seed is given."""
    initializer = keras.initializers.get(initializer)
    config = initializer.get_config()
    if seed is None or "seed" not in config:
        return initializer
    return type(initializer).from_config({**config, "seed": seed})
