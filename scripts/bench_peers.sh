#!/bin/sh
# Installs the frameworks that the benchmarks compare with into .bench, an environment of their own.
#
# tests/benchmarks/peers.txt holds their versions; without it the newest ones are taken and written there. What cannot
# be installed is told and left out: the benchmarks then say that it is missing.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
. scripts/common.sh
find_python
find_uv

versions=tests/benchmarks/peers.txt
wanted=$({ pwd -P && cat scripts/bench_peers.sh "$versions"; } 2>/dev/null | cksum) || wanted=
if [ -n "$wanted" ] && [ "$(cat .bench/.stamp 2>/dev/null)" = "$wanted" ]; then exit 0; fi

say "Installing the frameworks to compare with into .bench ..."
rm -rf .bench
"$uv" venv --quiet --python "$python" .bench </dev/null >&2
if [ ! -s "$versions" ]; then : >"$versions"; fi

# What all of them are measured with comes first, then one framework a line.
missing=0
while read -r packages; do
  # shellcheck disable=SC2086 # a line is a list of packages
  "$uv" pip install --quiet --python .bench/bin/python --compile-bytecode --constraint "$versions" $packages \
    </dev/null >&2 || {
    say "left out: $packages (the message above says why)"
    missing=1
  }
done <<'PACKAGES'
openai
pydantic-ai-slim[openai]
openai-agents
langgraph langgraph-checkpoint-sqlite langchain-openai
agno sqlalchemy[asyncio] aiosqlite
PACKAGES

# Names and versions only: addresses and paths would tie the file to one index or one machine.
if [ ! -s "$versions" ]; then
  "$uv" pip freeze --quiet --python .bench/bin/python </dev/null | sed -nE 's/^([A-Za-z0-9._-]+)==([^ ;]+)$/\1==\2/p' |
    LC_ALL=C sort -u >"$versions"
  say "$versions: $(wc -l <"$versions") versions"
fi
# With something missing the next call tries again.
if [ "$missing" = 0 ]; then
  { pwd -P && cat scripts/bench_peers.sh "$versions"; } | cksum >.bench/.stamp
fi
