"""Running untrusted programs. Knows nothing of scoring: a program goes in, an outcome comes out."""
