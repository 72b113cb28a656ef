"""From a trained predictor to the ONNX graph that is released."""
