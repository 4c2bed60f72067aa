# Intervals and quantiles that verdicts and contrasts rest on, in base R. An interval is c(low, high).

# One further value of a normal variable, given these (Hahn and Meeker 1991, section 4.7): mean -+ t s sqrt(1 + 1/n).
prediction_interval <- function(x, level = 0.95) {
  n <- length(x)
  if (n < 2L) return(c(NA_real_, NA_real_))
  mean(x) + c(-1, 1) * qt((1 + level) / 2, n - 1) * sd(x) * sqrt(1 + 1 / n)
}

# Mean of paired differences, studentised: mean -+ t s / sqrt(n).
mean_interval <- function(d, level = 0.95) {
  n <- length(d)
  if (n < 2L) return(c(NA_real_, NA_real_))
  mean(d) + c(-1, 1) * qt((1 + level) / 2, n - 1) * sd(d) / sqrt(n)
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
  t <- abs(further - total / n) / (spread * sqrt(1 + 1 / n))
  largest <- quantile(do.call(pmax, as.data.frame(t)), level, names = FALSE)
  min(1 - (1 - level) / m, 1 - 2 * pt(largest, n - 1, lower.tail = FALSE))
}

# Odds ratio of the discordant pairs, only b : only a, with 0.5 added to both counts, and the interval that the exact interval of
# the share only b / (only a + only b) gives (Clopper and Pearson 1934); p of McNemar's test, exact (binomial) below 25 discordant
# pairs, else with continuity correction. only: c(only a, only b). Returns c(odds ratio, low, high, p).
discordant_odds <- function(only, level = 0.95) {
  n <- sum(only)
  if (n == 0) return(rep(NA_real_, 4))
  exact <- binom.test(only[2], n, conf.level = level)
  p <- if (n < 25) exact$p.value else pchisq(max(0, abs(diff(only)) - 1)^2 / n, 1, lower.tail = FALSE)
  c((only[2] + 0.5) / (only[1] + 0.5), exact$conf.int / (1 - exact$conf.int), p)
}
