"""Statistical models as analyses publish them, and more drawn at random, as pyhf's specifications.

A specification has `channels` and perhaps `parameters`; a workspace has `observations` and a measurement as well.
"""

import numpy as np
import pyhf

from tests.neos_tf.accurate_pyhf import accurate_fits


def sample(name, data, *modifiers):
    return {"name": name, "data": data, "modifiers": list(modifiers)}


def modifier(kind, name, data=None):
    return {"name": name, "type": kind, "data": data}


def normsys(name, low, high):
    return modifier("normsys", name, {"lo": low, "hi": high})


def histosys(name, low, high):
    return modifier("histosys", name, {"lo_data": low, "hi_data": high})


def shapesys(name, data):
    return modifier("shapesys", name, data)


def staterror(channel, data):
    return modifier("staterror", f"staterror_{channel}", data)


def parameter(name, **settings):
    return {"name": name, **settings}


def luminosity(sigma, **settings):
    return parameter("lumi", auxdata=[1.0], sigmas=[sigma], inits=[1.0], bounds=[[0.5, 1.5]], **settings)


def specification(*parameters, **channels):
    """A model without observations, of channels given as lists of samples."""
    return {
        "channels": [{"name": name, "samples": samples} for name, samples in channels.items()],
        "parameters": list(parameters),
    }


def workspace(observations, *parameters, poi="mu", **channels):
    """A model with `observations`, one list a channel, in the order in which the channels are given."""
    named = zip(channels, observations, strict=True)
    return {
        "channels": specification(**channels)["channels"],
        "observations": [{"name": name, "data": data} for name, data in named],
        "measurements": [{"name": "measurement", "config": {"poi": poi, "parameters": list(parameters)}}],
        "version": "1.0.0",
    }


MU = modifier("normfactor", "mu")
LUMI = modifier("lumi", "lumi")
SHAPE = modifier("shapefactor", "shape")
TRANSFER = modifier("normfactor", "transfer")
TTBAR = modifier("normfactor", "mu_ttbar")


def search_in_three_channels():
    """One signal and two background channels, four samples, twelve systematic uncertainties, 24 parameters in all."""
    yields = {
        "signal_region": {
            "signal": [3.0, 6.5, 9.0],
            "ttbar": [48, 21, 7.5],
            "wjets": [30, 14, 6.0],
            "fakes": [9, 4, 2],
        },
        "top_region": {"signal": [0.8, 0.5], "ttbar": [310, 150], "wjets": [42, 18], "fakes": [15, 6]},
        "w_region": {"signal": [0.6, 0.4], "ttbar": [35, 12], "wjets": [420, 180], "fakes": [30, 11]},
    }
    tilts = {"jet_scale": 0.06, "jet_resolution": 0.03, "b_tagging": -0.04, "missing_energy": 0.02}
    norms = {
        "signal": [normsys("pdf_signal", 0.96, 1.05), normsys("scale_signal", 0.91, 1.07), MU],
        "ttbar": [normsys("radiation", 0.93, 1.1), normsys("hadronisation", 1.05, 0.96), TTBAR],
        "wjets": [normsys("scale_wjets", 0.88, 1.15), modifier("normfactor", "mu_wjets")],
        "fakes": [normsys("fakes", 0.7, 1.3)],
    }

    def channel(name):
        samples = []
        for process, data in yields[name].items():
            data = np.array(data, dtype=float)
            ramp = np.linspace(-0.5, 1.0, len(data))
            shapes = [
                histosys(source, (data * (1 - 0.9 * tilt * ramp)).tolist(), (data * (1 + tilt * ramp)).tolist())
                for source, tilt in tilts.items()
            ]
            lumi = [LUMI] if process in ("signal", "fakes") else []
            errors = [] if process == "signal" else [staterror(name, (0.3 * np.sqrt(data)).tolist())]
            trigger = [normsys("trigger", 0.98, 1.02), normsys("leptons", 0.97, 1.025)]
            samples.append(sample(process, data.tolist(), *norms[process], *shapes, *lumi, *errors, *trigger))
        return samples

    observations = [[92, 42, 23], [385, 161], [462, 214]]
    return workspace(observations, luminosity(0.02), **{name: channel(name) for name in yields})


