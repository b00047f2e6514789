"""Events and networks of PNN: one hidden layer of three units (section 4), and a deep network (section 5).

Defaults of the networks are the paper's. It leaves open how many events only validate, and how biases start: at zero
here.
"""

from dataclasses import dataclass

import keras

import pnn_tf
from benchmarks.data.events import Events
from benchmarks.training import Recipe, Trained, show_epochs, train


@dataclass(frozen=True)
class Descent(Recipe):
    """A recipe without penalties or dropout, trained by stochastic gradient descent or by Adam.

    Args:
        momentum: of the gradient descent; None for Adam.
        nesterov: whether the momentum is Nesterov's.
        decay: factor on the learning rate after each epoch.
        activation: of the hidden layers.
        kernel_std: standard deviation of the Gaussian that weights start from; None for Glorot's uniform.
    """

    dropout: float = 0.0
    kernel_l2: float = 0.0
    bias_l2: float = 0.0
    validation_fraction: float = 0.1
    momentum: float | None = 0.9
    nesterov: bool = True
    decay: float = 1.0
    activation: str = "relu"
    kernel_std: float | None = None

    def network(self, n_features: int, n_parameters: int, conditioning: str | None, seed: int) -> keras.Model:
        """As `Recipe.network`, with the activation and the initial weights of this recipe."""
        fields = ("units", "activation", "dropout", "theta_scale", "theta_offset", "kernel_l2", "bias_l2")
        settings = {field: getattr(self, field) for field in fields} | {"conditioning": conditioning, "seed": seed}
        if self.kernel_std is not None:
            settings["kernel_initializer"] = keras.initializers.RandomNormal(stddev=self.kernel_std)
        return pnn_tf.parametric_network(n_features, n_parameters, **settings)

    def optimizer(self, n_steps: int) -> keras.optimizers.Optimizer:
        """As `Recipe.optimizer`, with a rate that falls by `decay` at the end of each epoch of `n_steps`."""
        rate = keras.optimizers.schedules.ExponentialDecay(self.learning_rate, n_steps, self.decay, staircase=True)
        if self.momentum is None:
            return keras.optimizers.Adam(rate)
        return keras.optimizers.SGD(rate, momentum=self.momentum, nesterov=self.nesterov)


@dataclass(frozen=True)
class Shallow(Descent):
    """Section 4: three sigmoid units, Nesterov's momentum, one event a step. The number of epochs is ours."""

    epochs: int = 10
    batch_size: int = 1
    learning_rate: float = 0.01
    units: tuple[int, ...] = (3,)
    activation: str = "sigmoid"
    steps_per_execution: int = 1024


@dataclass(frozen=True)
class Deep(Descent):
    """Section 5: five hidden layers of 500 rectified linear units."""

    epochs: int = 200
    batch_size: int = 100
    learning_rate: float = 0.1
    decay: float = 0.89
    momentum: float | None = 0.5
    nesterov: bool = False
    units: tuple[int, ...] = (500,) * 5
    kernel_std: float | None = 0.1


def fit(config: Recipe, events: Events, title: str, seed: int, display, *, work=1.0, best=True, **more) -> Trained:
    """`train` on events, with the weights of the epoch with the best validation AUC, or of the last.

    The display is told of `work`, the share of a row.
    """
    trained = train(
        config, events, seed=seed, on_epoch=show_epochs(display, f"{title}, seed {seed}", work / config.epochs), **more
    )
    if best:
        trained.model.set_weights(trained.best_weights)
    return trained
