"""The report: one self-contained page, its charts, and the queries behind it.

It reads and draws; judging what needs attention is accounting's.
"""
