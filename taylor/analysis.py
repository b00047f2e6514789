"""One analysis: a response, its features, and the engine that differentiates it, tried out once and kept."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache, partial, wraps
from math import log2
from threading import RLock
from typing import Any
from weakref import WeakKeyDictionary, ref

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from taylor import keras_graph
from taylor.adjoint import adjoint
from taylor.autodiff import autodiff
from taylor.check import Probe
from taylor.chunks import SMALLEST, in_blocks, on_gpu
from taylor.closed_form import closed_form
from taylor.compiled import compiled
from taylor.features import FeatureSet, n_features
from taylor.network_state import State, state_of
from taylor.response import Events, Outputs, Response
from taylor.rules import RULES
from taylor.signature import Signature, signature_of
from taylor.steps import NoRule
from taylor.warning import warn

ENGINES = {"adjoint": adjoint, "closed_form": closed_form, "autodiff": autodiff}
N_TRIED = 8  # events that a model is tried with
CPU_BLOCK = (1 << 19, 1 << 12)  # numbers in the largest array of a block, and events: few enough for the cache
GPU_BLOCK = (1 << 25, 1 << 16)
BLOCKS_IN_CHUNK = 8
N_KEPT = 16  # analyses of one model, and responses


class Analysis:
    """What is to be computed, and how.

    Args:
        response: the output, and the inputs that it is differentiated in.
        features: the columns of the result.
        scale: (n_inputs,) what the analysed inputs are divided by before differentiation; None for 1.
        engine: one of ENGINES, or "auto".

    Attributes:
        engine: name of the engine that is used; final after `try_out`.
    """

    def __init__(self, response: Response, features: FeatureSet, scale: tuple | None, engine: str):
        self.response, self.features, self.scale = response, features, scale
        factors = features.factors if scale is None else features.factors * features.powers_of(np.array(scale))
        self._factors = tf.constant(np.tile(factors, response.n_outputs), response.dtype)
        self._automatic = engine == "auto"
        self.engine = ("adjoint" if features.order <= 2 else "closed_form") if self._automatic else engine
        self._derivatives: Any = None  # a function of tensors, once it is tried out
        self._made: dict[tuple, Any] = {}
        self._lock = RLock()

    @tf.autograph.experimental.do_not_convert
    def coefficients(self, tensors: Sequence[tf.Tensor]) -> tf.Tensor:
        """Taylor coefficients (n_events, n_columns) from one tensor for each of the model's inputs; a graph."""
        return self._derivatives(tensors) * self._factors

    @cached_property
    def compiled(self) -> Callable:
        """`coefficients`, compiled, in blocks where there are more events than one block."""

        def coefficients(tensors):
            n_events = max(tensor.shape[0] for tensor in tensors)
            n_blocks = n_events // self.block_size
            if n_blocks <= 1:
                return self.coefficients(tensors)
            common = [tensor.shape[0] == 1 for tensor in tensors]  # an input that is the same for all events
            blocks = [in_blocks(tensor, n_blocks) for tensor, one in zip(tensors, common, strict=True) if not one]

            def of_block(block):
                block = iter(block)
                return self.coefficients([t if one else next(block) for t, one in zip(tensors, common, strict=True)])

            values = tf.map_fn(of_block, blocks, fn_output_signature=self.response.dtype, parallel_iterations=1)
            return tf.reshape(values, (n_events, self.n_columns))

        return compiled(coefficients, jit_compile=self.jit_compile)

    @cached_property
    def respond(self) -> Callable:
        """The response itself (n_events,), compiled."""
        return tf.function(self.response, autograph=False)

    @property
    def n_columns(self) -> int:
        """The number of coefficients of an event: the features of one output after those of another."""
        return self.response.n_outputs * len(self.features)

    @property
    def jit_compile(self) -> bool:
        """Whether XLA pays: it fuses what is elementwise, but takes minutes for third derivatives by nested tapes."""
        return self.engine != "autodiff" or self.features.order <= 2

    @property
    def block_size(self) -> int:
        """Events to compute together, a power of two: few enough for what is made of them to stay in the cache."""
        n_inputs, order = len(self.features.names), self.features.order
        widest = self.response.n_outputs * n_inputs**order if self.engine == "autodiff" else self.n_columns
        n_values, most = GPU_BLOCK if on_gpu() else CPU_BLOCK
        return min(max(1 << max(round(log2(n_values / widest)), 0), SMALLEST), most)

    @property
    def chunk_size(self) -> int:
        """Events to hand over in one call: many enough for the time of the call not to count."""
        return BLOCKS_IN_CHUNK * self.block_size

    @property
    def is_settled(self) -> bool:
        """Whether the engine is known."""
        return self._derivatives is not None

    def try_out(self, parts: Sequence) -> None:
        """Settles the engine on the first few events, once.

        Warns:
            UserWarning: the model has a layer that the fast engines have no rule for, or a wrong one.

        Raises:
            ValueError: an engine that was asked for by name has no rule for the model; or a model whose response is
                random, or depends on the other events of a batch.
        """
        if self.is_settled:
            return
        tensors = [
            tf.cast(tf.convert_to_tensor(part[:N_TRIED]), dtype)
            for part, dtype in zip(parts, self.response.dtypes, strict=True)
        ]
        if self.engine != "autodiff":
            reason = self._settle(ENGINES[self.engine], Probe(self.response, self.features, tensors))
            if reason is None:
                return
            if isinstance(reason, NoRule) and not self._automatic:
                raise ValueError(
                    f"engine={self.engine!r} cannot analyse this model: {reason}. Use engine='autodiff', or 'auto'."
                )
            if self.engine == "adjoint" or not isinstance(reason, NoRule):
                warn(
                    f"The {self.engine} engine cannot analyse this model: {reason}. Nested tapes take its place: as "
                    f"exact, but slower. {getattr(reason, 'way_out', '')}".rstrip()
                )
            self.engine = "autodiff"
        _require_independent_events(self.response, tensors)
        probe = Probe(self.response, self.features, tensors)
        if self._settle(autodiff, probe) is None:
            return
        if (reason := self._settle(partial(autodiff, vectorised=False), probe)) is not None:
            raise ValueError(f"Expected a model whose derivatives agree with each other. Received: {reason}.")

    def _settle(self, engine: Callable, probe: Probe) -> NoRule | str | None:
        """Takes an engine, unless there is a reason against it, which is returned."""
        try:
            derivatives = engine(self.response, self.features)
            reason = probe.mismatch(engine(self.response, probe.features)(probe.tensors))
        except NoRule as no_rule:
            return no_rule
        if reason is None:
            self._derivatives = derivatives
        return reason


