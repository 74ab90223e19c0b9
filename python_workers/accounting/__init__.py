"""Records what has been computed, decides what is due, and finds what is missing.

It only decides and records; the room ``backfill`` runs the stages.
"""
