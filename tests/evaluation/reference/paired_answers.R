# Answers of pROC's paired DeLong test and of stats::mcnemar.test's exact cousin, binom.test, to the
# synthetic roc_cases.csv: Rscript paired_answers.R roc_cases.csv > paired_answers.csv
suppressMessages(library(pROC))
cases <- read.csv(commandArgs(trailingOnly = TRUE)[1])
answers <- do.call(rbind, lapply(unique(cases$case), function(name) {
  x <- cases[cases$case == name, ]
  first <- roc(x$label, x$first, levels = c(0, 1), direction = "<", quiet = TRUE)
  second <- roc(x$label, x$second, levels = c(0, 1), direction = "<", quiet = TRUE)
  test <- roc.test(first, second, method = "delong", paired = TRUE)
  right <- function(score) (score >= median(x$first)) == (x$label == 1)
  gained <- sum(right(x$first) & !right(x$second))
  lost <- sum(!right(x$first) & right(x$second))
  data.frame(
    case = name, estimate = as.numeric(auc(first)) - as.numeric(auc(second)),
    z = as.numeric(test$statistic), p = test$p.value,
    low = test$conf.int[1], high = test$conf.int[2],
    threshold = median(x$first), gained = gained, lost = lost,
    mcnemar = if (gained + lost) binom.test(gained, gained + lost)$p.value else 1,
    r = as.character(getRversion()), pROC = as.character(packageVersion("pROC"))
  )
}))
write.csv(format(answers, digits = 15), quote = FALSE, row.names = FALSE)
