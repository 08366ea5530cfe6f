# Answers to the synthetic roc_cases.csv of pROC (CRAN) and of doAUCcluster, the Cleveland Clinic's R
# function for Obuchowski 1997 as github.com/DIDSR/mitoticFigureCounts keeps it (R/doAUCcluster.R).
# Rscript roc_answers.R roc_cases.csv doAUCcluster.R > roc_answers.csv
suppressMessages(library(pROC))
arguments <- commandArgs(trailingOnly = TRUE)
source(arguments[2])
cases <- read.csv(arguments[1])
answers <- do.call(rbind, lapply(unique(cases$case), function(name) {
  x <- cases[cases$case == name, ]
  first <- roc(x$label, x$first, levels = c(0, 1), direction = "<", quiet = TRUE)
  second <- roc(x$label, x$second, levels = c(0, 1), direction = "<", quiet = TRUE)
  interval <- ci.auc(first, method = "delong")
  clustered <- doAUCcluster(x$first, x$second, x$label, x$group, level = 1)
  data.frame(
    case = name, auc = as.numeric(auc(first)), low = interval[1], high = interval[3],
    variance = var(first, method = "delong"), covariance = cov(first, second, method = "delong"),
    clustered_variance = clustered$auc.var.A,
    clustered_covariance =
      (clustered$auc.var.A + clustered$auc.var.B - clustered$auc.var.AminusB) / 2,
    r = as.character(getRversion()), pROC = as.character(packageVersion("pROC"))
  )
}))
write.csv(format(answers, digits = 15), quote = FALSE, row.names = FALSE)
