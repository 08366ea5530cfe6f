# Answers of R's stats and of survey (CRAN) to the synthetic table1_cases.csv. Tests for two groups
# or for more, as the case has; smd_level is built on stats::mahalanobis.
# Rscript table1_answers.R table1_cases.csv > table1_answers.csv
suppressMessages(library(survey))
cases <- read.csv(commandArgs(trailingOnly = TRUE)[1])
largest <- function(parts, difference) {
  pairs <- combn(length(parts), 2)
  max(apply(pairs, 2, function(pair) difference(parts[[pair[1]]], parts[[pair[2]]])))
}
smd_value <- function(a, b) abs(mean(a) - mean(b)) / sqrt((var(a) + var(b)) / 2)
smd_level <- function(a, b) {
  used <- (a + b) > 0
  covariance <- function(p) diag(p, length(p)) - outer(p, p)
  s <- as.vector(a / sum(a))[used]
  t <- as.vector(b / sum(b))[used]
  sqrt(mahalanobis(s[-1], t[-1], ((covariance(s) + covariance(t)) / 2)[-1, -1, drop = FALSE]))
}
answers <- do.call(rbind, lapply(unique(cases$case), function(name) {
  x <- cases[cases$case == name, ]
  x$group <- factor(x$group)
  two <- nlevels(x$group) == 2
  by_group <- split(x$value, x$group)
  counts <- table(x$level, x$group)
  design <- svydesign(ids = ~cluster, data = x, weights = ~1)
  fitted <- svyglm(value ~ group, design)
  ranked <- suppressWarnings(svyranktest(value ~ group, design))
  data.frame(
    case = name,
    shapiro = min(sapply(by_group, function(v) shapiro.test(v)$p.value)),
    welch = oneway.test(value ~ group, x)$p.value,
    ranks = suppressWarnings(
      if (two) wilcox.test(value ~ group, x)$p.value else kruskal.test(value ~ group, x)$p.value),
    pearson = suppressWarnings(chisq.test(counts, correct = FALSE)$p.value),
    fisher = fisher.test(counts, workspace = 2e7)$p.value,
    smd_value = largest(by_group, smd_value),
    smd_level = largest(asplit(counts, 2), smd_level),
    clustered_mean = c(regTermTest(fitted, ~group)$p),
    clustered_rank = c(ranked$p.value),
    clustered_level = suppressWarnings(c(svychisq(~level + group, design)$p.value)),
    r = as.character(getRversion()), survey = as.character(packageVersion("survey"))
  )
}))
write.csv(format(answers, digits = 15), quote = 1, row.names = FALSE)
