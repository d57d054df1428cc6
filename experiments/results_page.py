"""Turn the result files into the tables of ``README.md`` and the documentation."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from best_published import PUBLISHED, SIZES
from best_runs import taus
from figure_tables import DRAWS, METHODS, RESULTS, ROOT, best_table, row, split_table

from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import mean_interval, paired_difference

BENCHMARKS = ROOT / "benchmarks" / "results"
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "results.md",
    ROOT / "docs" / "literature.md",
    ROOT / "docs" / "networks.md",
)
# Predictors whose figures are compared in pairs.
PAIRS = (
    ("best", "random forest"),
    ("fast", "random forest"),
    ("best", "fast"),
    ("fast", "fast, ranks alone"),
)
SEARCH_TITLES = {
    "exact random": "random search (exact)",
    "evolution": "regularized evolution",
    "local": "local search",
    "one-shot-gp": "one shot: 172 random cells, then the best predicted",
    "one-shot-paper": "the same by the paper's GCN, one stage",
    "one-shot-two-stage": "the same by the paper's GCN, two stages",
    "iterated-gp": "172 random cells, then 10 a round",
    "iterated-40-gp": "40 random cells, then 10 a round",
    "iterated-40-ei-gp": "the same by expected improvement",
    "iterated-40-fast": "40 random cells, then 10 a round, recipe `fast`",
    "iterated-16-gp": "16 random cells, then 4 a round",
    "iterated-16-fast": "16 random cells, then 4 a round, recipe `fast`",
    "iterated-16-ei-fast": "the same by expected improvement, recipe `fast`",
}


def read(name: str, folder: Path = RESULTS) -> Any:
    return json.loads((folder / f"{name}.json").read_text())


def interval(value: dict[str, Any], digits: int = 3, sign: str = "") -> str:
    """Mean and 95 % interval."""
    return (
        f"{value['mean']:{sign}.{digits}f} "
        f"[{value['low']:{sign}.{digits}f}, {value['high']:{sign}.{digits}f}]"
    )


# Names in the result files that the page words differently.
_ABLATED = {
    "labels as they are": "untransformed labels",
    "ranks alone": "labels: ranks alone",
    "normal scores of ranks": "labels: normal scores of ranks",
    "best without transfer": "`best` without transfer",
}


def ablation() -> list[str]:
    sizes = [size for size in SIZES if (RESULTS / f"best_ablation_{size}.json").exists()]
    found = [read(f"best_ablation_{size}") for size in sizes]
    head = [f"τ at {size:,}, difference" for size in sizes]
    lines = [row("", *head), row(*["---"] * (1 + len(sizes)))]
    for part in ("recipes", "process", "networks"):
        for name in found[0][part]:
            values = [content.get(part, {}).get(name) for content in found]
            cells = [
                "–"
                if v is None
                else f"{v['mean']['mean']:.3f}"
                + ("" if v["minus_whole"]["mean"] == 0 else f", {difference(v['minus_whole'])}")
                for v in values
            ]
            title = f"`{name}`" if name in ("best", "fast") else _ABLATED.get(name, name)
            title = title.replace("prior", "transfer")
            lines.append(row(f"**{title}**" if not any("," in c for c in cells) else title, *cells))
    return lines


def difference(value: dict[str, Any], digits: int = 4) -> str:
    text = interval(value, digits, "+")
    return text if value["claims"] else f"({text})"


def less(figure: str, digits: int) -> list[str]:
    """The difference of a metric of two methods, on all draws that both have."""
    figures: dict[tuple[str, int], dict[int, float]] = defaultdict(dict)
    for run in read("best_runs")["runs"]:
        figures[run["method"], run["train"]][run["draw"]] = run[figure]
    lines = [
        row("difference and draws", *(f"{size:,}" for size in SIZES)),
        row(*["---"] * (1 + len(SIZES))),
    ]
    for one, other in PAIRS:
        cells = []
        for size in SIZES:
            pair = figures[one, size], figures[other, size]
            draws = sorted(pair[0].keys() & pair[1].keys())
            found = paired_difference(*([each[draw] for draw in draws] for each in pair))
            cells.append(f"{difference(found.to_dict(), digits)}, {len(draws)}")
        lines.append(row(f"{METHODS[one]} minus {METHODS[other]}", *cells))
    return lines


def summaries(train: int) -> list[dict[str, Any]]:
    order = list(METHODS)
    found = [s for s in read("best_summary") if s["train"] == train and s["method"] in order]
    return sorted(found, key=lambda s: order.index(s["method"]))


def top() -> list[str]:
    lines = [
        row("172 training cells", "best 0.1 % within best 1 %", "top 1", "top 10", "top 100"),
        row(*["---"] * 5),
    ]
    for method, title in METHODS.items():
        # The draws that all methods have.
        own = [
            run
            for run in read("best_runs")["runs"]
            if (run["method"], run["train"]) == (method, 172) and run["draw"] < DRAWS
        ]

        if own:
            shares = [percent(own, "best_0.1%_in_predicted_1%", 0)]
            shares += [percent(own, f"best_in_top_{k}", 2) for k in (1, 10, 100)]
            lines.append(row(title, *shares))
    return lines


def percent(runs: list[dict[str, Any]], figure: str, digits: int) -> str:
    """Mean of a fraction, with half the width of its interval."""
    shown = mean_interval([100 * run[figure] for run in runs])
    return f"{shown.mean:.{digits}f} ± {shown.high - shown.mean:.{digits}f} %"


def coverage() -> list[str]:
    lines = [row("recipe", "training cells", "50 %", "80 %", "95 %"), row(*["---"] * 5)]
    for size in sorted({s["train"] for s in read("best_summary")}):
        for summary in summaries(size):
            if summary["method"] in ("best", "fast"):
                shares = [
                    f"{100 * summary[f'coverage_{c}']['mean']:.1f} %" for c in (0.5, 0.8, 0.95)
                ]
                lines.append(row(METHODS[summary["method"]], f"{size:,}", *shares))
    return lines


def cost() -> list[str]:
    found = read("best_cost")
    heads = (
        f"fit to {found['train']} cells, s",
        f"score {found['scored']:,} cells, s",
        "first scoring after an installation, s",
    )
    lines = [row("recipe", *heads), row(*["---"] * 4)]
    for recipe, seconds in found["recipes"].items():
        values = (f"{seconds[name]:.1f}" for name in ("fit", "score", "first_score"))
        lines.append(row(f"`{recipe}`", *values))
    return lines


def remains() -> list[str]:
    sizes = [size for size in SIZES if (RESULTS / f"what_remains_{size}.json").exists()]
    found = [read(f"what_remains_{size}")["mean"] for size in sizes]
    lines = [row("training cells", *(f"{size:,}" for size in sizes))]
    lines.append(row(*["---"] * (1 + len(sizes))))
    titles = {
        "kendall_tau": "τ of the process",
        "told 36 epochs": "τ with the accuracy of each evaluated cell in a run of 36 epochs",
        "told 4, 12 and 36 epochs": "τ with its accuracies in runs of 4, 12 and 36 epochs",
        "correlation of residuals": "correlation of the residuals at 36 and 108 epochs",
        "shared": "share of the squared error at 108 epochs that both have in common",
        "ceiling": "τ without that share",
        "one edit to evaluated": "correlation of residuals one edit apart, both unseen",
        "one edit to training": "correlation of residuals one edit apart, one in training",
    }
    return lines + [
        row(title, *(interval(figures[name]) for figures in found))
        for name, title in titles.items()
    ]


def law() -> list[str]:
    found = read("learning_law")
    titles = {
        "limit": ("τ with any number of training cells", 3),
        "cells_for_aim": (f"training cells for {found['aim']}", -3),
        "power": ("power of their number by which the rest falls", 2),
    }
    lines = [row("by the law", "value", "95 % interval"), row(*["---"] * 3)]
    for name, (title, digits) in titles.items():
        value, low, high = (
            "none"
            if found["law"][name][end] is None
            else f"{round(found['law'][name][end], digits):,.{max(digits, 0)}f}"
            for end in ("value", "low", "high")
        )
        lines.append(row(title, value, f"{low} to {high}"))
    return lines


def digits() -> list[str]:
    found = read("best_digits")
    lines = [row("recipe", "Kendall τ", "minus that of `fast`", "MSE"), row(*["---"] * 4)]
    taus = {
        recipe: [run["kendall_tau"] for run in found["runs"] if run["recipe"] == recipe]
        for recipe in found["summary"]
    }
    for recipe, summary in found["summary"].items():
        less = "–"
        if recipe != "fast":
            less = difference(paired_difference(taus[recipe], taus["fast"]).to_dict())
        figures = interval(summary["kendall_tau"]), less, interval(summary["mse"], 2)
        lines.append(row(f"`{recipe}`", *figures))
    return lines


def two_stage() -> list[str]:
    lines = [
        row("", "the paper's settings", "600 epochs, lr 2e-4"),
        row("---", "---", "---"),
    ]
    short, long = read("two_stage")["summary"], read("two_stage_long")["summary"]
    for title, name in (
        ("classifier: precision", "classifier_precision"),
        ("classifier: recall", "classifier_recall"),
        ("classifier: ROC-AUC", "classifier_roc_auc"),
        ("MSE on the cells above 91 % that pass", "mse_passed"),
        ("τ on them", "tau_passed"),
        ("MSE on all cells above 91 %", "mse_denoise_91"),
        ("the same, one regressor and no classifier", "mse_single_denoise_91"),
        ("τ on all cells above 91 %", "tau_denoise_91"),
        ("the same, one regressor and no classifier", "tau_single_denoise_91"),
        ("τ on all cells", "tau_all"),
        ("the same, one regressor and no classifier", "tau_single_all"),
    ):
        lines.append(row(title, interval(short[name], 2), interval(long[name], 2)))
    return lines


def width() -> list[str]:
    lines = [
        row("N", "the paper's width", "least error", "one-standard-error rule"),
        row(*["---"] * 4),
    ]
    for n, found in sorted(read("tune_width").items(), key=lambda item: int(item[0])):
        chosen = (found["best"]["hidden"], found["chosen"]["hidden"])
        lines.append(row(n, str(found["paper"]), *map(str, chosen)))
    return lines


def searches(table: str) -> list[str]:
    found = read(f"search_{table}_summary")
    regrets = tuple(found["cells_within"])
    compared = regrets[2]
    lines = [
        row(
            "method",
            *(f"{100 * float(r):g} points" for r in regrets),
            f"against evolution, {100 * float(compared):g} points",
            f"runs within {100 * float(regrets[-1]):g} points, training runs",
        ),
        row(*["---"] * (3 + len(regrets))),
    ]
    for name, title in SEARCH_TITLES.items():
        method = found["until_label_regret"].get(name)
        if method is None:
            continue
        trainings = [method["by_regret"][r]["median_trainings"] for r in regrets]
        shown = ["–" if t is None else f"{t:g}" for t in trainings]
        ratio = found["speedup_over_evolution"].get(name, {}).get(compared, {})
        faster = "–"
        if ratio.get("ratio"):
            # In some resamplings half of the runs may never get there.
            low = f"{ratio['low']:.1f}" if ratio["low"] else "–"
            faster = f"{ratio['ratio']:.1f} [{low}, {ratio['high']:.1f}]"
        reached = f"{100 * method['by_regret'][regrets[-1]]['reached']:.0f} %"
        lines.append(row(title, *shown, faster, f"{reached}, {method['budget']:,}"))
    return lines


def search_answers() -> list[str]:
    """Regret in mean test accuracy of the answers on NAS-Bench-101, by cells trained."""
    trained = (20, 40, 100, 500, 2000)
    lines = [
        row("method", *(f"{count:,}" for count in trained)),
        row(*["---"] * (1 + len(trained))),
    ]
    for name, title in {"random": "random search", **SEARCH_TITLES}.items():
        path = RESULTS / f"search_nasbench101_mean_test_{name}.json"
        if not path.exists():
            continue
        found = json.loads(path.read_text())
        best = found["regret_against"]["best"]
        cells = []
        for count in trained:
            answers = [
                max((s for s in run["steps"] if s[0] <= count), key=lambda s: s[0])
                for run in found["runs"]
            ]
            regrets = [100 * (best - answer[2]) for answer in answers]
            known = count <= found["budget"]
            cells.append(f"{mean(regrets):.2f} ± {stdev(regrets):.2f}" if known else "–")
        lines.append(row(title, *cells))
    return lines


def speed() -> list[str]:
    scoring, loading = read("score_space", BENCHMARKS), read("load", BENCHMARKS)
    training, converting = read("train", BENCHMARKS), read("convert", BENCHMARKS)
    opening, residual = read("load_nasbench", BENCHMARKS), read("score_residual", BENCHMARKS)
    narrow, members = residual["widths"]["32"], residual["members"]
    plainly = converting["one_record_at_a_time"]["records_per_second"]
    by = scoring["shared_terms_faster_by"]
    loader = next(name for name in by if name.startswith("DataLoader"))
    dense = next(name for name in by if name.startswith("dense"))
    seconds = 423_624 / scoring["cells_per_second"]["shared terms"]
    ratios = training["plain_loop_of_one_model_over_this"]
    batches = loading["batches_faster_by"]
    return [
        row("what", "here", "against", "ratio", "aim"),
        row(*["---"] * 5),
        row(
            "score 423,624 cells, one GCN",
            f"{seconds:.1f} s",
            "dense forward",
            f"{by[dense]:.1f}",
            "3",
        ),
        row("", "", "the reproduction's way", f"{by[loader]:.1f}", "15"),
        row(
            f"predict them by {members} residual networks of width 32",
            f"{423_624 / narrow['cells_per_second']['compiled']:.1f} s",
            "their forward pass in torch",
            f"{narrow['faster_by']:.1f}",
            "–",
        ),
        row(
            "the space as a PyG dataset, first time",
            f"{loading['seconds']['first build']:.1f} s",
            "loop of `Data` and `collate`",
            f"{loading['faster_than_the_loop_by']['first build']:.0f}",
            "10",
        ),
        row("batches of 10 graphs", "", "PyG's `DataLoader`", f"{batches['10']:.0f}", "5"),
        row("batches of 256 graphs", "", "the same", f"{batches['256']:.0f}", "25"),
        row(
            "train one GCN, 172 cells × 300 epochs",
            f"{training['seconds']['one model']:.1f} s",
            "the reproduction's way",
            f"{ratios['one model']:.1f}",
            "5",
        ),
        row(
            "train 10 of them",
            f"{training['seconds']['ensemble of 10']:.1f} s",
            "one model the reproduction's way",
            f"{ratios['ensemble of 10']:.1f}",
            "1",
        ),
        row(
            "convert TFRecords",
            f"{converting['convert']['records_per_second']:,.0f} records/s",
            "one record at a time",
            f"{converting['convert']['records_per_second'] / plainly:.0f}",
            "100,000 records/s",
        ),
        row(
            "open a full table as `nasbench.api`",
            f"{opening['open']['seconds']:.1f} s",
            "nested dictionaries from the same arrays",
            f"{opening['nested_dictionaries']['seconds'] / opening['open']['seconds']:.0f}",
            "2 s",
        ),
        *(fits() if (BENCHMARKS / "fit.json").exists() else []),
    ]


def fits() -> list[str]:
    """Fits by this code and by that of an earlier commit, and the update of a fit."""
    rows = read("fit", BENCHMARKS)["rows"]
    seconds = {(r["what"], r["recipe"], r["cells"], r["code"]): r["seconds"] for r in rows}
    lines = []
    for (what, recipe, cells, code), before in seconds.items():
        if code == "before":
            now = seconds[what, recipe, cells, "now"]
            title = f"fit `{recipe}` to {cells:,} cells"
            lines.append(row(title, f"{now:.1f} s", "version 0.1", f"{before / now:.1f}", "–"))
    for (what, recipe, cells, _), value in seconds.items():
        if what == "update":
            fit = seconds["fit", recipe, cells, "now"]
            title = f"update `{recipe}` of {cells:,} cells by 4"
            ratio = f"{fit / value:.0f}"
            lines.append(row(title, f"{1000 * value:.0f} ms", "a fit", ratio, "50 ms"))
        if what == "round":
            title = f"update `{recipe}` of {cells:,} cells, score 423,624"
            lines.append(row(title, f"{value:.2f} s", "–", "–", "0.1 s"))
        if what == "first round":
            lines.append(row("the same for the first time after a fit", f"{value:.1f} s", *"–––"))
        if what == "products":
            fit = seconds["fit", recipe, cells, "now"]
            title = f"fit `{recipe}` to {cells:,} cells"
            against = f"its largest matrix products alone, {value:.1f} s"
            lines.append(row(title, f"{fit:.1f} s", against, f"{value / fit:.2f}", "–"))
    return lines


def headline() -> list[str]:
    """The numbers of the README's first screen, beside what they are compared with."""
    found = taus(read("mean_test")["runs"], "best", 172)
    published = sorted(values[172] for values in PUBLISHED.values())
    on_201 = next(
        entry
        for entry in read("nasbench201")["figures"]
        if (entry["method"], entry["train"]) == ("best", 156)
    )
    published_201 = sorted(values[156] for values in PUBLISHED_201.values() if 156 in values)
    trainings = {
        name: math.ceil(method["by_regret"]["0.002"]["median_trainings"])
        for name, method in read("search_nasbench101_20k_summary")["until_label_regret"].items()
        if name in ("iterated-16-fast", "evolution")
    }
    scoring = read("score_space", BENCHMARKS)
    by = scoring["shared_terms_faster_by"]
    loader = next(value for name, value in by.items() if name.startswith("DataLoader"))
    seconds = 423_624 / scoring["cells_per_second"]["shared terms"]
    return [
        row("", ""),
        row("---", "---"),
        row(
            f"**{sum(found) / len(found):.2f} Kendall τ** from 172 training runs on NAS-Bench-101",
            f"published predictors: {published[0]:.2f} to {published[-1]:.2f}",
        ),
        row(
            f"**{on_201['tau_all_others_mean']:.2f} Kendall τ** from 156 training runs on "
            "NAS-Bench-201, CIFAR-10",
            f"published predictors: {published_201[0]:.2f} to {published_201[-1]:.2f}",
        ),
        row(
            f"**{trainings['iterated-16-fast']} training runs** to within 0.2 points of the best "
            "of 10,001 cells (median of 50 searches)",
            f"regularized evolution: {trainings['evolution']}",
        ),
        row(
            f"**{seconds:.1f} seconds** to score all 423,624 cells on two CPU cores",
            f"the earlier PyTorch reproduction: {loader:.0f} times as long",
        ),
    ]


