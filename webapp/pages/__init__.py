"""The pages people use: forms, answers, batches, history, the model card."""
