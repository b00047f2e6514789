"""A trained summary statistic for use elsewhere: a SavedModel that is served without this package."""

import os

import keras
import tensorflow as tf

from neos_tf.training import SummaryStatistic


def export_savedmodel(statistic: SummaryStatistic, path: str | os.PathLike) -> None:
    """Writes a TensorFlow SavedModel of a network and its histogram, with weights, edges and cuts as they are.

    Its endpoints take any number of events, and their results have names:

        serve(features): {"score": (n_events, 1)}, the summary statistic; (n_events, n) logits with `SoftBins(n)`
        histogram(features, weights): {"counts": (n_bins,)} float64, the sum of the weights (n_events,) float64 of the
            events that pass the selection, without kernels, as in evaluation

    Args:
        statistic: trained or not; its network is a functional or a sequential model.
        path: directory to write; what is there is replaced.

    Raises:
        ValueError: a network of several inputs, or one that does not know its input.
    """
    inputs = getattr(statistic.network, "inputs", None) or []
    if len(inputs) != 1:
        raise ValueError(
            f"Expected a functional or sequential network with one input. Received: {len(inputs)} known inputs of "
            f"{type(statistic.network).__name__}."
        )
    features = tf.TensorSpec((None, *inputs[0].shape[1:]), inputs[0].dtype, name="features")
    weights = tf.TensorSpec((None,), tf.float64, name="weights")

    def serve(features):
        return {"score": statistic(features)}

    def histogram(features, weights):
        if statistic.selection is not None:
            weights *= tf.cast(statistic.selection(features, hard=True), tf.float64)
        return {"counts": statistic.bins.hard(statistic(features), weights)}

    archive = keras.export.ExportArchive()
    for part in (statistic.network, statistic.selection, statistic.learnable_edges):
        if part is not None:
            archive.track(part)
    archive.add_endpoint("serve", serve, input_signature=[features])
    archive.add_endpoint("histogram", histogram, input_signature=[features, weights])
    archive.write_out(os.fspath(path), verbose=False)
