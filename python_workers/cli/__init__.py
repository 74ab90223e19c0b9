"""The command line: the commands, their options, and their output.

Only wording and option checks belong here; other rooms do the work of a command.
"""
