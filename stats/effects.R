# Effect sizes, in base R. Positive means that a is larger.

# Cliff's delta of a against b (unpaired dominance) with the 95 % interval that the study's outputs carry: Cliff's
# unbiased variance, Student's t with n_a + n_b - 2 degrees of freedom, and the asymmetric interval of Feng and Cliff.
# The published intervals come from a path that walks over the rows of the dominance matrix and counts a value of b above
# every value of a as one loss instead of n_a losses when it averages over columns; quirk = TRUE does the same.
# Returns c(delta, low, high). Source of the formulae: Feng & Cliff (2004), JMASM 3(2), 322-332, equations 9 and 12.
# quirk = FALSE also compares values to 12 digits and gives no interval where it has no width.
cliffs_delta <- function(a, b, quirk = TRUE) {
  if (!all(is.finite(a), is.finite(b))) stop("a value that is not finite")
  n_a <- length(a); n_b <- length(b)
  if (n_a == 0L || n_b == 0L) return(rep(NA_real_, 3))
  if (!quirk) {
    scale <- max(abs(a), abs(b))
    a <- to_twelve_digits(a, scale); b <- to_twelve_digits(b, scale)
  }
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
  if (!quirk && !isTRUE(below_above[1] < below_above[2])) below_above <- rep(NA_real_, 2)
  c(delta, below_above)
}

# Standard error of an estimate by leaving out one group of observations after the other (the delete-a-group jackknife; with one
# observation a group, the jackknife: Efron and Stein 1981). estimate: of the observations at given positions.
jackknife_error <- function(estimate, group) {
  at <- seq_along(group)
  jackknife_error_of(vapply(split(at, group), function(out) estimate(at[-out]), 0))
}

# The same from the estimates themselves, each without one group.
jackknife_error_of <- function(left) {
  k <- length(left)
  if (k < 2L) NA_real_ else sqrt((k - 1) / k * sum((left - mean(left))^2))
}

# Matched-pairs rank-biserial correlation (Kerby 2014): (W+ - W-) / (W+ + W-) over the signed ranks of the test. Its interval:
# Fisher's z of it, with the jackknife's standard error and Student's t with one degree of freedom less than there are groups
# (pairs whose difference is not zero, or clusters of them). Missing (not estimable) below 10 groups, and where all
# differences point one way: nothing then tells how far from 1 it is. Returns c(r, low, high).
rank_biserial <- function(a, b, cluster = NULL, level = 0.95) {
  difference <- distinct_differences(a, b)
  moved <- which(difference != 0)
  if (length(moved) == 0L) return(rep(NA_real_, 3))
  difference <- difference[moved]
  group <- if (is.null(cluster)) seq_along(moved) else cluster[moved]
  correlation <- function(at) {
    ranks <- rank(abs(difference[at]))
    sum(sign(difference[at]) * ranks) / sum(ranks)
  }
  r <- correlation(seq_along(moved))
  k <- length(unique(group))
  if (k < 10L || abs(r) == 1) return(c(r, NA_real_, NA_real_))
  error <- if (is.null(cluster)) jackknife_error_of(without_one(difference)) else jackknife_error(correlation, group)
  error <- error / (1 - r^2)
  c(r, tanh(atanh(r) + c(-1, 1) * qt((1 + level) / 2, k - 1) * error))
}

# The rank-biserial correlation of differences that are not zero without the first of them, without the second, and so on: without
# one, the ranks above it fall by 1 and those equal to it by 1/2. All sums are of halves and exact, as if the rest were ranked anew.
without_one <- function(difference) {
  n <- length(difference)
  size <- abs(difference)
  signs <- sign(difference)
  ranks <- rank(size)
  by_size <- order(size)
  running <- c(0, cumsum(signs[by_size]))
  up_to <- running[findInterval(size, size[by_size]) + 1]
  below <- running[findInterval(size, size[by_size], left.open = TRUE) + 1]
  fallen <- (sum(signs) - up_to) + (up_to - below - signs) / 2
  (sum(signs * ranks) - signs * ranks - fallen) / (n * (n - 1) / 2)
}

# Mean with a percentile bootstrap interval over instances, missing below two values. Returns c(mean, low, high).
bootstrap_mean <- function(x, resamples, seed, level = 0.95) {
  n <- length(x)
  if (n < 2L) return(c(mean(x), NA_real_, NA_real_))
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  means <- colMeans(matrix(sample(x, n * resamples, replace = TRUE), n))
  c(mean(x), quantile(means, c((1 - level) / 2, (1 + level) / 2), names = FALSE, type = 7))
}
