"""The sample bank's 77 districts: invented names, plausible demography."""

from dataclasses import dataclass

import numpy as np

from loan_pipeline.sources.sample.arrays import Floats, Integers

_STEMS = ("Alva", "Bryn", "Corv", "Dast", "Elmi", "Fenr", "Gald", "Harv", "Irsk", "Jort", "Kelm")
_ENDINGS = ("ava", "inec", "mark", "stad", "holm", "oria", "fell")
_REGIONS = (
    "capital",
    "north vale",
    "south vale",
    "lake land",
    "upper plain",
    "lower plain",
    "east ridge",
    "west ridge",
)
COUNT = len(_STEMS) * len(_ENDINGS)


@dataclass(frozen=True)
class Districts:
    """Columns of the district table, each of shape (77,); the capital comes first.

    Attributes:
        unemployment_1995: NaN where it is not known.
        crimes_1995: -1 where it is not known.
    """

    name: tuple[str, ...]
    region: tuple[str, ...]
    inhabitants: Integers
    municipalities: Integers  # (77, 4), by size
    cities: Integers
    urban_percent: Floats
    salary: Integers
    unemployment_1995: Floats
    unemployment_1996: Floats
    entrepreneurs: Integers
    crimes_1995: Integers
    crimes_1996: Integers

    @property
    def weights(self) -> Floats:
        """Where clients live: by inhabitants. Sums to one."""
        weights: Floats = self.inhabitants / self.inhabitants.sum()
        return weights


def make_districts(rng: np.random.Generator) -> Districts:
    """Draw the bank's districts."""
    capital = np.arange(COUNT) == 0
    inhabitants = np.where(capital, 1_150_000, rng.lognormal(11.6, 0.42, COUNT)).astype(np.int64)
    municipalities = rng.poisson((48.0, 25.0, 6.0, 1.7), (COUNT, 4))
    municipalities[0] = (0, 0, 0, 1)
    urban = np.clip(rng.normal(62, 15, COUNT), 33.9, 99)
    prosperity = rng.normal(0, 1, COUNT)
    jobless = np.clip(3.2 - 1.1 * prosperity + rng.normal(0, 0.8, COUNT), 0.3, 7.2)
    crimes = inhabitants * np.clip(rng.normal(0.03, 0.007, COUNT), 0.015, 0.06)
    crimes_1996 = (crimes * rng.normal(1.03, 0.08, COUNT)).astype(np.int64)
    unknown = np.arange(COUNT) == COUNT - 9
    return Districts(
        name=tuple(stem + ending for ending in _ENDINGS for stem in _STEMS),
        region=tuple("capital" if i == 0 else _REGIONS[1 + i % 7] for i in range(COUNT)),
        inhabitants=inhabitants,
        municipalities=municipalities,
        cities=np.where(capital, 1, rng.integers(1, 12, COUNT)),
        urban_percent=np.where(capital, 100.0, urban.round(1)),
        salary=np.where(capital, 12_400, np.clip(9_000 + 520 * prosperity, 8_100, 10_700)).astype(
            np.int64
        ),
        unemployment_1995=np.where(unknown, np.nan, jobless.round(1)),
        unemployment_1996=np.clip(jobless + rng.normal(0.6, 0.3, COUNT), 0.4, 9.4).round(2),
        entrepreneurs=np.clip(rng.normal(116, 17, COUNT) + 50 * capital, 81, 170).astype(np.int64),
        crimes_1995=np.where(unknown, -1, crimes.astype(np.int64)),
        crimes_1996=crimes_1996,
    )
