"""What every reader of the tables shares: which there are, what their columns mean, and exports.

It only reads the warehouse.
"""
