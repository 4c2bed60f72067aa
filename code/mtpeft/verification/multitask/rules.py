"""The rules. Each computes its figures in one generation at a time and never looks into another."""

import math
from itertools import combinations, product
from typing import Any

from mtpeft.catalog import Claim
from mtpeft.statistics.published import (
    METRIC,
    PEFT,
    TASKS,
    Published,
    backbones,
    comparability,
    macro_error,
    mean,
    multi_run,
    single_seconds,
    spread,
    standard_error,
    table_against_logs,
)
from mtpeft.verification.multitask.judge import GENERATIONS, Finding, Judgement, Rule

Cell = tuple[str, str]  # backbone, method


def _values(
    data: Published, generation: str, setting: str, backbone: str, method: str
) -> dict[str, float]:
    return {task: data.score(generation, setting, backbone, method, task) for task in TASKS}


def _cells(data: Published, generation: str, setting: str = "multi") -> list[Cell]:
    return [
        cell
        for cell in product(backbones(data, generation, setting), PEFT)
        if not any(map(math.isnan, _values(data, generation, setting, *cell).values()))
    ]


def shared_matches_full(claim: Claim, data: Published) -> Judgement:
    """Options: z. On each backbone some PEFT method's mean is not below full fine-tuning's by more
    than z errors.
    """
    z = float(claim.options["z"])
    findings = {}
    for generation in GENERATIONS:
        near, far = [], []
        for backbone, method in _cells(data, generation):
            mine, full = (_values(data, generation, "multi", backbone, m) for m in (method, "fft"))
            difference = mean(mine.values()) - mean(full.values())
            error = math.hypot(macro_error(data, mine.items()), macro_error(data, full.items()))
            (near if difference >= -z * error else far).append(backbone)
        everywhere = set(near) == set(backbones(data, generation))
        findings[generation] = Finding(
            everywhere,
            f"{len(near)} of {len(near) + len(far)} cells (backbone × method) are "
            "not below "
            f"full fine-tuning, on {len(set(near))} of {len(backbones(data, generation))} backbones",
        )
    return Judgement(
        f"on every backbone at least one of {', '.join(PEFT)} has a mean over the four tasks no more than {z:g} "
        "standard errors of the difference below full multi-task fine-tuning",
        "matches",
        findings,
    )


def shared_surpasses_full(claim: Claim, data: Published) -> Judgement:
    """Options: z. Some cell of backbone, method and task lies above full fine-tuning by more than z
    errors.
    """
    z = float(claim.options["z"])
    findings = {}
    for generation in GENERATIONS:
        above = below = total = 0
        for backbone, method in _cells(data, generation):
            mine, full = (_values(data, generation, "multi", backbone, m) for m in (method, "fft"))
            for task in TASKS:
                error = math.hypot(*(standard_error(data, task, v[task]) for v in (mine, full)))
                total += 1
                above += mine[task] - full[task] > z * error
                below += mine[task] - full[task] < -z * error
        findings[generation] = Finding(
            above > 0, f"{above} of {total} cells (backbone × method × task) above, {below} below"
        )
    return Judgement(
        f"at least one cell of backbone, method ({', '.join(PEFT)}) and task lies more than {z:g} standard "
        "errors of the "
        "difference above full multi-task fine-tuning",
        "surpasses in some cases",
        findings,
    )


def close_to_single(claim: Claim, data: Published) -> Judgement:
    """Options: margin (points). For every task the mean change from single-task to multi-task PEFT
    is above −margin.
    """
    margin = float(claim.options["margin"])
    findings = {}
    for generation in GENERATIONS:
        cells = [c for c in _cells(data, generation, "single") if c in _cells(data, generation)]
        changes = {
            task: mean(
                data.score(generation, "multi", *c, task)
                - data.score(generation, "single", *c, task)
                for c in cells
            )
            for task in TASKS
        }
        shown = ", ".join(
            f"{task} {value:+.2f}".replace(" -", " −") for task, value in changes.items()
        )
        findings[generation] = (
            Finding(
                all(v >= -margin for v in changes.values()), f"over {len(cells)} cells: {shown}"
            )
            if cells
            else Finding(None, "no single-task figures")
        )
    return Judgement(
        "for every task the change from single-task to multi-task PEFT, averaged over backbones and "
        f"{', '.join(PEFT)}, is "
        f"not below −{margin:g} points",
        f"loses at most {margin:g} points",
        findings,
    )


