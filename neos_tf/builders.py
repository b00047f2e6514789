"""Short models with pyhf's own names, `pyhf.simplemodels` with templates in place of numbers."""

from neos_tf.templates import TemplateModel


def correlated_background(n_bins: int, *, floor: float | None = None) -> TemplateModel:
    """One channel of signal and background, whose shape depends on one nuisance parameter.

    The parameter of interest mu scales the signal. `correlated_bkg_uncertainty`, with constraint N(0 | alpha, 1),
    interpolates the background between its variations (code 4p): the gamma of Simpson and Heinrich 2022, section 3.

    Args:
        n_bins: of the channel.
        floor: as for `TemplateModel.from_spec`.

    Returns:
        A model of the templates signal, background, background_up and background_down, of `alpha` = 1 and -1.

    >>> correlated_background(4).template_names
    ('signal', 'background', 'background_up', 'background_down')
    """
    variations = {"hi_data": "background_up", "lo_data": "background_down"}
    modifier = {"name": "correlated_bkg_uncertainty", "type": "histosys", "data": variations}
    return _signal_and_background("single_channel", modifier, n_bins, floor)


def uncorrelated_background(n_bins: int, *, floor: float | None = None) -> TemplateModel:
    """One channel of signal and background, with one nuisance parameter a bin.

    The parameter of interest mu scales the signal, `uncorr_bkguncrt` the background in each bin, with a Poisson
    constraint (shapesys).

    Args:
        n_bins: of the channel.
        floor: as for `TemplateModel.from_spec`.

    Returns:
        A model of the templates signal, background and background_uncertainty, the latter absolute.

    >>> uncorrelated_background(2).parameter_names
    ('mu', 'uncorr_bkguncrt[0]', 'uncorr_bkguncrt[1]')
    """
    modifier = {"name": "uncorr_bkguncrt", "type": "shapesys", "data": "background_uncertainty"}
    return _signal_and_background("singlechannel", modifier, n_bins, floor)


def _signal_and_background(channel: str, modifier: dict, n_bins: int, floor: float | None) -> TemplateModel:
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": "signal", "modifiers": [mu]},
        {"name": "background", "data": "background", "modifiers": [modifier]},
    ]
    return TemplateModel.from_spec({"channels": [{"name": channel, "samples": samples}]}, n_bins=n_bins, floor=floor)
