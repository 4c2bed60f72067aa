# Agreement of several observers (judges, or runs of one judge) on the same units, in base R.

# Krippendorff's alpha, 1 - observed / expected disagreement, of values that stand in units; a unit with one value alone is left
# out. measure: "nominal", "ordinal" or "interval". weight: how often each unit counts (the bootstrap's draws).
# In terms of sums of squares: the sum of squared differences of all pairs of m values is m times their sum of squares about their
# mean; ordinal values are the middle ranks of all pairable values, nominal ones indicators of each category. Missing where the
# pairable values are all equal. Source: Krippendorff (2011), Computing Krippendorff's alpha-reliability, section D.
alpha_of <- function(value, unit, measure, weight = rep(1, max(0, unit))) {
  size <- tabulate(unit, length(weight))
  there <- size[unit] > 1 & weight[unit] > 0
  if (!any(there)) return(NA_real_)
  value <- value[there]; unit <- unit[there]; w <- weight[unit]
  levels <- sort(unique(value)); at <- match(value, levels)
  if (length(levels) < 2L) return(NA_real_)
  x <- switch(measure,
    nominal = outer(at, seq_along(levels), "==") + 0,
    ordinal = { n <- rowsum(w, at)[, 1]; cbind((cumsum(n) - n / 2)[at]) },
    interval = cbind(value),
    stop("unknown measure ", measure))
  n <- sum(w)
  within <- x - (rowsum(x, unit) / tabulate(unit)[sort(unique(unit))])[match(unit, sort(unique(unit))), , drop = FALSE]
  about <- x - rep(colSums(w * x) / n, each = nrow(x))
  m <- size[unit]
  1 - (n - 1) / n * sum(w * m / (m - 1) * within^2) / sum(w * about^2)
}

# Alpha with its percentile bootstrap interval: units are drawn with replacement. Values that are equal to 12 digits are equal. The
# interval is missing (not estimable) where a draw has no alpha, since to leave such draws out would be to leave out what speaks
# against agreement, and where it has no width. Returns c(alpha, low, high, units with two or more values, their values).
agreement <- function(value, unit, measure, resamples, seed, level = 0.95) {
  if (!all(is.finite(value))) stop("a value that is not finite")
  value <- to_twelve_digits(value, max(0, abs(value)))
  unit <- match(unit, unique(unit))
  size <- tabulate(unit)
  used <- which(size > 1L)
  estimate <- alpha_of(value, unit, measure)
  result <- c(estimate, NA_real_, NA_real_, length(used), sum(size[used]))
  if (is.na(estimate)) return(result)
  set.seed(seed, kind = "Mersenne-Twister", normal.kind = "Inversion", sample.kind = "Rejection")
  draws <- rmultinom(resamples, length(used), rep(1, length(used)))
  drawn <- apply(draws, 2, function(count) alpha_of(value, unit, measure, replace(numeric(length(size)), used, count)))
  if (anyNA(drawn)) return(result)
  bounds <- quantile(drawn, c((1 - level) / 2, (1 + level) / 2), names = FALSE, type = 7)
  if (bounds[1] < bounds[2]) result[2:3] <- bounds
  result
}
