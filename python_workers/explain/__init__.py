"""Why a stored value is what it is: the formulas of a row, filled in with its numbers.

Everything is read from the processors' declarations, their functions, and the models' own SQL. No
formula stands here.
"""
