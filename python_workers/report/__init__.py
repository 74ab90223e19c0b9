"""The report: one self-contained page, its charts, and the queries behind it.

It only reads and draws; accounting judges what needs attention.
"""