def best_short() -> list[str]:
    """The lines of the table of predictors that the README shows."""
    shown = (" training cells", " ---", " `best`", " *published:*")
    return [line for line in mean_test() if line.startswith(tuple(f"|{n}" for n in shown))]


def mean_test() -> list[str]:
    """The published protocol of NAS-Bench-101; sizes that were run, draws in brackets."""
    runs = read("mean_test")["runs"]
    sizes = [size for size in SIZES if any(run["train"] == size for run in runs)]
    lines = [
        row("training cells", *(f"{size:,}" for size in sizes)),
        row(*["---"] * (1 + len(sizes))),
    ]
    for method in ("best", "fast", "paper"):
        found = [taus(runs, method, size) for size in sizes]
        shown = (f"{mean(t):.3f} ± {stdev(t):.3f} ({len(t)})" if t[1:] else "–" for t in found)
        lines.append(row(METHODS[method], *shown))
    for name, values in PUBLISHED.items():
        lines.append(row(f"*published:* {name}", *(f"{values[size]:.3f}" for size in sizes)))
    return lines


def mean_test_by_test() -> list[str]:
    """Trained on the accuracies that rank; draws in brackets."""
    runs = read("mean_test_by_test")["runs"]
    sizes = sorted({run["train"] for run in runs})
    found = [taus(runs, "fast", size) for size in sizes]
    shown = (
        f"{mean(t):.3f} ± {stdev(t):.3f} ({len(t)})" if t[1:] else f"{t[0]:.3f} (1)" for t in found
    )
    heads = row("training cells", *(f"{size:,}" for size in sizes))
    return [heads, row(*["---"] * (1 + len(sizes))), row("`fast`", *shown)]


