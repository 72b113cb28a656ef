"""A recipe for tests that need a released model and do not ask how good it is."""

# As `training_ops(hyperparameters=…)` and `--hyperparameters` take it.
SMALL_FOREST = {"LOGXT": {"n_estimators": 30, "bootstrap": True, "max_leaf_nodes": 8}}
