"""What the host does for plugins outside of it: requests to declared hosts, files under declared roots."""
