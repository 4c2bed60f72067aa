"""The statistics stage against one R process per comparison script that does the same tests.

    python tests/bench/bench_statistics.py [--rounds 3]

The other side is written here: for each comparison of study A an R program that reads one CSV file
per run and tool, as the study's scripts do, and runs both protocols: signed-rank or McNemar's test,
Cliff's delta through an outer() dominance matrix, adjustment within families, and for the corrected
protocol pairing by id and the jackknife of the rank-biserial correlation. Both sides must give the
same figures, else the times mean nothing. Rounds alternate between the sides; the median counts. Time of whole processes, start to written
result.
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mtpeft.catalog import Catalog, Comparison, catalog
from mtpeft.catalog.places import score_roots
from mtpeft.core.records import ScoreSet, Test, read_records

TARGET = 2.0
STAGE = "mtpeft statistics"
SCRIPTS = "one R process per script"

LIBRARY = r"""
digits12 <- function(x, scale) { u <- 10^(11 - floor(log10(scale))); if (scale > 0) round(x * u) / u else x }
rounded <- function(a, b) digits12(a - b, max(abs(a), abs(b)))
rank_biserial <- function(a, b) {
  d <- rounded(a, b); d <- d[d != 0]; n <- length(d)
  correlation <- function(d) { r <- rank(abs(d)); sum(sign(d) * r) / sum(r) }
  if (n == 0) return(rep(NA_real_, 3))
  r <- correlation(d)
  if (n < 10 || abs(r) == 1) return(c(r, NA, NA))
  left <- numeric(n)
  for (i in 1:n) left[i] <- correlation(d[-i])
  error <- sqrt((n - 1) / n * sum((left - mean(left))^2)) / (1 - r^2)
  c(r, tanh(atanh(r) + c(-1, 1) * qt(0.975, n - 1) * error))
}
corrected_p <- function(a, b) {
  d <- rounded(a, b); d <- d[d != 0]
  if (length(d) == 0) return(NA)
  if (length(d) >= 25) return(wilcox.test(d, exact = FALSE, correct = FALSE)$p.value)
  r <- rank(abs(d)); sums <- 0; weights <- 1
  for (x in r) {
    both <- rowsum(c(weights, weights) / 2, c(sums, sums + x))
    sums <- as.numeric(rownames(both)); weights <- both[, 1]
  }
  v <- sum(r[d > 0])
  min(1, 2 * min(sum(weights[sums <= v + 1e-9]), sum(weights[sums >= v - 1e-9])))
}
read_side <- function(file) { d <- read.csv(file, check.names = FALSE); d$instance_id <- as.character(d$instance_id); d }
unreadable <- function(side, rule) {
  if (length(rule) == 0 || !all(names(rule) %in% names(side))) return(character(0))
  hit <- rep(TRUE, nrow(side))
  for (name in names(rule)) hit <- hit & side[[name]] == rule[[name]]
  side$instance_id[hit]
}
delta_of <- function(a, b, quirk) {
  if (!quirk) { scale <- max(abs(a), abs(b)); a <- digits12(a, scale); b <- digits12(b, scale) }
  n <- length(a); m <- length(b)
  dominance <- sign(outer(a, b, "-"))
  delta <- mean(rowMeans(dominance))
  rows <- rowMeans(dominance); columns <- colMeans(dominance)
  if (quirk) columns[b > max(a)] <- -1 / n
  d <- if (abs(delta) == 1) delta * (n * m - 1) / (n * m) else delta
  v <- (m^2 * sum((rows - d)^2) + n^2 * sum((columns - d)^2) - sum((dominance - d)^2)) / (n * m * (n - 1) * (m - 1))
  z <- -qt(0.025, n + m - 2)
  half <- suppressWarnings(z * sqrt(v) * sqrt((1 - d^2)^2 + z^2 * v))
  c(delta, (d - d^3 + c(-half, half)) / (1 - d^2 + z^2 * v))
}
one_test <- function(test, a, b, quirk) {
  if (test == "mcnemar") {
    x <- sum(a == 1 & b == 0); y <- sum(a == 0 & b == 1)
    counts <- matrix(c(sum(a == 1 & b == 1), y, x, sum(a == 0 & b == 0)), 2)
    p <- if (x + y == 0) NA else if (quirk || x + y >= 25) mcnemar.test(counts, correct = TRUE)$p.value else
      binom.test(x, x + y)$p.value
    return(c(p, (x + 0.5) / (y + 0.5), NA, NA, NA, NA))
  }
  p <- if (!quirk) corrected_p(a, b) else if (length(unique(a)) < 2 && length(unique(b)) < 2) NA else
    wilcox.test(a, b, alternative = "two.sided", paired = TRUE, exact = FALSE, correct = FALSE)$p.value
  c(p, delta_of(a, b, quirk), if (quirk) c(NA, NA) else rank_biserial(a, b)[1:2])
}
compare <- function(test, position, places, rule, excused) {
  for (place in places) {
    a <- read_side(place$a); b <- read_side(place$b)
    for (metric in place$metrics) {
      if (position) { n <- min(nrow(a), nrow(b)); pa <- a[[metric]][1:n]; pb <- b[[metric]][1:n] }
      else { ids <- a$instance_id[a$instance_id %in% b$instance_id]
             pa <- a[[metric]][match(ids, a$instance_id)]; pb <- b[[metric]][match(ids, b$instance_id)] }
      emit(place, metric, "as-published", one_test(test, pa, pb, TRUE))
      lost <- if (metric %in% place$excused) character(0) else c(unreadable(a, place$rule), unreadable(b, place$rule))
      ids <- setdiff(a$instance_id[a$instance_id %in% b$instance_id], lost)
      emit(place, metric, "corrected", one_test(test, a[[metric]][match(ids, a$instance_id)],
                                                b[[metric]][match(ids, b$instance_id)], FALSE))
    }
  }
}
rows <- list()
emit <- function(place, metric, protocol, values)
  rows[[length(rows) + 1L]] <<- data.frame(block = place$block, family = place$family, metric, protocol, p = values[1],
                                           effect = values[2], low = values[3], high = values[4], r = values[5],
                                           r_low = values[6])