# Numbers of pyhf's documentation, examples and validation where the comment says so; all specifications are ours.
WORKSPACES = {
    # docstring of pyhf.simplemodels.uncorrelated_background, observations of pyhf.infer.mle.fit; best at mu = 0
    "uncorrelated_background": workspace(
        [[51, 48]],
        singlechannel=[
            sample("signal", [12.0, 11.0], MU),
            sample("background", [50.0, 52.0], shapesys("uncorr_bkguncrt", [3.0, 7.0])),
        ],
    ),
    # docstring of pyhf.simplemodels.correlated_background, which has no observations
    "correlated_background": specification(
        single_channel=[
            sample("signal", [12.0, 11.0], MU),
            sample("background", [50.0, 52.0], histosys("correlated_bkg_uncertainty", [55.0, 47.0], [45.0, 57.0])),
        ],
    ),
    # docs/examples/json/2-bin_1-channel.json; observes what it expects, so that mu = 0 is best without being pushed
    "two_bins": workspace(
        [[50.0, 60.0]],
        singlechannel=[
            sample("signal", [5.0, 10.0], MU),
            sample("background", [50.0, 60.0], shapesys("uncorr_bkguncrt", [5.0, 12.0])),
        ],
    ),
    # validation/data/1bin_example1_q0.json: an excess
    "one_bin_excess": workspace(
        [[80.0]],
        singlechannel=[
            sample("signal", [25.0], MU),
            sample("background", [50.0], shapesys("uncorr_bkguncrt", [7.0])),
        ],
    ),
    # validation/data/1bin_lumi.json, with observations that do not contradict it
    "luminosity": workspace(
        [[112.0]],
        parameter("lumi", auxdata=[1.0], sigmas=[0.1], inits=[1.0], bounds=[[0.0, 10.0]]),
        channel1=[
            sample("signal", [20.0], MU),
            sample("background1", [100.0], LUMI),
            sample("background2", [0.0], LUMI),
        ],
    ),
    # validation/data/2bin_histosys_example2.json
    "one_histosys": workspace(
        [[120.0, 180.0]],
        singlechannel=[
            sample("signal", [30.0, 95.0], MU),
            sample("background", [100.0, 150.0], histosys("bkg_norm", [98.0, 100.0], [102.0, 190.0])),
        ],
    ),
    # validation/data/2bin_2channel_example1.json
    "two_channels": workspace(
        [[110.0, 155.0], [205.0, 345.0]],
        signal=[
            sample("signal", [10.0, 35.0], MU),
            sample("background", [100.0, 150.0], shapesys("uncorr_bkguncrt_signal", [10.0, 10.0])),
        ],
        control=[sample("background", [200.0, 350.0], shapesys("uncorr_bkguncrt_control", [5.0, 10.0]))],
    ),
    # validation/data/2bin_2channel_couplednorm.json
    "coupled_normsys": workspace(
        [[105.0, 220.0], [110.0, 105.0]],
        signal=[
            sample("signal", [10.0, 35.0], MU),
            sample("bkg1", [100.0, 100.0], normsys("coupled_normsys", 0.9, 1.1)),
            sample("bkg2", [50.0, 100.0], normsys("coupled_normsys", 0.5, 1.5)),
        ],
        control=[sample("background", [100.0, 100.0], normsys("coupled_normsys", 0.9, 1.1))],
    ),
    # validation/data/2bin_2channel_coupledhisto.json
    "coupled_histosys": workspace(
        [[170.0, 220.0], [110.0, 105.0]],
        signal=[
            sample("signal", [30.0, 35.0], MU),
            sample("bkg1", [100.0, 100.0], histosys("coupled_histosys", [90.0, 90.0], [110.0, 110.0])),
            sample("bkg2", [50.0, 120.0], histosys("coupled_histosys", [45.0, 45.0], [55.0, 55.0])),
        ],
        control=[sample("background", [105.0, 100.0], histosys("coupled_histosys", [95.0, 90.0], [110.0, 115.0]))],
    ),
    # validation/data/2bin_2channel_coupledshapefactor.json
    "coupled_shapefactor": workspace(
        [[220.0, 230.0], [200.0, 300.0]],
        signal=[sample("signal", [20.0, 20.0], MU), sample("bkg1", [100.0, 70.0], SHAPE)],
        control=[sample("background", [100.0, 100.0], SHAPE)],
    ),
    # validation/data/2bin_statex.json; fewer events than background, best at mu = 0
    "shared_staterror": workspace(
        [[100.0, 100.0]],
        channel=[
            sample("signal", [10.0, 10.0], MU),
            sample("bkg1", [50.0, 70.0], staterror("channel", [10.0, 10.0])),
            sample("bkg2", [30.0, 20.0], staterror("channel", [5.0, 5.0])),
            sample("bkg3", [20.0, 15.0]),
        ],
    ),
    # tests/test_patchset/example_bkgonly.json: the example of the HistFactory manual, with parameters held constant
    "histfactory_manual": workspace(
        [[122.0, 112.0]],
        luminosity(0.1, fixed=True),
        parameter("SigXsecOverSM", inits=[1.0], bounds=[[0.0, 3.0]]),
        parameter("syst1", fixed=True),
        poi="SigXsecOverSM",
        channel1=[
            sample("signal", [20.0, 10.0], normsys("syst1", 0.95, 1.05), modifier("normfactor", "SigXsecOverSM")),
            sample("background1", [100.0, 0.0], LUMI, staterror("channel1", [5.0, 0.0]), normsys("syst2", 0.95, 1.05)),
            sample("background2", [0.0, 100.0], LUMI, staterror("channel1", [0.0, 10.0]), normsys("syst3", 0.95, 1.05)),
        ],
    ),
    "all_modifiers_of_the_manual": workspace(
        [[121, 72, 33], [530]],
        luminosity(0.03),
        parameter("mu", inits=[1.0], bounds=[[0.0, 5.0]]),
        signal_region=[
            sample("signal", [5.0, 9.0, 14.0], MU, LUMI, normsys("acceptance", 0.93, 1.06)),
            sample(
                "background",
                [110.0, 61.0, 24.0],
                LUMI,
                histosys("jet_scale", [104.0, 62.5, 26.0], [117.0, 60.0, 22.5]),
                staterror("signal_region", [4.0, 3.0, 2.0]),
            ),
        ],
        control_region=[sample("background", [520.0], LUMI, histosys("jet_scale", [505.0], [540.0]))],
    ),
    # background of A from those of B, C and D: a shape from the failing regions, a transfer factor from low mass
    "abcd": workspace(
        [[36, 17], [95, 82], [210, 88], [610, 490]],
        parameter("shape_low", inits=[1.0, 1.0], bounds=[[0.0, 10.0], [0.0, 10.0]]),
        a=[sample("signal", [8.0, 7.0], MU), sample("multijet", [25.0, 10.0], SHAPE, TRANSFER)],
        b=[sample("multijet", [100.0, 80.0], modifier("shapefactor", "shape_low"), TRANSFER)],
        c=[sample("signal", [1.0, 0.5], MU), sample("multijet", [200.0, 90.0], SHAPE)],
        d=[sample("multijet", [600.0, 500.0], modifier("shapefactor", "shape_low"))],
    ),
    "several_signals": workspace(
        [[58, 33, 15]],
        channel=[
            sample("gluon_fusion", [6.0, 5.0, 2.0], MU, normsys("scale", 0.92, 1.08), normsys("pdf", 0.97, 1.03)),
            sample("vector_fusion", [0.8, 1.9, 3.1], MU, normsys("scale", 0.995, 1.004), normsys("shower", 0.9, 1.12)),
            sample("background", [52.0, 27.0, 11.0], shapesys("statistics", [4.0, 3.0, 2.0])),
        ],
    ),
    "control_region": workspace(
        [[27, 16], [240, 155, 71]],
        parameter("mu_ttbar", inits=[1.0], bounds=[[0.2, 3.0]]),
        signal_region=[
            sample("signal", [4.0, 8.0], MU),
            sample("ttbar", [18.0, 8.0], TTBAR, normsys("radiation", 0.9, 1.1), staterror("signal_region", [1.5, 1.0])),
            sample("other", [5.0, 3.0], normsys("other", 0.8, 1.25), staterror("signal_region", [0.8, 0.7])),
        ],
        control_region=[
            sample("ttbar", [200.0, 120.0, 60.0], TTBAR, normsys("radiation", 1.03, 0.98)),
            sample("other", [20.0, 15.0, 8.0], normsys("other", 0.8, 1.25)),
        ],
    ),
    "three_channels": search_in_three_channels(),
    # discovery with a handful of events, one bin empty
    "low_counts": workspace(
        [[2, 0, 5]],
        channel=[
            sample("signal", [0.6, 1.4, 3.2], MU, normsys("efficiency", 0.9, 1.1)),
            sample("background", [2.1, 0.9, 0.4], shapesys("statistics", [0.5, 0.3, 0.1])),
        ],
    ),
    # one source raises both or lowers both yields, one is all but one-sided
    "asymmetric_normsys": workspace(
        [[152, 64]],
        channel=[
            sample("signal", [11.0, 17.0], MU, normsys("one_sided", 0.999, 1.12)),
            sample("first", [95.0, 30.0], normsys("skewed", 0.7, 1.15), normsys("same_side", 1.04, 1.09)),
            sample("second", [40.0, 20.0], normsys("skewed", 1.1, 0.95)),
        ],
    ),
    # no background in the last bin, no uncertainty in the second: pyhf fixes both parameters
    "empty_shapesys": workspace(
        [[50, 40, 5]],
        channel=[
            sample("signal", [2.0, 6.0, 5.0], MU),
            sample("data_driven", [40.0, 30.0, 0.0], shapesys("statistics", [5.0, 0.0, 0.0])),
            sample("simulated", [9.0, 6.0, 3.0], normsys("simulated", 0.9, 1.1)),
        ],
    ),
    # one parameter moves a yield and a shape
    "shared_across_types": workspace(
        [[102, 131]],
        channel=[
            sample("signal", [20.0, 10.0], MU, normsys("jet_scale", 0.95, 1.05)),
            sample("background", [90.0, 110.0], histosys("jet_scale", [80.0, 112.0], [98.0, 107.0])),
        ],
    ),
    "own_settings": workspace(
        [[88, 59, 30]],
        parameter("mu", inits=[2.0], bounds=[[0.0, 6.0]]),
        luminosity(0.017),
        parameter("k_factor", inits=[1.15], bounds=[[0.5, 2.0]], fixed=True),
        parameter("tilt", inits=[0.5], bounds=[[-3.0, 3.0]], auxdata=[0.2]),
        parameter("statistics", inits=[1.1, 1.0, 0.9], bounds=[[0.2, 3.0], [0.3, 3.0], [0.4, 3.0]]),
        channel=[
            sample("signal", [3.0, 6.0, 7.0], MU, LUMI),
            sample(
                "first", [50.0, 30.0, 10.0], modifier("normfactor", "k_factor"), shapesys("statistics", [6.0, 4, 2])
            ),
            sample("second", [20.0, 15.0, 8.0], LUMI, histosys("tilt", [23.0, 15.0, 6.0], [18.0, 15.2, 9.5])),
        ],
    ),
}


