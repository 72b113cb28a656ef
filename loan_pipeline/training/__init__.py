"""From a table of loans and a recipe to a trained, calibrated predictor."""
