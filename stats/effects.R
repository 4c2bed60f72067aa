# Effect sizes, in base R. Positive means that a is larger.

# Cliff's delta of a against b (unpaired dominance) with the 95 % interval that the study's outputs carry: Cliff's
# unbiased variance, Student's t with n_a + n_b - 2 degrees of freedom, and the asymmetric interval of Feng and Cliff.
# The published intervals come from a path that walks over the rows of the dominance matrix and counts a value of b above
# every value of a as one loss instead of n_a losses when it averages over columns; quirk = TRUE does the same.
# Returns c(delta, low, high). Source of the formulae: Feng & Cliff (2004), JMASM 3(2), 322-332, equations 9 and 12.
cliffs_delta <- function(a, b, quirk = TRUE) {
  n_a <- length(a); n_b <- length(b)
  if (n_a == 0L || n_b == 0L) return(rep(NA_real_, 3))
  sorted_a <- sort(a); sorted_b <- sort(b)
  # In sorted order, as the published values were: a mean that is zero on paper then carries the same rounding noise.
  below <- findInterval(sorted_a, sorted_b, left.open = TRUE)
  above <- n_b - findInterval(sorted_a, sorted_b)
  row_mean <- (below - above) / n_b
  delta <- mean(row_mean)
  if (n_a < 2L || n_b < 2L) return(c(delta, NA_real_, NA_real_))
  column_mean <- ((n_a - findInterval(b, sorted_a)) - findInterval(b, sorted_a, left.open = TRUE)) / n_a
  if (quirk) column_mean[b > sorted_a[n_a]] <- -1 / n_a
  d <- if (abs(delta) == 1) delta * (n_a * n_b - 1) / (n_a * n_b) else delta
  wins <- sum(below); losses <- sum(above)
  squares <- wins * (1 - d)^2 + (n_a * n_b - wins - losses) * d^2 + losses * (1 + d)^2
  variance <- (n_b^2 * sum((row_mean - d)^2) + n_a^2 * sum((column_mean - d)^2) - squares) /
    (n_a * n_b * (n_a - 1) * (n_b - 1))
  z <- -qt(0.025, n_a + n_b - 2)
  half <- suppressWarnings(z * sqrt(variance) * sqrt((1 - d^2)^2 + z^2 * variance))
  below_above <- (d - d^3 + c(-half, half)) / (1 - d^2 + z^2 * variance)
  if (delta == 1) below_above[2] <- 1
  if (delta == -1) below_above[1] <- -1
  c(delta, below_above)
}

# Matched-pairs rank-biserial correlation (Kerby 2014): (W+ - W-) / (W+ + W-) over the ranks of non-zero differences,
# which are those of the signed-rank test (`distinct_differences` in pairs.R), with a percentile bootstrap interval. That
# interval covers too little below 20 non-zero differences, and has no width where all of them point one way; it is then
# missing (not estimable), not wrong. Pairs are resampled as multinomial counts over the distinct differences, which
# is the same as drawing pairs and lets ranks of ties follow from cumulative counts. Returns c(r, low, high).
rank_biserial <- function(a, b, resamples, seed, level = 0.95) {
  difference <- distinct_differences(a, b)
  if (all(difference == 0)) return(rep(NA_real_, 3))
  values <- sort(unique(difference)); counts <- tabulate(match(difference, values), length(values))
  moved <- values != 0
  side <- sign(values[moved]); level_of <- match(abs(values[moved]), sort(unique(abs(values[moved]))))
  correlation <- function(drawn) {
    groups <- rowsum(drawn, level_of)
    # Cumulative counts of each column; whole numbers, so that the order of summation changes nothing.
    ends <- cumsum(groups)
    totals <- ends[seq_len(ncol(groups)) * nrow(groups)]
    ranks <- ends - rep(c(0, totals[-length(totals)]), each = nrow(groups)) - (groups - 1) / 2
    weighted <- drawn * ranks[level_of, , drop = FALSE]
    drop(side %*% weighted) / colSums(weighted)
  }
  estimate <- correlation(matrix(as.double(counts[moved]), ncol = 1))
  if (sum(counts[moved]) < 20 || length(unique(side)) < 2L) return(c(estimate, NA_real_, NA_real_))
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  drawn <- rmultinom(resamples, length(difference), counts / length(difference))[moved, , drop = FALSE]
  storage.mode(drawn) <- "double"
  interval <- quantile(correlation(drawn), c((1 - level) / 2, (1 + level) / 2), na.rm = TRUE, names = FALSE, type = 7)
  c(estimate, interval)
}

# Mean with a percentile bootstrap interval over instances, missing below two values. Returns c(mean, low, high).
bootstrap_mean <- function(x, resamples, seed, level = 0.95) {
  n <- length(x)
  if (n < 2L) return(c(mean(x), NA_real_, NA_real_))
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  means <- colMeans(matrix(sample(x, n * resamples, replace = TRUE), n))
  c(mean(x), quantile(means, c((1 - level) / 2, (1 + level) / 2), names = FALSE, type = 7))
}
