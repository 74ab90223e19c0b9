"""What differs between two warehouses, or between a warehouse and what a run would make of it.

Comparing stored rows belongs here. Deciding what to compute does not.
"""
