"""Exact arithmetic on Arrow columns: integers with validity, segments, rounding, texts, hashes.

No basketball belongs here; a formula of the domain stands in the processor that needs it.
"""
