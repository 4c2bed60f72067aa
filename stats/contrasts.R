# What a published figure is worth: standard errors in the figure's own unit, over test examples (a seed's share is not known),
# baselines without training, and quantiles. In base R.

# Accuracy p over n examples: binomial.
error_of_accuracy <- function(p, n) sqrt(p * (1 - p) / n)

# F1 of the positive class with a fixed number of positives: delta method for binomial true and Poisson false positives, taken
# where precision = recall = F.
error_of_f1 <- function(f, positives) sqrt(f * (1 - f) * (4 - 3 * f + f * f) / (4 * positives))

# Mean of n values whose standard deviation is assumed.
error_of_mean <- function(deviation, n) deviation / sqrt(n)

# Standard error of a mean of independent values.
error_of_average <- function(errors) sqrt(sum(errors * errors)) / length(errors)

# Standard error of a sum or difference of independent values.
error_of_difference <- function(errors) sqrt(sum(errors * errors))

# Expected reciprocal rank of one right answer among n in random order.
random_reciprocal_rank <- function(n) sum(1 / seq_len(n)) / n

# Range that k equal values with known standard error stay below with probability `level`, in standard errors (Tukey).
range_by_chance <- function(k, level = 0.95) qtukey(level, k, Inf)

# Standard deviation of values around the means of their groups (coded 1, 2, ...), pooled; NA where no group has two values.
pooled_deviation <- function(values, group) {
  free <- length(values) - length(unique(group))
  if (free < 1L) return(NA_real_)
  sqrt(sum((values - ave(values, group))^2) / free)
}

# Mean, standard deviation and interval of the mean of a few independent values (Student's t); one value has neither.
mean_over_seeds <- function(values, level = 0.95) {
  n <- length(values)
  if (n < 2L) return(c(mean(values), NA_real_, NA_real_, NA_real_))
  c(mean(values), sd(values), mean(values) + c(-1, 1) * qt((1 + level) / 2, n - 1) * sd(values) / sqrt(n))
}
