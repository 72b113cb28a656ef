"""The limit that the validation report warns at and the model page marks. No I/O."""

# The four-fifths rule of the US Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4,
# which the field applies to credit as well.
LOWEST_SELECTION_RATIO = 0.8
