"""Whole commands on whole leagues: backfills, daily runs, crashes, interrupts, reports."""
