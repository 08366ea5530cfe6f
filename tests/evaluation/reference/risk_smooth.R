# Local linear smoothing of the synthetic risk_cases.csv by R's own loess, at five quantiles.
# Rscript risk_smooth.R risk_cases.csv > risk_smooth.csv
cases <- read.csv(commandArgs(trailingOnly = TRUE)[1])
answers <- do.call(rbind, lapply(unique(cases$case), function(name) {
  x <- cases[cases$case == name, ]
  # statistics = "exact" also gives the standard error of the fit, for equal variances.
  fit <- loess(label ~ probability, data = x, span = 0.75, degree = 1,
               control = loess.control(surface = "direct"))
  at <- quantile(x$probability, c(0.02, 0.2, 0.5, 0.8, 0.98), names = FALSE)
  found <- predict(fit, data.frame(probability = at), se = TRUE)
  data.frame(case = name, at = at, smooth = found$fit,
             norm = found$se.fit / found$residual.scale, r = as.character(getRversion()))
}))
write.csv(format(answers, digits = 15, trim = TRUE), quote = FALSE, row.names = FALSE)
