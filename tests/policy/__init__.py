"""The policy: what a call may rest on, and what values planted to confuse achieve."""