@tf.autograph.experimental.do_not_convert  # nothing here depends on tensors' values, and converting takes seconds
def analysis_of(
    model: keras.Model,
    x: Events,
    *,
    order: int = 2,
    output: int | str | Sequence[int | str] | Outputs = 0,
    target: str = "output",
    inputs: str | Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    features: Iterable[int | str | Sequence[int | str]] | None = None,
    scale: str | ArrayLike | None = None,
    engine: str = "auto",
) -> tuple[Analysis, tuple]:
    """The analysis that the public functions' arguments describe, and `x` as one array for each input of the model.

    Arguments as `taylor_coefficients`. The last few analyses of a model are kept, with what was compiled for them, as
    long as the model is there and its state is the same.
    """
    if engine not in (*ENGINES, "auto"):
        raise ValueError(f"Expected engine to be 'auto' or one of {tuple(ENGINES)}. Received: engine={engine!r}")
    kept, signature = _kept_of(model), signature_of(model, x)
    response = kept.response(state_of(model), _hashable(inputs), _hashable(output), target, signature)
    parts = response.arrange(x)
    columns = response.column_names(x)
    names = columns if names is None else tuple(names)
    if len(names) != len(columns) or len(set(names)) != len(names):
        raise ValueError(f"Expected {len(columns)} different names, one an analysed input. Received: names={names}")
    if features is not None:
        chosen = FeatureSet.chosen(names, features)
    else:
        _check_order(len(names), order)
        chosen = FeatureSet.complete(names, int(order))
    if scale is not None:
        scale = tuple(_deviations(response) if isinstance(scale, str) else np.asarray(scale, float).tolist())
        if len(scale) != len(names) or not all(np.isfinite(scale)) or not all(np.array(scale) > 0):
            raise ValueError(f"Expected scale with {len(names)} positive numbers, one an input. Received: {scale}")
    return kept.analysis(response, chosen, scale, engine, tuple(RULES.items())), parts


