"""An embedder of two dimensions."""


class Lengths:
    """How long a text is, and how many words it has."""

    name, dimensions, version, batch = "lengths", 2, "1", 16

    async def embed(self, texts, purpose="passage"):
        """One vector a text."""
        return [[float(len(text)), float(len(text.split()))] for text in texts]


def gitu_embedders(host):
    """Embedders that turn text into vectors."""
    return [Lengths()]
