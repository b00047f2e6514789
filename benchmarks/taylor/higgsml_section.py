"""What the HiggsML experiment of TAYLOR says: tables, findings and departures, from its record alone."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.comparison import Cell, Comparison, Finding, Section, cell
from benchmarks.published import FIRST_ANGLE, TAYLOR_HIGGSML, TAYLOR_HIGGSML_RANKS
from benchmarks.taylor import higgsml_figures as figures
from benchmarks.taylor.higgsml_ranking import (
    angles,
    by_treatment,
    containing,
    first_angle,
    highest_first_order,
    importance,
    ranks,
)
from pnn_tf import auc_error

N_TOP = 10  # features shown, and looked at by the paper
PHI = "\N{GREEK SMALL LETTER PHI}"


def section(record: dict) -> Section:
    """Everything for the report; of HiggsML with the paper's numbers, of other events without."""
    rows, data, config = record["rows"], record["data"], record["configuration"]
    peak = data["contours"]["x"][0]
    main = next(iter(by_treatment(rows)))
    seeds = sorted({row["seed"] for row in rows})
    captions = (
        f"<|t|> of each feature along the ranking, mean over the seeds: {main}. TAYLOR Fig. 3.",
        f"The events in the plane of {' and '.join(data['contours'][axis][0] for axis in 'xy')}: signal red, "
        "background blue, darker where there are more; lines at 10, 30, 50, 70 and 90 % of the highest density of the "
        "class, without event weights. TAYLOR Fig. 4.",
        f"How many of the features with a primitive {PHI}, and of those with {peak}, have come up to each rank; seeds "
        "thin, their mean ranking thick. TAYLOR Fig. 5.",
        "ROC curves with all inputs and with those of the upper 5 % of features; below, their ratio for each seed.",
    )
    drawn = (
        figures.plot(rows),
        figures.contours(data["contours"]),
        figures.occurrence(rows, peak),
        figures.roc(rows),
    )
    return Section(
        title="TAYLOR section 4, HiggsML" if is_higgsml(rows) else "TAYLOR section 4, not on HiggsML",
        introduction=_introduction(rows, data, seeds),
        findings=tuple(_findings(rows, peak)),
        tables=tuple(_tables(rows, peak)),
        figures=tuple(zip(captions, drawn, strict=True)),
        departures=tuple(_departures(rows, config)),
    )


def _tables(rows, peak) -> Iterator[tuple[str, Comparison]]:
    significance = " and significance" if rows[0]["ams"] else ""
    yield f"AUC{significance} with all inputs and with those kept.", _performance(rows)
    if is_higgsml(rows):
        yield "Ranks that the paper states, counted from 1 and from 0.", _stated(rows, peak)
    name, group = next(iter(by_treatment(rows).items()))
    yield (
        f"The first {N_TOP} of {len(group[0]['mean'])} features, by <|t|> averaged over the seeds: {name}. The error "
        "is that of one seed from its finite test sample, the interval of 68 % of its rank is that of the bootstrap.",
        _top(group),
    )


def is_higgsml(rows: Sequence[Mapping]) -> bool:
    """Whether the rows are of HiggsML events, to which the paper's numbers apply."""
    return "DER_mass_vis" in rows[0]["inputs"]


def _introduction(rows, data, seeds) -> str:
    n_inputs = len(rows[0]["inputs"])
    text = (
        f"Mean absolute Taylor coefficients of a network with {n_inputs} inputs on {data['name']} events: "
        f"{data['n_train']:,} for training and validation, {data['n_test']:,} for the test, "
        f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}. "
    )
    if is_higgsml(rows):
        return text + "The published numbers are those of Wunsch, Friese, Wolf and Quast, arXiv:1803.08782, on HiggsML."
    return text + (
        "These are not the HiggsML events of the paper, and its numbers do not apply: they show the method on a "
        "simulated resonance, with m_wwbb, its mass, in the part of DER_mass_vis."
    )


def _performance(rows) -> Comparison:
    """A row for each network of each treatment."""
    paper = TAYLOR_HIGGSML if is_higgsml(rows) else None
    columns = [("AUC (%)", "auc", 0.01, 2, None)]
    if rows[0]["auc_weighted"]:
        columns = [
            ("weighted AUC (%)", "auc_weighted", 0.01, 2, paper.auc),
            *columns,
            ("AMS, best cut", "ams", 1, 2, paper.ams),
            ("AMS, cut of training", "ams_unbiased", 1, 2, None),
        ]
    table = []
    for name, group in by_treatment(rows).items():
        for i, inputs in enumerate(("inputs", "kept")):
            n_inputs = cell([len(row[inputs]) for row in group], paper and (30, paper.n_inputs)[i])
            numbers = [
                cell([row[field][i] / unit for row in group], published if field != "ams" or i == 0 else None)
                for _, field, unit, _, published in columns
            ]
            epochs = Cell(float(np.mean([row["epochs"][i] for row in group])))
            table.append((f"{name}: {('all inputs', 'kept inputs')[i]}", (n_inputs, *numbers, epochs)))
    headings = ("inputs", *(heading for heading, *_ in columns), "epochs")
    return Comparison("network", headings, tuple(table), (1, *(column[3] for column in columns), 0))


def _stated(rows, peak) -> Comparison:
    """Ranks of each treatment beside the paper's, in both ways of counting."""
    groups = by_treatment(rows)
    of_seeds = {name: [ranks(importance([row]), peak) for row in group] for name, group in groups.items()}
    table = [
        (
            what,
            tuple(
                cell([of_seed[what] - 1 + start for of_seed in of_seeds[name]], rank)
                for name in groups
                for start in (1, 0)
            ),
        )
        for what, rank in TAYLOR_HIGGSML_RANKS.items()
    ]
    columns = tuple(f"{name}, from {start}" for name in groups for start in (1, 0))
    return Comparison("rank", columns, tuple(table), (1,) * len(columns))


