"""The sample bank: an invented bank of any size that behaves like a real one.

`SampleSource` gives its tables; which database they fill is not known here. The writers give the
challenge's files and a snapshot.
"""

from loan_pipeline.sources.sample.pkdd import write_pkdd
from loan_pipeline.sources.sample.snapshot import write_parquet
from loan_pipeline.sources.sample.source import SampleSource

__all__ = ["SampleSource", "write_parquet", "write_pkdd"]
