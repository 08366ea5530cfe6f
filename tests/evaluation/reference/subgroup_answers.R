# Whether groups of patients differ, by pROC (CRAN) and R's own stats:
# - AUCs of two groups: pROC's unpaired DeLong test. The groups are the synthetic cases of
#   roc_cases.csv; statistic squared, Welch's degrees of freedom, p.
# - AUCs of several groups: Welch's oneway.test on data made to have each group's AUC as mean and
#   pROC's variance of it as squared standard error.
# - Proportions of the same subjects: mcnemar.test, and Cochran's Q as mantelhaen.test, of
#   subgroup_calls.csv. Proportions of different patients: chisq.test, the columns as groups.
# Rscript subgroup_answers.R roc_cases.csv subgroup_calls.csv > subgroup_answers.csv
suppressMessages(library(pROC))
arguments <- commandArgs(trailingOnly = TRUE)
cases <- read.csv(arguments[1])
calls <- read.csv(arguments[2])

answer <- function(test, groups, statistic, df, p) {
  data.frame(
    test = test, groups = paste(groups, collapse = "+"), statistic = unname(statistic),
    df = unname(df), p = p, r = as.character(getRversion()),
    pROC = as.character(packageVersion("pROC"))
  )
}
curves <- lapply(split(cases, cases$case), function(x) {
  roc(x$label, x$first, levels = c(0, 1), direction = "<", quiet = TRUE)
})
unpaired <- function(pair) {
  test <- roc.test(curves[[pair[1]]], curves[[pair[2]]], method = "delong", paired = FALSE)
  answer("delong", pair, test$statistic^2, test$parameter, test$p.value)
}
welch <- function(groups) {
  set.seed(1)
  values <- lapply(curves[groups], function(curve) {
    n <- length(curve$response)
    as.numeric(auc(curve)) + sqrt(n * var(curve, method = "delong")) * scale(rnorm(n))[, 1]
  })
  test <- oneway.test(values ~ ind, stack(values), var.equal = FALSE)
  answer("welch", groups, test$statistic, test$parameter[2], test$p.value)
}
stacked <- stack(calls[c("a", "b", "c")])
stacked$subject <- rep(calls$subject, 3)
repeated <- function(groups) {
  used <- droplevels(stacked[stacked$ind %in% groups, ])
  test <- if (length(groups) == 2) {
    mcnemar.test(table(calls[[groups[1]]], calls[[groups[2]]]), correct = FALSE)
  } else {
    mantelhaen.test(used$ind, factor(used$values), factor(used$subject))
  }
  answer(if (length(groups) == 2) "mcnemar" else "cochran_q", groups, test$statistic,
         test$parameter, test$p.value)
}
pearson <- function(groups) {
  used <- droplevels(stacked[stacked$ind %in% groups, ])
  test <- chisq.test(table(used$ind, used$values), correct = FALSE)
  answer("chisq", groups, test$statistic, test$parameter, test$p.value)
}
columns <- c(combn(c("a", "b", "c"), 2, simplify = FALSE), list(c("a", "b", "c")))
answers <- c(
  combn(names(curves), 2, unpaired, simplify = FALSE),
  list(welch(names(curves)), welch(c("binary", "ties", "untied"))),
  lapply(columns, repeated), lapply(columns, pearson)
)
answers <- do.call(rbind, answers)
numbers <- sapply(answers, is.numeric)
answers[numbers] <- lapply(answers[numbers], function(x) sprintf("%.15g", x))
write.csv(answers, quote = FALSE, row.names = FALSE)
