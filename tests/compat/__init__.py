"""What was promised to plugins stays: old packages, ranges of versions, deprecations, the public names."""
