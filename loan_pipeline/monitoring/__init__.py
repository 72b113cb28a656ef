"""What is watched after a release: requests, drift, performance, and the portfolio."""
