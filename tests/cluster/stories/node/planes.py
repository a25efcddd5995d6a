"""Data planes as the cluster sees them, and clients that call them."""
