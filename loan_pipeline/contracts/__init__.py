"""What the data must look like: tables, features, snapshot and bundle manifests. No I/O."""
