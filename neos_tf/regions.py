"""Events to templates, channel by channel: the network, the bins and the cuts of each."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from neos_tf import checks, keras_graph, replicas
from neos_tf.binning import KernelBins, SoftBins
from neos_tf.by_channel import by_channel
from neos_tf.fits import guarded_sqrt
from neos_tf.templates import TemplateModel
from neos_tf.typing import Features

Tensors = dict[str, tf.Tensor]


class Region(NamedTuple):
    """What makes the histograms of one channel."""

    network: keras.Model
    bins: KernelBins | SoftBins
    selection: keras.Layer | None


class Regions:
    """The regions of a measurement; arguments and errors are those of `SummaryStatistic`.

    Attributes:
        parts: `Region` by channel, of the channels that have templates of events.
        channels: the channel of each sample of events.
        uncertainties: the sample of each absolute uncertainty that is made of its histogram.
    """

    def __init__(
        self,
        model: TemplateModel,
        yields: Mapping[str, float | None],
        *,
        network: Any,
        edges: Any,
        bandwidth: Any,
        selection: Any,
        **options: Any,
    ):
        self.yields = yields
        self.uncertainties: dict[str, str] = {
            template.name: template.uncertainty_of
            for template in model.templates.values()
            if template.uncertainty_of is not None
            and template.uncertainty_of in yields
            and template.required
            and template.name not in yields
        }
        checks.check_yields(model, yields, self.uncertainties)
        self.channels = {name: model.templates[name].channels[0] for name in yields}
        given = {"network": network, "edges": edges, "bandwidth": bandwidth, "selection": selection}
        given = {name: by_channel(name, value, model, yields) for name, value in given.items()}
        soft = [channel for channel, value in given["edges"].items() if isinstance(value, SoftBins)]
        if not isinstance(bandwidth, Mapping) and len(soft) < len(given["edges"]):
            given["bandwidth"] |= dict.fromkeys(soft)  # one for all is for those with kernels
        self.parts: dict[str, Region] = {}
        for channel, value in given["edges"].items():
            part, width = given["network"][channel], given["bandwidth"][channel]
            if channel in soft and width is not None:
                raise ValueError(f"Expected no bandwidth with SoftBins. Received: bandwidth={width}.")
            bins = value if channel in soft else KernelBins(value, width, **options)
            checks.check_network(part, bins)
            checks.check_quantiles(
                channel, bins, [name for name in yields if channel in model.templates[name].channels]
            )
            selection = given["selection"][channel]
            if selection is not None and not selection.built:
                inputs = checks.inputs_of(part)
                several = {name: given.shape for name, given in inputs.items()} if len(inputs) > 1 else None
                selection.build(several or part.input_shape)
            self.parts[channel] = Region(part, bins, selection)
        for name, channel in self.channels.items():
            checks.check_bins(model, name, self.parts[channel].bins)
        self._counting: dict[str, tuple[list, Callable]] = {}

    def bins(self, name: str) -> KernelBins | SoftBins:
        """Of a sample."""
        return self.parts[self.channels[name]].bins

    @property
    def dtypes(self) -> dict[str, dict[str, str] | str]:
        """Types of the features of each sample, by input where they are known."""
        of = {channel: checks.types_of_inputs(part.network) for channel, part in self.parts.items()}
        return {name: of[channel] for name, channel in self.channels.items()}

    def scores(self, features: Mapping[str, Features], training: bool) -> Tensors:
        """(n_events, n_outputs) by sample, from one call of each network."""
        scores: Tensors = {}
        for network in {id(part.network): part.network for part in self.parts.values()}.values():
            names = [name for name, channel in self.channels.items() if self.parts[channel].network is network]
            sizes = [checks.n_events(features[name]) for name in names]
            together = tf.nest.map_structure(lambda *of: tf.concat(of, axis=0), *(features[name] for name in names))
            outputs = network(together, training=training)
            scores |= dict(zip(names, tf.split(outputs, sizes), strict=True))
        return scores

    def selected(self, features: Mapping[str, Features], weights: Tensors, hard: bool = False) -> Tensors:
        """(n_events,) weights after the cuts."""
        selected = dict(weights)
        for name, channel in self.channels.items():
            if (selection := self.parts[channel].selection) is not None:
                selected[name] *= tf.cast(selection(features[name], hard=hard), tf.float64)
        return selected

    def counting(self, name: str) -> Callable:
        """A graph of features and weights (n_events,) of a sample: sums of weights and of their squares, (n_bins,).

        It is kept until what it is a trace of changes; weights are read in each call.
        """
        part = self.parts[self.channels[name]]
        before, graph = self._counting.get(name, ([], None))
        now = list(_traced_parts(part))
        if graph is None or len(now) != len(before) or not all(a is b for a, b in zip(now, before, strict=True)):
            graph = _counts_of(part)
            self._counting[name] = now, graph
        return graph

    def scale(self, name: str) -> float:
        """Expected events that stand for a share, or a batch, of a sample."""
        expected = self.yields[name]
        return 1.0 if expected is None else expected

    def norm(self, name: str, weights: tf.Tensor) -> tf.Tensor:
        """() what sums of weights (n_events,) are divided by: their sum, or 1 a batch if they are expected events.

        Of one replica its part: the sum over replicas is what it should be.
        """
        if self.yields[name] is not None:
            return tf.reduce_sum(weights)
        return tf.constant(1 / replicas.n_replicas(), tf.float64)

    def in_batch(self, scores: Tensors, selected: Tensors) -> dict[str, KernelBins | SoftBins]:
        """Bins of each sample, as the events of a batch make them."""
        bins = {channel: part.bins.in_batch(scores, selected) for channel, part in self.parts.items()}
        return {name: bins[channel] for name, channel in self.channels.items()}

    def templates(self, scores: Tensors, selected: Tensors, weights: Tensors) -> Tensors:
        """(n_bins,) with a gradient, of the soft histograms of the events of all replicas."""
        bins = self.in_batch(scores, selected)
        norms = {name: self.norm(name, weights[name]) for name in self.yields}
        sums = {name: bins[name].soft(scores[name], selected[name]) for name in self.yields}
        for name, sample in self.uncertainties.items():
            sums[name] = bins[sample].soft(scores[sample], selected[sample] ** 2)
        norms, sums = replicas.summed((norms, sums))
        scale = {name: self.scale(name) / norms[name] for name in self.yields}
        templates = {name: scale[name] * sums[name] for name in self.yields}
        for name, sample in self.uncertainties.items():
            templates[name] = scale[sample] * guarded_sqrt(sums[name])
        return templates


def _counts_of(part: Region) -> Callable:
    part.bins.edges  # noqa: B018  # refuses those of a batch

    def counts(features, weights):
        if part.selection is not None:
            weights *= tf.cast(part.selection(features, hard=True), tf.float64)
        outputs = part.network(features, training=False)
        return part.bins.hard(outputs, weights), part.bins.hard(outputs, weights**2)

    return tf.function(counts, autograph=False, reduce_retracing=True)


def _traced_parts(part: Region) -> Iterator[Any]:
    """What a trace depends on; what `adapt` and `load_weights` replace in a layer is a constant of it."""
    for parent in (part.network, part.selection):
        if parent is None:
            continue
        for layer in keras_graph.layers(parent):
            yield layer
            yield getattr(layer, "activation", None)
            yield from (vars(layer).get(name) for name in ("mean", "variance", "bin_boundaries"))
        yield from parent.variables
