import numpy as np
import pytest

from loan_pipeline.export.converters import _cuts_on_own_scale
from loan_pipeline.training.custom_models import log_scale

pytestmark = pytest.mark.slow  # AutoGluon takes seconds to import


def test_a_cut_taken_back_from_the_logarithmic_scale_parts_the_same_numbers():
    generator = np.random.default_rng(0)
    values = np.concatenate(
        [
            generator.uniform(-1e6, 1e6, 500),
            generator.normal(0, 1, 500),
            np.arange(-50, 51),
            [0.0, -0.0, 1e-30, -1e-30, 3e38, -3e38],
        ]
    ).astype(np.float32)
    # Cuts at random, and on and next to what the forest saw of the very values.
    seen = log_scale(values).astype(np.float64)
    cuts = np.concatenate([generator.uniform(-20, 20, 300), seen, np.nextafter(seen, -np.inf)])
    own = _cuts_on_own_scale(cuts)
    assert own.astype(np.float32).astype(np.float64).tolist() == own.tolist()
    left_seen = log_scale(values)[None, :] <= cuts[:, None]
    left_own = values[None, :] <= own[:, None]
    np.testing.assert_array_equal(left_seen, left_own)


def test_the_logarithmic_scale_keeps_order_and_sign():
    values = np.array([-1e9, -100, -1, 0, 0.5, 2, 1e5], dtype=np.float32)
    assert np.all(np.diff(log_scale(values)) > 0)
    np.testing.assert_array_equal(np.sign(log_scale(values)), np.sign(values))
