# Paired tests of the studies, in base R. Called from code/mtpeft/statistics through one embedded session.

# Values to the twelfth significant digit of a scale, so that what is equal on paper is equal: sums and means of decimals differ in
# their last binary digits, and ranks would turn that noise into wins, losses and broken ties.
to_twelve_digits <- function(x, scale) {
  if (scale < 1e-290) return(x)
  per_unit <- 10^(11 - floor(log10(scale)))
  round(x * per_unit) / per_unit
}

# Differences a - b, to 12 significant digits of the largest value on either side.
distinct_differences <- function(a, b) {
  difference <- a - b
  if (!all(is.finite(a), is.finite(b), is.finite(difference))) stop("a value that is not finite")
  to_twelve_digits(difference, max(0, abs(a), abs(b)))
}

# Two-sided p of a sum of terms whose signs are equally likely, each independent of the others, given their sizes: multiples of
# one half (middle ranks, counts, sums of both). Below 25 terms that are not zero by the exact distribution (every sign of every
# term), else by the normal approximation without continuity correction. Terms of single pairs: Wilcoxon's signed-rank test, or
# McNemar's; sums over clusters: Rosner, Glynn and Lee (2006), Biometrics 62(1), 185-192.
random_signs_p <- function(terms) {
  terms <- terms[terms != 0]
  if (length(terms) == 0L) return(1)
  if (length(terms) >= 25L) return(2 * pnorm(-abs(sum(terms)) / sqrt(sum(terms * terms))))
  doubled <- as.integer(round(2 * abs(terms)))
  ways <- c(1, numeric(sum(doubled)))
  for (size in doubled) ways <- (ways + c(numeric(size), ways[seq_len(length(ways) - size)])) / 2
  at <- sum(doubled[terms > 0]) + 1
  min(1, 2 * min(sum(ways[seq_len(at)]), sum(ways[at:length(ways)])))
}

# Signed ranks of the differences a - b that are not zero, in the order of the pairs; zeros stay zero.
signed_ranks <- function(a, b) {
  difference <- distinct_differences(a, b)
  moved <- difference != 0
  difference[moved] <- sign(difference[moved]) * rank(abs(difference[moved]))
  difference
}

# Wilcoxon signed-rank test of a against b (equal length, no missing values), two-sided. Returns c(V, p).
# published = FALSE: differences as `distinct_differences` has them, zeros dropped; exact below 25 of them (a permutation test,
# so that ties do no harm), else the normal approximation without continuity correction.
# published = TRUE: as the study's scripts: ties and zeros as binary noise decides them; missing where they print NA: both sides
# constant, or no difference at all. exactness = "normal": always the approximation, without continuity correction; "r-default":
# whatever wilcox.test decides (exact below 50 pairs without ties and zeros, else with continuity correction).
# cluster: for each pair a number of the group that it belongs to (project, file); the signs of a group are then one draw.
signed_rank <- function(a, b, cluster = NULL, published = FALSE, exactness = "normal") {
  if (published) {
    constant <- function(x) length(unique(x)) < 2L
    if (length(a) == 0L || (constant(a) && constant(b)) || all(a == b)) return(c(NA_real_, NA_real_))
    test <- switch(exactness,
      normal = wilcox.test(a, b, alternative = "two.sided", paired = TRUE, exact = FALSE, correct = FALSE),
      `r-default` = suppressWarnings(wilcox.test(a, b, paired = TRUE)),
      stop("unknown exactness ", exactness))
    return(c(unname(test$statistic), test$p.value))
  }
  ranks <- signed_ranks(a, b)
  if (all(ranks == 0)) return(c(NA_real_, NA_real_))
  sums <- if (is.null(cluster)) ranks else rowsum(ranks, cluster)
  c(sum(ranks[ranks > 0]), random_signs_p(sums))
}

# McNemar's test on two vectors of 0 and 1, with the odds ratio of the discordant pairs, 0.5 added to both counts.
# Returns c(chi-squared, p, both, only a, only b, neither, odds ratio). published = TRUE: as the study's scripts, always
# with continuity correction; else exact (binomial) below 25 discordant pairs, without a chi-squared, or by clusters
# (`random_signs_p`).
discordance <- function(a, b, cluster = NULL, published = FALSE) {
  if (!all(c(a, b) %in% c(0, 1))) stop("a value other than 0 and 1")
  both <- sum(a == 1 & b == 1)
  only_a <- sum(a == 1 & b == 0)
  only_b <- sum(a == 0 & b == 1)
  neither <- sum(a == 0 & b == 0)
  n <- only_a + only_b
  tested <- c(NA_real_, NA_real_)
  if (n > 0L && !is.null(cluster)) {
    tested[2] <- random_signs_p(rowsum(a - b, cluster))
  } else if (n > 0L && (published || n >= 25L)) {
    test <- mcnemar.test(matrix(c(both, only_b, only_a, neither), 2), correct = TRUE)
    tested <- c(unname(test$statistic), test$p.value)
  } else if (n > 0L) {
    tested[2] <- binom.test(only_a, n)$p.value
  }
  c(tested, both, only_a, only_b, neither, (only_a + 0.5) / (only_b + 0.5))
}

# Adjusted p-values of one family; missing ones do not count. Returns a matrix of columns holm and BH.
adjust_family <- function(p) cbind(holm = p.adjust(p, "holm"), BH = p.adjust(p, "BH"))
