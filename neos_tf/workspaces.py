"""Workspaces in and out: what pyhf's files hold beside the channels of a model.

A workspace has measurements, each with a parameter of interest and settings of parameters, and observations; a patchset
has changes to a workspace, such as the signals of many hypotheses. Interpolation codes have no place in either.
"""

import copy
from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import Any

import numpy as np

from neos_tf.backend import pyhf, words_of_pyhf

# pyhf takes the first where the settings leave the kind out, the last where there are no settings.
CODES = {"normsys": ("code1", "code4"), "histosys": ("code0", "code2", "code4p")}


def patched(workspace: dict, patchset: dict, patch: str | Sequence[float]) -> dict:
    """A workspace with one patch of a patchset; see `TemplateModel.from_spec`."""
    with words_of_pyhf():
        patches = pyhf.PatchSet(patchset)
        names = [one.name for one in patches]
        key = tuple(patch) if isinstance(patch, list | tuple) else patch
        if key not in (*names, *(one.values for one in patches)):
            shown = ", ".join([*names[:10], *(["..."] if len(names) > 10 else [])])
            raise ValueError(
                f"Expected the name or the values ({', '.join(patches.labels)}) of a patch, of {shown}. Received: "
                f"patch={patch!r}."
            )
        return dict(patches.apply(workspace, key))


def measurement_of(spec: dict, name: str | None) -> dict:
    """One of a workspace; one with the parameters of a specification."""
    if "measurements" not in spec:
        if name is not None:
            raise ValueError(f"Expected measurement=None for a specification without any. Received: {name!r}.")
        return {"name": "measurement", "config": {"poi": "", "parameters": spec.get("parameters", [])}}
    measurements: dict[str | None, dict] = {}
    for given in spec["measurements"]:
        measurement = {**given, "config": {"poi": "", **given.get("config", {})}}
        with words_of_pyhf():
            pyhf.schema.validate(measurement, "measurement.json")
        measurements.setdefault(None, measurement)
        measurements.setdefault(measurement["name"], measurement)
    if name not in measurements:
        known = ", ".join(filter(None, measurements)) or "none"
        raise ValueError(f"Expected a measurement out of {known}. Received: {name!r}.")
    return measurements[name]


def set_poi(config: Any, own: str, given: str | EllipsisType | None) -> None:
    """The parameter of interest that is given, else the measurement's own if the model has it."""
    name = given if given is not ... else own if own in config.parameters else None
    if name is None:
        return
    scalars = [parameter for parameter in config.parameters if config.param_set(parameter).n_parameters == 1]
    if name not in scalars:
        raise ValueError(
            f"Expected poi to be one of the model's scalar parameters, {', '.join(scalars)}. Received: poi={name!r}. "
            "Use poi=None for none."
        )
    config.set_poi(name)


def interpolation_codes(modifier_settings: Mapping | None) -> dict[str, str]:
    """By kind of modifier, how it is interpolated."""
    if modifier_settings is None:
        return {kind: codes[-1] for kind, codes in CODES.items()}
    chosen = {kind: {"interpcode": codes[0], **modifier_settings.get(kind, {})} for kind, codes in CODES.items()}
    if set(modifier_settings) - set(CODES) or any(
        set(settings) != {"interpcode"} or settings["interpcode"] not in CODES[kind]
        for kind, settings in chosen.items()
    ):
        known = ", ".join(f"{kind!r}: {{'interpcode': one of {', '.join(codes)}}}" for kind, codes in CODES.items())
        raise ValueError(f"Expected modifier_settings as {{{known}}}. Received: {modifier_settings}.")
    return {kind: settings["interpcode"] for kind, settings in chosen.items()}


def require_options(received: Mapping, expected: Mapping) -> None:
    """Refuses to leave out what a workspace has no place for, unless the user holds it in hand."""
    if received != expected:
        needed = ", ".join(f"{key}={value!r}" for key, value in expected.items()) or "no option"
        raise ValueError(
            f"Expected {needed}, of which a workspace knows nothing. Received: {dict(received) or 'none'}. Use "
            "options = model.pyhf_options, likelihood.workspace(**options), and in pyhf "
            "Workspace(workspace).model(**options)."
        )


def require_same_fixed(received: Any, expected: Any) -> None:
    """Refuses a model in which pyhf fixes other parameters, as it does where a yield or an uncertainty is 0.

    One that is fixed since it scales nothing may be free in ours: it stays where its constraint wants it.
    """
    fixed, ours = (np.array(model.config.suggested_fixed()) for model in (received, expected))
    point = 1.05 * np.array(received.config.suggested_init()) + 0.1
    moved = np.where(fixed & ~ours, 1.1 * point, point)
    if (ours & ~fixed).any() or np.any(received.expected_actualdata(point) != received.expected_actualdata(moved)):
        differ = ", ".join(np.array(expected.config.par_names)[fixed != ours])
        raise ValueError(
            f"Expected uncertainties that are 0 where those of the specification are. Received: others for {differ}. "
            "pyhf fixes these parameters where an uncertainty or a yield is 0, and fits them where not."
        )


def workspace_of(config: Any, channels: list[dict], observations: np.ndarray, measurement: dict) -> dict:
    """A workspace of channels with numbers; observations are in the order of pyhf's `config`."""
    if observations.shape != (config.nmaindata,):
        raise ValueError(f"Expected observations of shape ({config.nmaindata},). Received: {observations.shape}.")
    counts = np.split(observations, np.cumsum(list(config.channel_nbins.values()))[:-1])
    return {
        "channels": channels,
        "observations": [
            {"name": name, "data": data.tolist()} for name, data in zip(config.channels, counts, strict=True)
        ],
        "measurements": [
            {
                "name": measurement["name"],
                "config": {
                    "poi": config.poi_name or "",
                    "parameters": copy.deepcopy(measurement["config"]["parameters"]),
                },
            }
        ],
        "version": "1.0.0",
    }
