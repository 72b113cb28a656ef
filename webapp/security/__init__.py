"""What protects the app: headers, keys, sessions, limits."""
