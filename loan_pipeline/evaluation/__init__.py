"""How good a predictor is, on loans it did not see."""
