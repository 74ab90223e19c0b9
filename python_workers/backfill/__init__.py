"""One run over a range of dates: dbt's stages, the pool's stages, and what they cost.

Daily mode and the commands call it; what was computed and who is missing is accounting's.
"""
