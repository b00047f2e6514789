"""What Keras keeps private, which no other file of this package uses."""

import keras


def layers(layer: keras.Layer) -> list[keras.Layer]:
    """A layer and all layers in it, each once; also those inside its layers and inner models."""
    return layer._flatten_layers()
