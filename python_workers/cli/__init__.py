"""What a person types: the commands, their options, and what they print.

Only wording and option checks belong here; what a command does stands in the room that it calls.
"""
