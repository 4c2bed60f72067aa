# Paired tests of the studies, in base R. Called from code/mtpeft/statistics through one embedded session.

# Differences a - b in which equal is equal: to 12 significant digits of the largest value on either side. Sums and means of
# decimals differ in their last binary digits; ranks would turn that noise into wins, losses and broken ties.
distinct_differences <- function(a, b) {
  if (!all(is.finite(a), is.finite(b))) stop("a value that is not finite")
  difference <- a - b
  scale <- max(0, abs(a), abs(b))
  if (scale == 0) return(difference)
  unit <- 10^(floor(log10(scale)) - 11)
  round(difference / unit) * unit
}

# Exact distribution of the signed-rank statistic given the ranks (ties have middle ranks): every sign of every difference is
# equally likely. Twice a rank is whole, so that sums can be counted. Returns the two-sided p of V.
signed_rank_exact <- function(ranks, v) {
  doubled <- as.integer(round(2 * ranks))
  ways <- c(1, numeric(sum(doubled)))
  for (r in doubled) ways <- (ways + c(numeric(r), ways[seq_len(length(ways) - r)])) / 2
  at <- round(2 * v) + 1
  min(1, 2 * min(sum(ways[seq_len(at)]), sum(ways[at:length(ways)])))
}

# Wilcoxon signed-rank test of a against b (equal length, no missing values), two-sided. Returns c(V, p).
# published = FALSE: differences as `distinct_differences` has them, zeros dropped; exact below 25 of them (a permutation test,
# so that ties do no harm), else the normal approximation without continuity correction.
# published = TRUE: as the study's scripts: ties and zeros as binary noise decides them; missing where they print NA: both sides
# constant, or no difference at all. exactness = "normal": always the approximation, without continuity correction; "r-default":
# whatever wilcox.test decides (exact below 50 pairs without ties and zeros, else with continuity correction).
signed_rank <- function(a, b, published = FALSE, exactness = "normal") {
  if (published) {
    constant <- function(x) length(unique(x)) < 2L
    if (length(a) == 0L || (constant(a) && constant(b)) || all(a == b)) return(c(NA_real_, NA_real_))
    test <- switch(exactness,
      normal = wilcox.test(a, b, alternative = "two.sided", paired = TRUE, exact = FALSE, correct = FALSE),
      `r-default` = suppressWarnings(wilcox.test(a, b, paired = TRUE)),
      stop("unknown exactness ", exactness))
    return(c(unname(test$statistic), test$p.value))
  }
  difference <- distinct_differences(a, b)
  difference <- difference[difference != 0]
  if (length(difference) == 0L) return(c(NA_real_, NA_real_))
  ranks <- rank(abs(difference))
  v <- sum(ranks[difference > 0])
  if (length(difference) < 25L) return(c(v, signed_rank_exact(ranks, v)))
  test <- wilcox.test(difference, alternative = "two.sided", exact = FALSE, correct = FALSE)
  c(v, test$p.value)
}

# McNemar's test with continuity correction on two vectors of 0 and 1, with the odds ratio of the discordant pairs,
# 0.5 added to both counts. Returns c(chi-squared, p, both, only a, only b, neither, odds ratio).
discordance <- function(a, b) {
  if (!all(c(a, b) %in% c(0, 1))) stop("a value other than 0 and 1")
  both <- sum(a == 1 & b == 1)
  only_a <- sum(a == 1 & b == 0)
  only_b <- sum(a == 0 & b == 1)
  neither <- sum(a == 0 & b == 0)
  if (only_a + only_b == 0L) {
    tested <- c(NA_real_, NA_real_)
  } else {
    test <- mcnemar.test(matrix(c(both, only_b, only_a, neither), 2), correct = TRUE)
    tested <- c(unname(test$statistic), test$p.value)
  }
  c(tested, both, only_a, only_b, neither, (only_a + 0.5) / (only_b + 0.5))
}

# Adjusted p-values of one family; missing ones do not count. Returns a matrix of columns holm and BH.
adjust_family <- function(p) cbind(holm = p.adjust(p, "holm"), BH = p.adjust(p, "BH"))