def parameter_factor(claim: Claim, data: Published) -> Judgement:
    """Options: factor. Four single-task modules have `factor` times the trained parameters of the
    shared one (heads apart).
    """
    factor = float(claim.options["factor"])
    printed: dict[Cell, dict[str, float]] = {}
    for c in data.printed:
        if c.table == "paper" and c.column == "trainable_percent" and c.method in PEFT:
            printed.setdefault((c.backbone, c.method), {})[c.setting] = c.printed
    equal = [
        values["single"] * len(TASKS) / values["multi"]
        for values in printed.values()
        if {"single", "multi"} <= values.keys()
    ]
    logged = []
    for backbone, method in product(backbones(data, "G2"), PEFT):
        shared = multi_run(data, backbone, method)
        alone = [
            r.trainable_params
            for task in TASKS
            for r in data.find_runs("G2", "single", backbone, method, "log", (task,))
        ]
        if shared and shared.trainable_params and len(alone) == len(TASKS) and all(alone):
            logged.append(sum(a or 0 for a in alone) / shared.trainable_params)
    findings = {}
    for generation, ratios, what in (
        ("G1", equal, "from typed percentages"),
        ("G2", logged, "from logged counts"),
    ):
        right = sum(abs(r - factor) < 1e-9 for r in ratios)
        findings[generation] = (
            Finding(right == len(ratios), f"{right} of {len(ratios)} cells {what}")
            if ratios
            else Finding(None, "no figures for both")
        )
    return Judgement(
        f"four single-task modules together hold {factor:g} times the trained parameters of the shared one in "
        "every cell "
        "with both figures; heads, one per task either way, are counted apart",
        f"factor {factor:g}",
        findings,
    )


def computation(claim: Claim, data: Published) -> Judgement:
    """Options: percent. The largest saving of training time of a shared module against four
    single-task runs.
    """
    wanted = float(claim.options["percent"])
    savings: list[tuple[float, str]] = []
    for backbone, method in product(backbones(data, "G2"), PEFT):
        shared = multi_run(data, backbone, method)
        for base in (method, "fft"):
            alone = single_seconds(data, "G2", backbone, base)
            if shared and shared.seconds and not math.isnan(alone):
                savings.append(
                    (
                        100 * (1 - shared.seconds / alone),
                        f"{backbone} {method} against four {base} runs",
                    )
                )
    best, where = max(savings, default=(math.nan, ""))
    findings = {
        "G1": Finding(None, "no FLOPs, time or energy of a four-task run is published"),
        "G2": Finding(
            best >= wanted,
            f"the largest saving is {best:.0f} % ({where}), in logged training time, among "
            f"{len(savings)} comparisons",
        )
        if savings
        else Finding(None, "no comparable logs"),
    }
    return Judgement(
        f"training time of one four-task PEFT run is at least {wanted:g} % below four single-task runs of the "
        "same method, or "
        "of full fine-tuning, in at least one comparison; FLOPs are nowhere recorded",
        f"up to {wanted:g} % less",
        findings,
    )


def _more_than_chance(hits: int, total: int, options: dict[str, Any]) -> tuple[bool, str]:
    """Whether `hits` of `total` are more than a rate of `chance` explains at `level` (upper
    binomial tail).
    """
    chance = float(options["chance"])
    tail = math.fsum(
        math.comb(total, k) * chance**k * (1 - chance) ** (total - k)
        for k in range(hits, total + 1)
    )
    return tail < float(options["level"]), f"chance explains as many with p = {tail:.2g}"


def grouping_sensitive(claim: Claim, data: Published) -> Judgement:
    """Options: chance, level. More cells than chance explains have a range over groupings beyond
    sampling error.
    """
    findings = {}
    for generation in GENERATIONS:
        ranges = [
            spread(data, generation, backbone, method, task)
            for backbone, method, task in product(
                backbones(data, generation, "pair"), ("serial_adapter", "lora"), TASKS
            )
        ]
        known = [r for r in ranges if not math.isnan(r[0])]
        wide = sum(width > chance for width, chance in known)
        holds, tail = _more_than_chance(wide, len(known), claim.options)
        findings[generation] = (
            Finding(holds, f"{wide} of {len(known)} cells; {tail}")
            if known
            else Finding(None, "no pairs")
        )
    return Judgement(
        "in more cells of backbone, method and task than a rate of 5 % explains (binomial, 1 %), the range "
        "over the task's "
        "four groupings exceeds 3.63 standard errors (Tukey's studentised range, 5 %)",
        "depends on the grouping",
        findings,
    )


