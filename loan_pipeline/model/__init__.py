"""Learn and measure: recipes, training, honest evaluation, export, the gate and the release.

Plain typed functions over data frames; the pipeline's assets and the command line call them.
Nothing here reads the bank or the lake's snapshots.
"""