def random_specification(seed):
    """A workspace drawn at random: a signal region, up to two control regions, 1 to 20 nuisance parameters.

    Channels have 1 to 5 bins; there are 2 to 4 samples, one of them signal. A background may have a free normalisation
    only where a control region, in which it dominates, fixes it. Observations fluctuate around a signal of mu = 1.

    Args:
        seed: int; the same gives the same workspace.
    """
    rng = np.random.default_rng(seed)
    n_nuisance = 0
    while not 1 <= n_nuisance <= 20:
        parameters, channels = _draw(rng)
        with accurate_fits():
            model = pyhf.Model(specification(*parameters, **channels), poi_name="mu")
            expected = model.expected_data(model.config.suggested_init(), include_auxdata=False)  # there mu is 1
        n_nuisance = model.config.npars - 1
    observations = [rng.poisson(expected[model.config.channel_slices[channel]]).tolist() for channel in channels]
    return workspace(observations, *parameters, **channels)


def _draw(rng):
    """Parameters and channels, with any number of nuisance parameters."""
    names = ["signal_region", "first_region", "second_region"][: rng.integers(1, 4)]
    backgrounds = ["first", "second", "third"][: rng.integers(1, 4)]
    sources = [f"source_{number}" for number in range(rng.integers(1, 5))]
    free = len(names) > 1 and rng.random() < 0.6  # then the first region fixes the first background
    lumi = rng.random() < 0.5

    def systematics(data):
        """Up to two of `sources`, each of a yield or of a shape."""
        for source in rng.permutation(sources)[: rng.integers(3)]:
            low, high = rng.uniform(0.85, 0.98), rng.uniform(1.02, 1.15)
            if rng.random() < 0.5:
                yield normsys(str(source), low, high)
            else:
                ramp = np.linspace(0.2, 1, len(data)) * rng.choice([-1, 1])
                shifts = data * (1 + (low - 1) * ramp), data * (1 + (high - 1) * ramp)
                yield histosys(str(source), *(shifted.tolist() for shifted in shifts))

    channels = {}
    for channel in names:
        n_bins = rng.integers(1, 6)
        statistics = rng.choice(["staterror", "shapesys", "none"])
        rise = np.linspace(0.5, 1.5, n_bins)
        strength = rng.uniform(8, 15) if channel == "signal_region" else rng.uniform(0, 1)
        data = strength * rise
        samples = [sample("signal", data.tolist(), MU, *systematics(data), *[LUMI] * lumi)]
        for background in backgrounds:
            level = rng.uniform(10, 40) * (10 if channel == f"{background}_region" else 1)
            data = level * rise[::-1] * rng.uniform(0.8, 1.2, n_bins)
            modifiers = [*systematics(data), *[LUMI] * lumi]
            uncertainty = (data * rng.uniform(0.03, 0.15, n_bins)).tolist()
            if statistics == "staterror":
                modifiers.append(staterror(channel, uncertainty))
            elif statistics == "shapesys" and background == "first":
                modifiers.append(shapesys(f"statistics_{channel}", uncertainty))
            if free and background == "first":
                modifiers.append(modifier("normfactor", "mu_first"))
            samples.append(sample(background, data.tolist(), *modifiers))
        channels[channel] = samples
    return [luminosity(0.02)] * lumi, channels
