"""What may differ from channel to channel: one thing for all channels, or a dict of one for each."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras

from neos_tf.templates import TemplateModel


def by_channel(argument: str, value: Any, model: TemplateModel, names: Iterable[str]) -> dict[str, Any]:
    """`value` of each channel that has one of the templates `names`.

    Raises:
        ValueError: `value` is a dict of other channels, or has two things for one template that stands in two channels.
    """
    templates = [model.templates[name] for name in names]
    channels = list(dict.fromkeys(channel for template in templates for channel in template.channels))
    if not isinstance(value, Mapping):
        return dict.fromkeys(channels, value)
    if set(value) != set(channels):
        raise ValueError(
            f"Expected {argument} of the channels with templates of events, {', '.join(channels)}. Received: "
            f"{', '.join(value) or 'none'}."
        )
    for template in templates:
        first, *others = template.channels
        if any(value[channel] != value[first] for channel in others):
            raise ValueError(
                f"Expected the same {argument} in the channels {', '.join(template.channels)}, which share template "
                f"{template.name!r}. Received: others. Give the template of each channel a name of its own."
            )
    return {channel: value[channel] for channel in channels}


def serialized(value: Any) -> Any:
    """For `get_config`; what channels share is written once, and then by the name of the channel."""
    if not isinstance(value, Mapping):
        return keras.saving.serialize_keras_object(value)
    first: dict[int, str] = {}
    names = {channel: first.setdefault(id(part), channel) for channel, part in value.items()}
    return {
        channel: keras.saving.serialize_keras_object(part) if names[channel] == channel else names[channel]
        for channel, part in value.items()
    }


def deserialized(config: Any, custom_objects: Mapping | None) -> Any:
    """The inverse of `serialized`."""
    if not isinstance(config, Mapping) or "class_name" in config:
        return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
    parts: dict[str, Any] = {}
    for channel, part in config.items():
        shared = isinstance(part, str)
        parts[channel] = parts[part] if shared else keras.saving.deserialize_keras_object(part, custom_objects)
    return parts
