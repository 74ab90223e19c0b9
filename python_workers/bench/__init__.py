"""``backcourt bench``: how fast the engine is, beside what else could compute the same rows."""
