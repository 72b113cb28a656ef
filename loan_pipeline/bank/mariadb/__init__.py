"""The bank on a MariaDB server: address, tunnel, connection, bulk load, reads."""