class _Kept:
    """The last responses and analyses of one model, which none of them keeps alive."""

    def __init__(self, model: keras.Model):
        reference = ref(model)

        def response(state: State, inputs, output, target, signature: Signature) -> Response:
            return Response(reference(), inputs=inputs, output=output, target=target, signature=signature).let_go()

        def analysis(response, features, scale, engine, rules) -> Analysis:
            return Analysis(response, features, scale, engine)

        self.response = lru_cache(maxsize=N_KEPT)(response)
        self.analysis = lru_cache(maxsize=N_KEPT)(analysis)


_KEPT: WeakKeyDictionary = WeakKeyDictionary()


def _kept_of(model: keras.Model) -> _Kept:
    try:
        return _KEPT.get(model) or _KEPT.setdefault(model, _Kept(model))
    except TypeError:  # a number or a list has no weak references: Response says what was expected
        Response(model)
        raise


def kept_with_analysis(make: Callable) -> Callable:
    """Decorator of a function of an analysis: each result is made once, and goes when the analysis does."""

    @wraps(make)
    def kept(analysis: Analysis, *arguments: Any) -> Any:
        key = make, *arguments
        with analysis._lock:  # for threads to share what they compile
            if key not in analysis._made:
                analysis._made[key] = make(analysis, *arguments)
            return analysis._made[key]

    return kept


def require_memory(n_bytes: float, what: str, way_out: str) -> None:
    """Raises MemoryError if something would take more than half of the machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if n_bytes > memory / 2:
        raise MemoryError(
            f"{what} would take {n_bytes / 1e9:.3g} GB, more than half of the {memory / 1e9:.3g} GB of this machine. "
            f"{way_out}"
        )


def _check_order(n_inputs: int, order: int) -> None:
    if not isinstance(order, (int, np.integer)) or order < 1:
        raise ValueError(f"Expected order to be a whole number of at least 1. Received: order={order!r}")
    n = n_features(n_inputs, order)
    # A Python tuple of indices takes about 100 bytes, a chunk of the fewest events and its derivatives a few hundred.
    require_memory(500.0 * n, f"{n:.3g} features of order {order}", "Name the features you want with features=[...].")


def _deviations(response: Response) -> list[float]:
    """The standard deviations in the Normalization layer that follows each analysed input."""
    deviations = []
    for i in response.analysed:
        layers = [
            layer
            for layer in getattr(response.model, "layers", ())
            if isinstance(layer, keras.layers.Normalization)
            and keras_graph.is_called_on(layer, response.model.inputs[i])
        ]
        if len(layers) != 1:
            raise ValueError(
                f"scale='normalization' needs one Normalization layer right after the input "
                f"{response.input_names[i]!r}. Received: {len(layers)}. Give the standard deviations as an array."
            )
        variance = keras.ops.convert_to_numpy(layers[0].variance).astype(float)
        deviations += np.sqrt(np.broadcast_to(variance, (1, *(response.signature.shapes[i] or ())))).ravel().tolist()
    return deviations


def _require_independent_events(response: Response, tensors: Sequence[tf.Tensor]) -> None:
    """Three calls of the model at inference show what is random, and what mixes events."""
    together, again = response(tensors), response(tensors)
    first = [tensor[:1] for tensor in tensors]
    alone = response(first)
    # Batches of different sizes are summed in different orders, hence the tolerance.
    same = ~(tf.abs(together[:1] - alone) > 1e-3 * tf.abs(alone) + 1e-6)  # a NaN is none of this check's business
    if not tf.reduce_all((together == again) | tf.math.is_nan(together)):
        raise ValueError(
            "Expected a model with the same response each time. Received: two different ones for the same events, so "
            "that a layer draws random numbers at inference. Build the model without it."
        )
    if not tf.reduce_all(same):
        raise ValueError(
            "Expected a response to each event on its own. Received: one that changes with the other events of the "
            "batch, as of batch normalisation in training mode. Build the model for inference."
        )


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
