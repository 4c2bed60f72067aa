"""`mtpeft apply`: trained runs on a person's own source files."""
