"""Who may come in: devices and their credentials, codes, pairing, the sign-in of browsers."""
