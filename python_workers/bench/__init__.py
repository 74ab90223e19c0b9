"""The benchmarks: what is measured, how, and the page that shows it.

Nothing that a command needs at work belongs here.
"""
