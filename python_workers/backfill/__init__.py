"""One run over a range of dates: dbt's stages, the pool's stages, and their costs.

Daily mode and the commands call it; accounting knows what was computed and what is missing.
"""
