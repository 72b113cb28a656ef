"""The gate's verdict, and releases in the lake: publish, list, roll back."""