finish <- function(file) {
  d <- do.call(rbind, rows)
  d$p_holm <- NA; d$p_bh <- NA
  for (f in unique(paste(d$family, d$protocol))) {
    here <- paste(d$family, d$protocol) == f
    d$p_holm[here] <- p.adjust(d$p[here], "holm"); d$p_bh[here] <- p.adjust(d$p[here], "BH")
  }
  write.csv(format(d, digits = 17), file, row.names = FALSE, quote = FALSE)
}
"""


def text(value: object) -> str:
    """A Python value as R source."""
    if isinstance(value, dict):
        return "list(" + ", ".join(f"`{k}` = {text(v)}" for k, v in value.items()) + ")"
    if isinstance(value, list):
        return "c(" + ", ".join(map(text, value)) + ")"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def write_sides(scores: ScoreSet, folder: Path) -> None:
    """One CSV file per tool, evaluation set and run, as the study keeps them."""
    for (tool, task), frame in scores.tables.items():
        for run, part in frame.groupby("run"):
            part.drop(columns=["run", "row", "status"]).to_csv(
                side_path(folder, tool, task, str(run)), index=False
            )


def side_path(folder: Path, tool: str, task: str, run: str) -> Path:
    return folder / f"{tool}--{task}--{run.replace('/', '_')}.csv"


def program(comparison: Comparison, scores: ScoreSet, known: Catalog, folder: Path) -> str:
    """The R program of one comparison."""
    places = []
    for block in comparison.blocks:
        task = block.task or comparison.task
        by_tool: dict[str, list[str]] = {}
        for metric in comparison.metrics:
            if scores.has(block.a, task, metric) and scores.has(block.b, task, metric):
                by_tool.setdefault(known.metrics()[metric][0].id, []).append(metric)
        for tool_id, metrics in by_tool.items():
            tool = known.tools[tool_id]
            excused = [
                m for m in metrics if tool.unparseable_metrics and m not in tool.unparseable_metrics
            ]
            places.append(
                text(
                    {
                        "block": block.id,
                        "family": block.id if comparison.family == "block" else "all",
                        "metrics": metrics,
                        "a": str(side_path(folder, tool_id, task, block.a)),
                        "b": str(side_path(folder, tool_id, task, block.b)),
                        "rule": {k: float(v) for k, v in tool.unparseable_when.items()},
                        "excused": excused,
                    }
                )
            )
    body = ",\n".join(places)
    return (
        f"{LIBRARY}\n"
        f"compare({text(comparison.test)}, {'TRUE' if comparison.pairing == 'position' else 'FALSE'}, list(\n{body}))\n"
        f"if (length(rows)) finish({text(str(folder / (comparison.id + '.out')))})\n"
    )


def timed(commands: list[list[str]], **environment: str) -> tuple[float, float]:
    """Wall and processor seconds of commands run one after the other."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        time.perf_counter() - start,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )


def disagreements(out: Path, folder: Path, comparisons: list[Comparison]) -> list[str]:
    """Figures in which the two sides differ: p, effects, adjusted p where the family is complete."""
    tests = {
        (t.comparison, t.block, t.metric, t.protocol): t
        for t in read_records(out / "statistics" / "tests.csv", Test)
        if not t.note.startswith("no archived scores")
    }
    wrong: list[str] = []
    compared = 0
    for comparison in comparisons:
        path = folder / f"{comparison.id}.out"
        for row in csv.DictReader(path.open()) if path.exists() else ():
            test = tests.pop((comparison.id, row["block"], row["metric"], row["protocol"]))
            effect = test.odds_ratio if comparison.test == "mcnemar" else test.cliffs_delta
            pairs = [("p", test.p), ("effect", effect)]
            if row["protocol"] == "corrected" and comparison.test == "wilcoxon":
                pairs += [("r", test.rank_biserial), ("r_low", test.rank_biserial_low)]
            if not test.note:
                pairs += [("p_holm", test.p_holm), ("p_bh", test.p_bh)]
            for name, ours in pairs:
                printed = row[name].strip()
                theirs = float("nan") if printed in ("NA", "NaN") else float(printed)
                compared += 1
                if ours != ours and theirs != theirs:
                    continue
                if not abs(ours - theirs) <= 1e-9 * abs(ours) + 1e-15:
                    wrong.append(
                        f"{comparison.id} {row['block']} {row['metric']} {row['protocol']} {name}: {ours}, {theirs}"
                    )
    wrong += [f"{key}: not computed by the R programs" for key in tests]
    print(f"{compared} figures compared, {len(wrong)} differ")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    known = catalog()
    scores, comparisons = (
        ScoreSet.load(*score_roots(known)),
        known.of("comparisons", "multitask-qlora"),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_sides(scores, folder)
        sides: dict[str, tuple[list[list[str]], dict[str, str]]] = {}
        commands = []
        for comparison in comparisons:
            script = folder / f"{comparison.id}.R"
            script.write_text(program(comparison, scores, known, folder))
            commands.append(["Rscript", "--vanilla", str(script)])
        sides[SCRIPTS] = commands, {}
        sides[STAGE] = (
            [[sys.executable, "-m", "mtpeft", "statistics"]],
            {"MTPEFT_OUT": str(folder / "out")},
        )
        times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
        for _ in range(rounds):
            for side, (commands, environment) in sides.items():
                times[side].append(timed(commands, **environment))
        wrong = disagreements(folder / "out", folder, comparisons)
    for line in wrong[:10]:
        print(line)
    medians = {}
    for side, each in times.items():
        medians[side], processor = (statistics.median(t[i] for t in each) for i in (0, 1))
        walls = ", ".join(f"{t[0]:.2f}" for t in each)
        print(f"{side:48} wall {medians[side]:6.2f} s (of {walls}), processor {processor:6.2f} s")
    ratio = medians[SCRIPTS] / medians[STAGE]
    print(
        f"ratio {ratio:.1f} (target {TARGET:g} or more); "
        f"{len(comparisons)} comparisons, load {os.getloadavg()[0]:.1f}"
    )
    return 1 if wrong or ratio < TARGET else 0


if __name__ == "__main__":
    sys.exit(main())
