"""The console: pages on a server, made of blocks of data; script only where a page moves by itself."""
