"""RDS snapshot exports: started, followed, and adopted as snapshots."""
