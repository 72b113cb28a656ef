"""What can fill a bank: PKDD'99 files, SQL dumps, another server, the sample bank."""
