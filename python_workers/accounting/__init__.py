"""What has been computed, what is due, who is missing, and what one commit holds.

It decides and records; running stages is the room ``backfill``.
"""