def commands() -> list[str]:
    """Seconds of whole commands by this code and by that of an earlier commit."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for entry in read("commands", BENCHMARKS)["rows"]:
        found[entry["command"]][entry["code"]] = entry["seconds"]
    lines = [row("command", "now, s", "before, s", "before over now"), row(*["---"] * 4)]
    for name, seconds in found.items():
        before = seconds.get("before")
        ratio = "–" if before is None else f"{before / seconds['now']:.1f}"
        shown = "–" if before is None else f"{before:.1f}"
        lines.append(row(name, f"{seconds['now']:.1f}", shown, ratio))
    return lines


def kernels() -> list[str]:
    """How much faster than the plain way the kernels of this code and of earlier code are."""
    lines = [row("benchmark", "ratio", "now", "before"), row(*["---"] * 4)]
    for entry in read("kernels", BENCHMARKS)["rows"]:
        shown = (f"{entry[code]:,.1f}" for code in ("now", "before"))
        lines.append(row(entry["benchmark"], entry["ratio"], *shown))
    return lines


def equal() -> list[str]:
    found = read("equal_architectures")["share_of_evaluated_architectures_equal_to_a_training_one"]
    lines = [
        row("training architectures", "evaluated ones that are equal to one of them"),
        row(*["---"] * 2),
    ]
    return lines + [row(f"{e['train']:,}", f"{100 * e['mean']:.1f} %") for e in found]


# Trained on mean validation accuracy, ranked by mean test accuracy, CIFAR-10, all others: τ by
# training architectures. The last two rows use 1,024 further labels to choose a checkpoint.
PUBLISHED_201 = {
    "TNASP": {78: 0.539, 156: 0.589, 469: 0.640, 781: 0.689, 1563: 0.724},
    "PINAT": {78: 0.549, 156: 0.631, 469: 0.706, 781: 0.761, 1563: 0.784},
    "HyperNAS": {78: 0.677, 156: 0.765, 469: 0.836},
    "GraphRegression": {156: 0.785, 469: 0.854, 781: 0.876, 1563: 0.884},
    "NN-Former": {156: 0.804, 1563: 0.890},
}


def nasbench201(figure: str, published: bool = False, result: str = "nasbench201") -> list[str]:
    found = read(result)["figures"]
    sizes = sorted({entry["train"] for entry in found})
    lines = [
        row("training architectures", *(f"{size:,}" for size in sizes)),
        row(*["---"] * (1 + len(sizes))),
    ]
    for method in dict.fromkeys(entry["method"] for entry in found):
        by_size = {entry["train"]: entry for entry in found if entry["method"] == method}
        values = (
            f"{by_size[size][f'{figure}_mean']:.3f} ± {by_size[size][f'{figure}_std']:.3f}"
            for size in sizes
        )
        lines.append(row(f"`{method}`" if method in ("fast", "best") else method, *values))
    for name, values in PUBLISHED_201.items() if published else ():
        shown = (f"{values[size]:.3f}" if size in values else "–" for size in sizes)
        lines.append(row(f"*published:* {name}", *shown))
    return lines


def device_latency() -> list[str]:
    means = read("device_latency")["means"]
    sizes = list(next(iter(means.values())))
    lines = [row("labels", *sizes), row(*["---"] * (1 + len(sizes)))]
    lines += [row(name, *(f"{found[size]:.3f}" for size in sizes)) for name, found in means.items()]
    return [*lines, row("*published:* HELP, new device", "0.932", *["–"] * (len(sizes) - 1))]


def network_latency() -> list[str]:
    found = read("network_latency")
    heads = ("recipe `latency`", "trees on totals", "MACs alone", "coverage of 90 % intervals")
    lines = [row("networks of", *heads), row(*["---"] * 5)]
    for name in ("unseen families", "known families"):
        errors = (
            f"{100 * found[name][method]['mape']:.1f} %"
            for method in ("latency", "trees on totals", "macs")
        )
        held = f"{100 * found[name]['intervals_of_90_percent_hold']:.0f} %"
        lines.append(row(name, *errors, held))
    return lines


def choose_networks() -> list[str]:
    found = read("choose_networks")
    lines = [row("evaluated networks", *map(str, found["budgets"]))]
    lines.append(row(*["---"] * (1 + len(found["budgets"]))))
    for name, way in found["ways"].items():
        cells = zip(way["test_accuracy"], way["rank_by_test"], strict=True)
        lines.append(
            row(name, *(f"{100 * accuracy:.1f} % ({rank:.1f})" for accuracy, rank in cells))
        )
    return lines


OWN_TABLES = {
    "nasbench_digits.hdf5": "NAS-Bench-101, digits",
    "nasbench201_digits.hdf5": "NAS-Bench-201, digits",
    "nasbench201_textures.hdf5": "NAS-Bench-201, textures",
}


def transfer_own() -> list[str]:
    found = read("transfer_own")["figures"]
    heads = [f"{few['labels']} labels" for few in found[0]["by_labels"]]
    lines = [
        row("ranked cells", "tables in use", "no label", *heads),
        row(*["---"] * (3 + len(heads))),
    ]
    for entry in found:
        used = " and ".join(OWN_TABLES[name] for name in entry["fitted_to"])
        few = (f"{f['transfer']:.3f} ({f['fast']:.3f})" for f in entry["by_labels"])
        lines.append(row(OWN_TABLES[entry["ranked"]], used, f"{entry['tau']:.3f}", *few))
    return lines


def few_labels() -> list[str]:
    found = read("few_labels_transfer")["figures"]
    sizes = sorted({entry["train"] for entry in found})
    lines = [row("labels", *map(str, sizes)), row(*["---"] * (1 + len(sizes)))]
    taus = {(e["space"], e["task"], e["train"]): e["tau_all_others_mean"] for e in found}
    spaces = {"nasbench201": "NAS-Bench-201", "transnasbench101": "TransNAS-Bench-101"}
    for space, task in dict.fromkeys((e["space"], e["task"]) for e in found):
        values = (taus.get((space, task, size)) for size in sizes)
        shown = ("–" if tau is None else f"{tau:.3f}" for tau in values)
        lines.append(row(f"{spaces[space]}, {task}", *shown))
    means = [
        [tau for (space, _, n), tau in taus.items() if (space, n) == ("transnasbench101", size)]
        for size in sizes
    ]
    lines.append(
        row("*TransNAS-Bench-101, mean of seven*", *(f"{sum(m) / len(m):.3f}" for m in means))
    )
    return lines


def transnas_noise() -> list[str]:
    found = read("transnas_noise")
    heads = ("task", "by the other runs", "drawn", "without noise", "`fast`, 1,000 labels")
    lines = [row(*heads), row(*["---"] * 5)]
    for entry in (*found["tasks"], {"task": "*mean of seven*", **found["mean"]}):
        keys = [f"tau_{name}" for name in ("of_other_runs", "of_other_runs_drawn", "without_noise")]
        keys.append("tau_of_fast")
        lines.append(row(entry["task"], *(f"{entry[key]:.3f}" for key in keys)))
    return lines


def one_ranking() -> list[str]:
    found = read("one_ranking")
    unlabelled = {
        entry["task"]: entry["tau_all_others_mean"]
        for entry in read("few_labels_transfer")["figures"]
        if entry["space"] == "transnasbench101" and entry["train"] == 0
    }
    mean, name = sum(unlabelled.values()) / len(unlabelled), "*mean of seven*"
    heads = ("task", "`transfer`, no label", "by the six other tasks", "by all seven tasks")
    lines = [row(*heads), row(*["---"] * 4)]
    for entry in (*found["tasks"], {"task": name, **found["mean"]}):
        taus = [unlabelled.get(entry["task"], mean)]
        taus += [entry["tau_of_six_others"], entry["tau_of_all_seven"]]
        lines.append(row(entry["task"], *(f"{tau:.3f}" for tau in taus)))
    return [*lines, "", f"Bound of the mean for one ranking without ties: {found['bound']:.3f}."]


def latency() -> list[str]:
    found = read("latency")
    lines = [
        row(
            *("device and software", "networks", "`latency`", "of untouched families"),
            *("trees on totals", "coverage of 90 % intervals"),
        ),
        row(*["---"] * 6),
    ]
    methods = ("latency", "latency, untouched families", "trees on totals")
    for name, value in found.items():
        if name.startswith("unseen families, "):
            lines.append(
                row(
                    name.removeprefix("unseen families, "),
                    str(value["networks"]),
                    *(f"{100 * value[m]['mape']:.1f} %" for m in methods),
                    f"{100 * value['intervals_of_90_percent_hold']:.0f} %",
                )
            )
    return lines


def latency_new_device() -> list[str]:
    heads = ("new device and software", "networks", "ten random", "ten designed")
    lines = [row(*heads, "of untouched families"), row(*["---"] * 5)]
    for name, settings in read("latency").items():
        if name.startswith("new device"):
            note = " (from GPUs alone)" if name.endswith("alone") else ""
            lines += [
                row(
                    f"{setting}{note}",
                    str(v["networks"]),
                    f"{100 * v['random']['mape']:.1f} %",
                    f"{100 * v['designed']['mape']:.1f} %",
                    f"{100 * v['designed']['mape, untouched families']:.1f} %",
                )
                for setting, v in settings.items()
            ]
    return lines


def latency_limits() -> list[str]:
    lines = [row("setting", "measured in", "networks", "error"), row(*["---"] * 4)]
    for name, value in read("latency_limits").items():
        error = f"{100 * value['mape']:.1f} %"
        lines.append(row(*name.split(" from "), str(value["networks"]), error))
    return lines


TABLES: dict[str, Callable[[], list[str]]] = {
    "headline": headline,
    "best-short": best_short,
    "splits": split_table,
    "best": best_table,
    "ablation": ablation,
    "top": top,
    "coverage": coverage,
    "cost": cost,
    "remains": remains,
    "law": law,
    "best-less": lambda: less("kendall_tau", 3),
    "best-mse": lambda: best_table("mse", 2),
    "best-mse-less": lambda: less("mse", 2),
    "digits": digits,
    "two-stage": two_stage,
    "width": width,
    "search-nasbench101_20k": lambda: searches("nasbench101_20k"),
    "search-answers": search_answers,
    "search-nasbench_digits": lambda: searches("nasbench_digits"),
    "search-nasbench201": lambda: searches("nasbench201"),
    "speed": speed,
    "commands": commands,
    "kernels": kernels,
    "equal": equal,
    "mean-test": mean_test,
    "mean-test-by-test": mean_test_by_test,
    "nasbench201": lambda: nasbench201("tau_all_others", published=True),
    "device-latency": device_latency,
    "latency": latency,
    "latency-limits": latency_limits,
    "latency-new-device": latency_new_device,
    "choose-networks": choose_networks,
    "network-latency": network_latency,
    "transfer-own": transfer_own,
    "few-labels": few_labels,
    "transnas-noise": transnas_noise,
    "one-ranking": one_ranking,
    "nasbench201-other-cells": lambda: nasbench201("tau_other_cells"),
    "nasbench201-cifar100": lambda: nasbench201("tau_all_others", result="nasbench201_cifar100"),
    "nasbench201-imagenet16": lambda: nasbench201(
        "tau_all_others", result="nasbench201_imagenet16"
    ),
}


def main() -> None:
    tables = {name: table() for name, table in TABLES.items()}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name, lines in tables.items():
            text = filled(text, name, lines)
        write_text(page, text)


def filled(text: str, name: str, lines: list[str]) -> str:
    """Put lines between a page's ``<!-- name: begin -->`` and ``<!-- name: end -->``, if any."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if begin not in text:
        return text
    head, rest = text.split(begin)
    return head + "\n".join([begin, *lines, end]) + rest.split(end)[1]


if __name__ == "__main__":
    main()
