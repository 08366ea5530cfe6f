"""Trials: train models inside folds, choose inside folds, predict the patients left out."""
