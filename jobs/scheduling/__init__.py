"""Scheduling: which run gets a free device, when it makes room, and when those that wait start."""