def asymmetric(claim: Claim, data: Published) -> Judgement:
    """Options: z, chance, level. In more pairs than chance explains the two tasks' changes differ
    by more than z errors.
    """
    z = float(claim.options["z"])
    findings = {}
    for generation in GENERATIONS:
        uneven = total = opposed = 0
        for backbone, method, pair in product(
            backbones(data, generation, "pair"), ("serial_adapter", "lora"), combinations(TASKS, 2)
        ):
            changes, variance = [], 0.0
            for task in pair:
                before, after = (
                    data.score(generation, "single", backbone, method, task),
                    data.score(generation, "pair", backbone, method, task, pair),
                )
                changes.append(after - before)
                variance += (
                    standard_error(data, task, before) ** 2 + standard_error(data, task, after) ** 2
                )
            if any(map(math.isnan, changes)):
                continue
            total += 1
            uneven += abs(changes[0] - changes[1]) > z * math.sqrt(variance)
            opposed += changes[0] * changes[1] < 0
        holds, tail = _more_than_chance(uneven, total, claim.options)
        findings[generation] = (
            Finding(
                holds, f"{uneven} of {total} pairs, {opposed} with changes of opposite sign; {tail}"
            )
            if total
            else Finding(None, "no pair with both single-task figures")
        )
    return Judgement(
        "in more pairs than a rate of 5 % explains (binomial, 1 %), the two tasks' changes from single-task "
        "training differ "
        f"by more than {z:g} standard errors",
        "pairs are asymmetric",
        findings,
    )


def prompting(claim: Claim, data: Published) -> Judgement:
    """Options: tasks, backbone, method, z. Every prompted model lies below the multi-task one,
    where both can be compared.
    """
    options = claim.options
    z = float(options["z"])
    findings = {}
    for generation in GENERATIONS:
        beaten = total = 0
        worst, excuses = math.inf, set()
        for figure in data.figures:
            if (
                figure.generation != generation
                or figure.task not in options["tasks"]
                or data.runs[figure.run].method != "none"
                or figure.metric
                in ("mcc", "macro_precision", "macro_recall", "precision", "recall")
            ):
                continue
            verdict = comparability(figure)
            if verdict != "yes":
                excuses.add(f"{figure.task}: {figure.metric} on {figure.split}")
                continue
            tuned = data.score(
                generation, "multi", options["backbone"], options["method"], figure.task
            )
            value = 100 * figure.value
            error = math.hypot(
                standard_error(data, figure.task, tuned),
                standard_error(data, figure.task, value)
                * (
                    math.sqrt(data.sets[figure.task, "test"].examples / 1000)
                    if "1000" in figure.split
                    else 1
                ),
            )
            total += 1
            beaten += tuned - value > z * error
            worst = min(worst, tuned - value)
        findings[generation] = (
            Finding(
                beaten == total,
                f"{beaten} of {total} prompted figures are lower, the nearest by "
                f"{worst:.2f} points",
            )
            if total
            else Finding(
                None,
                "prompting was measured by " + ", ".join(sorted(excuses))
                if excuses
                else "no prompted model",
            )
        )
    return Judgement(
        f"every prompted model with the same metric on test examples lies more than {z:g} standard errors below "
        f"{options['backbone']} with {options['method']} trained on four tasks; metrics: "
        + ", ".join(f"{task} {METRIC[task]}" for task in options["tasks"]),
        "prompting is worse",
        findings,
    )


def validation_chosen(claim: Claim, data: Published) -> Judgement:
    """No options. Every row of the typed multi-task table is the logged test value at the best
    validation epoch.
    """
    agree, total = table_against_logs(data)
    return Judgement(
        "every row of the typed multi-task table equals the logged test values at the epoch with the best mean "
        "validation score, to the printed digit",
        "test at the best validation epoch",
        {
            "G1": Finding(None, "no four-task log exists"),
            "G2": Finding(agree == total, f"{agree} of {total} rows"),
        },
    )


def weights_stay(claim: Claim, data: Published) -> Judgement:
    """Options: limit. No run with learnable weights ends with one task above the limit."""
    limit = float(claim.options["limit"])
    runs = {w.run: w.collapsed for w in data.weights}
    last = {
        w.run: w.last
        for w in data.weights
        if w.last is not None and w.last == w.last and w.last > limit
    }
    collapsed = sum(c == "yes" for c in runs.values())
    return Judgement(
        f"no surviving log ends with more than {limit:g} of the weight on one task",
        "weights balance the tasks",
        {
            "G1": Finding(
                collapsed == 0,
                f"{collapsed} of {len(runs)} logs end on one task ("
                + ", ".join(f"{run.rsplit('/', 1)[-1]} {value:.5g}" for run, value in last.items())
                + ")",
            ),
            "G2": Finding(None, "the scheme is not used"),
        },
    )


RULES: dict[str, Rule] = {
    r.__name__: r
    for r in (
        shared_matches_full,
        shared_surpasses_full,
        close_to_single,
        parameter_factor,
        computation,
        grouping_sensitive,
        asymmetric,
        prompting,
        validation_chosen,
        weights_stay,
    )
}
