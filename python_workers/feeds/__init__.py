"""Feeds: SELECTs that turn the files of public sources into the raw format.

A folder per feed holds its SELECTs; the modules read the files and run them. Nothing here touches a
warehouse, and what a season or a game id means in the league stands in league.sql alone.
"""
