"""The process itself: signals, memory, imports, faults injected by tests.

No code here knows dates, players or tables.
"""
