"""The process itself: signals, memory, imports, faults injected by tests.

Nothing here knows dates, players or tables.
"""
