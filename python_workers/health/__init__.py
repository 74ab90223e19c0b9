"""Whether an installation and the rows of a warehouse can be trusted.

Checks that change nothing belong here. What an entity's row should hold does not: that is the
processors' own matter.
"""
