"""What the introductions and the departures of AFFINE's experiments have in common: format strings, see Experiment."""

PAPER = "Anzalone, Diotallevi and Bonacorsi, arXiv:2202.00424"
CIRCUMSTANCES = (
    "{data[name]} events: {data[n_train]:,} for training and validation, {data[n_test]:,} for the test, "
    "{length}, {seeds}"
)
SIMULATED = (
    "HEPMASS-like events are simulated for this project after the description of HEPMASS, with a spin-2 resonance as "
    "the signal, and far fewer than its 7 million. Differences of a point or two can come from the physics alone."
)
OF_START = (
    "Affine layers start as the identity, in the paper at random as Dense layers do: see affine-start, affine-variants."
)
DEPARTURES = (
    SIMULATED,
    "Where the paper's text is silent, its authors' code decides: a quarter of the events validate, the epoch with the "
    "best validation AUC is kept, and the background that validates has identical masses in every row, uniform ones "
    "included.",
    "The L2 penalties are on the hidden layers, as in the authors' code; the paper's text has them on all parameters. "
    "They are {kernel_l2:g} on kernels and {bias_l2:g} on biases, the first of the two settings in the paper; "
    "affine-variants has both.",
)
INDIVIDUAL = (
    "Individual networks are trained on the signal of their mass with, on HEPMASS, the background that carries it, a "
    "fifth each, and on HEPMASS-IMB the whole background. A fifth of the events are a fifth of the steps."
)
BALANCED = (
    "A balanced batch holds exactly {batch_size} events, drawn without replacement until a stratum has been seen once; "
    "the authors' code draws with replacement. An epoch has as many steps as without balance."
)
IMBALANCED = (
    "HEPMASS-IMB is drawn anew, in proportion to the sample: affine-data counts its events. What a network does at "
    "high masses depends on the few that remain there."
)
