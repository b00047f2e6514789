"""A trained summary statistic for use elsewhere: a SavedModel that is served without this package."""

import os
from collections.abc import Mapping

import keras
import tensorflow as tf

from neos_tf.binning import KernelBins, SoftBins
from neos_tf.training import SummaryStatistic


def export_savedmodel(statistic: SummaryStatistic, path: str | os.PathLike) -> None:
    """Writes a TensorFlow SavedModel of a network and its histogram, with weights, edges and cuts as they are.

    Its endpoints take any number of events, and their results have names:

        serve(features): {"score": (n_events, 1)}, the summary statistic; (n_events, n) logits with `SoftBins(n)`
        histogram(features, weights): {"counts": (n_bins,)} float64, the sum of the weights (n_events,) float64 of the
            events that pass the selection, without kernels, as in evaluation

    Where networks, edges or selections are given by channel, there are two endpoints for each: serve_channel and
    histogram_channel.

    Args:
        statistic: trained or not; its networks are functional or sequential models.
        path: directory to write; what is there is replaced.

    Raises:
        ValueError: a network of several inputs, or one that does not know its input; `QuantileBins`.
    """
    by_channel = any(isinstance(part, Mapping) for part in (statistic.network, statistic.edges, statistic.selection))
    archive, tracked = keras.export.ExportArchive(), set()
    for channel, (network, bins, selection) in statistic.regions.parts.items():
        for part in (network, selection, getattr(bins, "learnable", None)):
            if part is not None and id(part) not in tracked:
                tracked.add(id(part))
                archive.track(part)
        _add_endpoints(archive, f"_{channel}" if by_channel else "", network, bins, selection)
        if not by_channel:
            break
    archive.write_out(os.fspath(path), verbose=False)


def _add_endpoints(
    archive: keras.export.ExportArchive,
    suffix: str,
    network: keras.Model,
    bins: KernelBins | SoftBins,
    selection: keras.Layer | None,
) -> None:
    inputs = getattr(network, "inputs", None) or []
    if len(inputs) != 1:
        raise ValueError(
            f"Expected a functional or sequential network with one input. Received: {len(inputs)} known inputs of "
            f"{type(network).__name__}. Export a network of several inputs alone, network.export(path)."
        )
    features = tf.TensorSpec((None, *inputs[0].shape[1:]), inputs[0].dtype, name="features")
    weights = tf.TensorSpec((None,), tf.float64, name="weights")

    def serve(features):
        return {"score": network(features)}

    def histogram(features, weights):
        if selection is not None:
            weights *= tf.cast(selection(features, hard=True), tf.float64)
        return {"counts": bins.hard(network(features), weights)}

    archive.add_endpoint(f"serve{suffix}", serve, input_signature=[features])
    archive.add_endpoint(f"histogram{suffix}", histogram, input_signature=[features, weights])
