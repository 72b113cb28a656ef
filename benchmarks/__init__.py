"""What `make bench` runs: each file measures ours and a peer in one run."""
