"""Published tables: which test set and confusion matrices can their figures come from?"""
