# Intervals and quantiles that verdicts and contrasts rest on, in base R. An interval is c(low, high).

# One further value of a normal variable, given these (Hahn and Meeker 1991, section 4.7): mean -+ t s sqrt(1 + 1/n).
prediction_interval <- function(x, level = 0.95) {
  if (any(is.infinite(x))) stop("a value that is not finite")
  n <- length(x)
  if (n < 2L) return(c(NA_real_, NA_real_))
  mean(x) + c(-1, 1) * qt((1 + level) / 2, n - 1) * sd(x) * sqrt(1 + 1 / n)
}

# Standard error of a mean, robust against any correlation within clusters: the sandwich estimator of a regression on a constant
# with the factor G / (G - 1) (CR1; Cameron and Miller 2015, Journal of Human Resources 50(2), 317-372, equations 11 and 12).
# With one value a cluster it is s / sqrt(n).
mean_error <- function(d, cluster = seq_along(d)) {
  if (any(is.infinite(d))) stop("a value that is not finite")
  sums <- rowsum(d - mean(d), cluster)
  sqrt(length(sums) / (length(sums) - 1) * sum(sums * sums)) / length(d)
}

# Mean of paired differences, studentised: mean -+ t * error, with one degree of freedom less than there are clusters.
mean_interval <- function(d, cluster = seq_along(d), level = 0.95) {
  k <- length(unique(cluster))
  if (k < 2L) return(c(NA_real_, NA_real_))
  mean(d) + c(-1, 1) * qt((1 + level) / 2, k - 1) * mean_error(d, cluster)
}

# Minimum detectable difference of a two-sided t test at 1 - level with this chance to find it (Bloom 1995, Evaluation Review
# 19(5), 547-556): the two quantiles of t, times the standard error of the mean of the differences d.
detectable_difference <- function(d, cluster = seq_along(d), level = 0.95, power = 0.8) {
  k <- length(unique(cluster))
  error <- if (k < 2L) 0 else mean_error(d, cluster)
  if (error <= 1e-12 * max(abs(d), 0)) return(NA_real_)
  (qt((1 + level) / 2, k - 1) + qt(power, k - 1)) * error
}

# Difference b - a of two paired proportions, a and b of 0 and 1: the adjusted Wald interval of Bonett and Price (2012, JEBS
# 37(4), 479-488), which keeps its level with few pairs and few of them discordant.
paired_proportions_interval <- function(a, b, level = 0.95) {
  if (!all(c(a, b) %in% c(0, 1))) stop("a value other than 0 and 1")
  n <- length(a) + 2
  up <- (sum(b > a) + 1) / n
  down <- (sum(b < a) + 1) / n
  difference <- up - down
  half <- qnorm((1 + level) / 2) * sqrt((up + down - difference^2) / n)
  c(max(-1, difference - half), min(1, difference + half))
}

# Chance that the prediction interval of n values leaves out a further one whose mean lies `shift` standard deviations off.
prediction_power <- function(n, level, shift) {
  if (n < 2) return(0)
  t <- qt((1 + level) / 2, n - 1)
  ncp <- shift / sqrt(1 + 1 / n)
  suppressWarnings(pt(t, n - 1, ncp, lower.tail = FALSE) + pt(-t, n - 1, ncp))
}

# Smallest such shift that is found with probability `power`, in standard deviations; infinite where none is.
prediction_shift <- function(n, level, power) {
  if (n < 2) return(Inf)
  uniroot(function(shift) prediction_power(n, level, shift) - power, c(0, 1e4), extendInt = "upX")$root
}

# Level of each of several prediction intervals of n values at which all of them hold together with probability `level`: that of
# the largest of their t values under normal values with this correlation (a matrix as a vector), by simulation; never above
# Bonferroni's, which holds whatever the correlation.
joint_level <- function(correlation, n, level = 0.95, draws = 10000) {
  m <- round(sqrt(length(correlation)))
  if (m < 2 || n < 2) return(level)
  parts <- eigen(matrix(correlation, m), symmetric = TRUE)
  root <- parts$vectors %*% (sqrt(pmax(parts$values, 0)) * t(parts$vectors))
  root <- root / sqrt(rowSums(root^2))
  set.seed(1)
  values <- function() tcrossprod(matrix(rnorm(draws * m), draws), root)
  further <- values()
  total <- squares <- 0
  for (i in seq_len(n)) {
    drawn <- values()
    total <- total + drawn
    squares <- squares + drawn^2
  }
  spread <- sqrt(pmax(squares - total^2 / n, 0) / (n - 1))
  apart <- abs(further - total / n) / (spread * sqrt(1 + 1 / n))
  largest <- quantile(do.call(pmax, as.data.frame(apart)), level, names = FALSE)
  min(1 - (1 - level) / m, 1 - 2 * pt(largest, n - 1, lower.tail = FALSE))
}

# Odds ratio of the discordant pairs, only b : only a, with 0.5 added to both counts, and its interval: what the exact interval of
# the share only b / (only a + only b) gives (Clopper and Pearson 1934), or with clusters the logarithm with the jackknife's
# standard error over clusters with a discordant pair. Returns c(odds ratio, low, high).
discordant_odds <- function(a, b, cluster = NULL, level = 0.95) {
  odds <- function(at) (sum(b[at] > a[at]) + 0.5) / (sum(b[at] < a[at]) + 0.5)
  moved <- which(a != b)
  if (length(moved) == 0L) return(rep(NA_real_, 3))
  if (is.null(cluster)) {
    share <- binom.test(sum(b > a), length(moved), conf.level = level)$conf.int
    return(c(odds(moved), share / (1 - share)))
  }
  k <- length(unique(cluster[moved]))
  if (k < 10L) return(c(odds(moved), NA_real_, NA_real_))
  error <- jackknife_error(function(at) log(odds(moved[at])), cluster[moved])
  c(odds(moved), odds(moved) * exp(c(-1, 1) * qt((1 + level) / 2, k - 1) * error))
}

# Mean over problems of a rate within [0, 1], such as pass@k: Wilson's interval where each problem is 0 or 1 (Wilson 1927, JASA
# 22(158), 209-212), else the percentiles of the mean over problems drawn with replacement (Efron 1979), from a fixed seed.
rate_interval <- function(x, level = 0.95, resamples = 10000L, seed = 1L) {
  n <- length(x)
  if (n < 2L) return(c(NA_real_, NA_real_))
  if (all(x %in% c(0, 1))) return(as.numeric(suppressWarnings(prop.test(sum(x), n, conf.level = level, correct = FALSE))$conf.int))
  set.seed(seed)
  means <- replicate(resamples, mean(x[sample.int(n, replace = TRUE)]))
  quantile(means, c(1 - level, 1 + level) / 2, names = FALSE)
}
