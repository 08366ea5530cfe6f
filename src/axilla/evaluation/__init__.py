"""How well each model predicts and how sure that is: metrics with intervals, curves; no torch."""
