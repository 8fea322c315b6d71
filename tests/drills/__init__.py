"""Drills: real processes are killed while people work; what was acknowledged is compared with what is there."""
