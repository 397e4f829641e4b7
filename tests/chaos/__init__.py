"""Chaos: processes die, stop and wake up, disks fill up; nothing is lost and nothing is done twice."""