def _top(group) -> Comparison:
    """The first features of one treatment."""
    table = []
    for line in importance(group).ranking()[:N_TOP]:
        i = importance(group).features.indices.index(line.inputs)
        of_seeds = [int(importance([row]).ranks[i]) for row in group]
        low, high = (Cell(float(np.mean([row[field][i] for row in group]))) for field in ("rank_low", "rank_high"))
        numbers = cell([row["mean"][i] for row in group]), Cell(line.error), cell(of_seeds), low, high
        table.append((f"{line.rank}  {line.feature}", numbers))
    return Comparison(
        "feature", ("<|t|>", "error", "rank of a seed", "rank, low", "rank, high"), tuple(table), (4, 4, 1, 1, 1)
    )


def _findings(rows, peak) -> Iterator[Finding]:
    groups = by_treatment(rows)
    main = next(iter(groups.values()))
    paper = _beside_the_paper if is_higgsml(rows) else lambda text: ""
    yield _first_features(main, peak, paper)
    yield _angles(groups, paper)
    yield _fewer_inputs(main, paper)
    yield _how_sure(main)


def _beside_the_paper(text) -> str:
    return f" (paper: {text})"


def _first_features(group, peak, paper) -> Finding:
    ranking = importance(group)
    n_peak = [int(containing(importance([row]), [peak])[:N_TOP].sum()) for row in group]
    return Finding(
        "The first features",
        f"{ranking.ranking()[0].feature} is first{paper('DER_mass_vis, DER_pt_ratio_lep_tau')}, the first of the first "
        f"order is {highest_first_order(ranking).feature}{paper('DER_mass_vis')}. Of the first {N_TOP} features "
        f"{_range(n_peak)} contain {peak}{paper(TAYLOR_HIGGSML.n_peak)}.",
    )


def _angles(groups, paper) -> Finding:
    texts = []
    for name, group in groups.items():
        first = [first_angle(importance([row])).rank for row in group]
        with_angle = angles(importance(group))
        n_lower = with_angle[len(with_angle) // 2 :].sum()
        text = f"the first at rank {_range(first)}, {n_lower} of {with_angle.sum()} in the lower half of the ranking"
        texts.append(f"{name}, {text}" if len(groups) > 1 else text)
    text = "; ".join(texts) + paper(f"the first at {TAYLOR_HIGGSML_RANKS[FIRST_ANGLE]}")
    return Finding(f"Features with a primitive {PHI}", f"{text[0].upper()}{text[1:]}.")


def _fewer_inputs(group, paper) -> Finding:
    auc = 100 * np.array([row["auc_weighted"] or row["auc"] for row in group])
    with_all, with_kept = auc.mean(axis=0)
    kept = _range([len(row["kept"]) for row in group])
    return Finding(
        "Fewer inputs",
        f"{kept} of {len(group[0]['inputs'])} inputs{paper(TAYLOR_HIGGSML.n_inputs)} make up the upper 5 % of the "
        f"features. A network of them has an AUC of {with_kept:.2f} % instead of {with_all:.2f} %; the paper finds no "
        "difference on HiggsML.",
        cell(list(auc[:, 1] - auc[:, 0]), 0.0) if paper(0) else None,
    )


def _how_sure(group) -> Finding:
    n_signal, n_test = group[0]["n_signal"], group[0]["n_test"]
    error = auc_error(float(np.mean([row["auc"][0] for row in group])), n_signal, n_test - n_signal)
    width = np.median([np.subtract(row["rank_high"], row["rank_low"]) for row in group])
    text = (
        f"The finite test sample leaves a standard error of {100 * error:.2f} points on the unweighted AUC, and an "
        f"interval of 68 % of the rank that is {width:.0f} wide for half of the features."
    )
    if len(group) > 1:
        spread = np.median(np.std([importance([row]).ranks for row in group], axis=0, ddof=1))
        text += f" From seed to seed the rank of half of the features varies by {spread:.0f} or more."
    return Finding("How sure", text)


def _range(numbers: Sequence[int]) -> str:
    """One number, or the least and the greatest of several.

    >>> _range([4, 3, 4])
    '3 to 4'
    """
    return str(min(numbers)) if min(numbers) == max(numbers) else f"{min(numbers)} to {max(numbers)}"


def _departures(rows, config) -> Iterator[str]:
    if not is_higgsml(rows):
        yield (
            "The events are HEPMASS-like instead of HiggsML: simulated for this project, a resonance at 1000 GeV "
            "against the background that carries the same mass. No feature is undefined and no event has a weight."
        )
    elif config["sample"] == "file":
        yield (
            f"The events are {rows[0]['n_train'] + rows[0]['n_test']:,} of one file, a third of them drawn at random "
            "for the test, where the paper has 100,000 each. Fewer training events make a lower AUC and another "
            "ranking."
        )
    yield (
        f"Batches of {config['batch_size']} and a learning rate of {config['learning_rate']:g}, on which the paper is "
        "silent. Weights are those after the last step. The cross-entropy and <|t|> have no event weights."
    )
    if not is_higgsml(rows):
        return
    yield (
        "The paper does not say what it does with -999. Standardised by the defined values and set to their mean is "
        "the first choice here; left at -999, the angles of missing jets tell how many jets there are."
    )
    yield "The AUC is compared with the weighted one: the paper does not say which of them 0.92 is."
    yield (
        "AMS has weights rescaled to the whole set and b_r = 10. That of the best cut on the test events is biased "
        "upwards, all the more on few events; the other takes the cut that is best on the training events."
    )
