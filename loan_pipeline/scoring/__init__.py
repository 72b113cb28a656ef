"""What the web app runs: released bundles, scores and reasons, on onnxruntime and numpy alone."""
