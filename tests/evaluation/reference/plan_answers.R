# Sample sizes for two paired AUCs from the building blocks of pROC (CRAN).
# binormal: patients with a positive outcome by Obuchowski & McClish 1997. pROC's function for the
# variance lacks a term (github.com/xrobin/pROC/issues/122), so power.roc.test asks for too many;
# its function for the covariance is whole, and a model's covariance with itself is its variance.
# empirical: power.roc.test itself, which takes DeLong's variances, for the synthetic roc_cases.csv.
# Rscript plan_answers.R roc_cases.csv > plan_answers.csv
suppressMessages(library(pROC))
cases <- read.csv(commandArgs(trailingOnly = TRUE)[1])
row <- function(kind, name, auc1, auc2, rn, ra, kappa, power, positives, asked) data.frame(
  kind = kind, name = name, auc1 = auc1, auc2 = auc2, correlation_negative = rn,
  correlation_positive = ra, negatives_per_positive = kappa, power = power,
  positives = positives, power_roc_test = asked,
  r = as.character(getRversion()), pROC = as.character(packageVersion("pROC"))
)
grid <- expand.grid(pair = 1:3, correlation = 1:3, kappa = c(1, 3), power = c(0.8, 0.9))
pairs <- rbind(c(0.75, 0.80), c(0.80, 0.85), c(0.88, 0.80))
correlations <- rbind(c(0.5, 0.5), c(0.3, 0.6), c(0, 0))
binormal <- do.call(rbind, lapply(seq_len(nrow(grid)), function(i) {
  g <- grid[i, ]
  auc <- pairs[g$pair, ]
  r <- correlations[g$correlation, ]
  a <- sqrt(2) * qnorm(auc)
  shared <- function(one, two, rn, ra)
    pROC:::cov.params.obuchowski(one, 1, two, 1, rn, ra, g$kappa)
  variance <- shared(a[1], a[1], 1, 1) + shared(a[2], a[2], 1, 1) -
    2 * shared(a[1], a[2], r[1], r[2])
  positives <- (qnorm(0.975) + qnorm(g$power))^2 * variance / diff(auc)^2
  parameters <- list(
    A1 = a[1], B1 = 1, A2 = a[2], B2 = 1, rn = r[1], ra = r[2], delta = auc[2] - auc[1]
  )
  asked <- power.roc.test(parameters, power = g$power, kappa = g$kappa)$ncases
  row("binormal", paste0("pair", g$pair), auc[1], auc[2], r[1], r[2], g$kappa, g$power,
    positives, asked)
}))
empirical <- do.call(rbind, lapply(unique(cases$case), function(name) {
  x <- cases[cases$case == name, ]
  one <- roc(x$label, x$first, levels = c(0, 1), direction = "<", quiet = TRUE)
  two <- roc(x$label, x$second, levels = c(0, 1), direction = "<", quiet = TRUE)
  kappa <- sum(x$label == 0) / sum(x$label == 1)
  asked <- power.roc.test(one, two, power = 0.8)$ncases
  row("empirical", name, as.numeric(auc(one)), as.numeric(auc(two)), NA, NA, kappa, 0.8, NA, asked)
}))
write.csv(rbind(binormal, empirical), quote = FALSE, row.names = FALSE)
