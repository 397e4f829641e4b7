#!/bin/sh
# Writes constraints.txt: the newest versions that fit together, for the core, all its extras and every plugin.
# Only `name==version` survives: addresses and paths would tie the file to one index or one machine.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
. scripts/common.sh
find_python
find_uv

new=constraints.txt.new
trap 'rm -f "$new" "$new.raw"' EXIT

# The requirements name folders, not distributions, so that Gitu's own packages never come from an index.
"$python" - <<'PY' | "$uv" pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate - >"$new.raw"
import pathlib
import tomllib

for file in [pathlib.Path("pyproject.toml"), *sorted(pathlib.Path("plugins").glob("*/pyproject.toml"))]:
    extras = tomllib.loads(file.read_text("utf-8"))["project"].get("optional-dependencies", {})
    print(f"-e ./{file.parent.as_posix()}" + (f"[{','.join(sorted(extras))}]" if extras else ""))
# What builds and installs them is pinned as well.
print("editables", "hatchling", "uv", sep="\n")
PY

sed -nE 's/^([A-Za-z0-9._-]+)(\[[^]]*\])?==([^ ;]+).*$/\1==\3/p' "$new.raw" | LC_ALL=C sort -u >"$new"
twice=$(cut -d= -f1 "$new" | uniq -d)
if [ -n "$twice" ]; then
  fail "more than one version of: $twice" "narrow the requirement in the pyproject.toml that asks for it"
fi
if [ ! -s "$new" ] || grep -q '[/@:]' "$new"; then
  fail "the resolver's answer is not a list of versions" "run uv pip compile by hand and look at its output"
fi
mv "$new" constraints.txt
say "constraints.txt: $(wc -l <constraints.txt) versions"
