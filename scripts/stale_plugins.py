"""Print the names of editable distributions whose source folder no longer exists, one a line."""

import json
from importlib.metadata import Distribution, distributions
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname


def is_stale(distribution: Distribution) -> bool:
    """Tell whether ``distribution`` was installed editable from a folder that holds no project any more."""
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if not origin.get("dir_info", {}).get("editable"):
        return False
    folder = Path(url2pathname(urlparse(origin["url"]).path))
    return not (folder / "pyproject.toml").is_file()


if __name__ == "__main__":
    for found in distributions():
        if is_stale(found):
            print(found.metadata["Name"])
