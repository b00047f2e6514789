"""Fingerprints of a network, to tell later whether a record is of it: of its architecture, and of its weights."""

import json
from hashlib import blake2b
from typing import Any

import keras
import numpy as np

from taylor import keras_graph

LEFT_OUT = ("name", "seed", "trainable")  # keys that differ between two constructions of one network


def architecture_digest(model: keras.Model) -> str:
    """Of the layers, their arguments and the shapes of their weights; names do not count."""
    description = [
        (type(layer).__name__, [list(weight.shape) for weight in layer.weights], _arguments(layer))
        for layer in keras_graph.layers(model)
    ]
    return _digest([json.dumps(description, sort_keys=True, default=lambda value: type(value).__name__).encode()])


def weights_digest(model: keras.Model) -> tuple[str, bool]:
    """Of the values of all weights, and whether they are all finite."""
    values = [weight.numpy() for weight in model.weights]
    finite = all(np.isfinite(value).all() for value in values if value.dtype.kind == "f")
    return _digest([value.tobytes() for value in values]), finite


def _arguments(layer: keras.Layer) -> Any:
    if isinstance(layer, keras.Model):  # what it is made of has its own arguments
        return None
    try:
        return _without_names(layer.get_config())
    except Exception:  # a layer of the user's need not have a configuration
        return None


def _without_names(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _without_names(item)
            for key, item in value.items()
            if key not in LEFT_OUT and not str(key).endswith("_initializer")
        }
    return [_without_names(item) for item in value] if isinstance(value, (list, tuple)) else value


def _digest(contents: list[bytes]) -> str:
    digest = blake2b(digest_size=16)
    for content in contents:
        digest.update(content)
    return digest.hexdigest()
