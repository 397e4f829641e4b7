"""The documentation is true: its code runs, its lists match the code, its links lead somewhere."""
