#!/bin/sh
# Installs the tasks of AgentDojo into .bench-authority, for `make bench-authority`.
#
# Only what its suites need: the clients of a dozen model vendors that its pipelines ask for are left out, because the
# benchmark has no model. tests/benchmarks/authority/requirements.txt holds the versions.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
. scripts/common.sh
find_python
find_uv

versions=tests/benchmarks/authority/requirements.txt
wanted=$({ pwd -P && cat scripts/bench_authority.sh "$versions"; } | cksum)
if [ "$(cat .bench-authority/.stamp 2>/dev/null)" = "$wanted" ]; then exit 0; fi

say "Installing AgentDojo's tasks into .bench-authority ..."
rm -rf .bench-authority
mkdir .bench-authority
"$uv" pip install --quiet --python .venv/bin/python --target .bench-authority/lib --no-deps --requirement "$versions" \
  </dev/null >&2 ||
  fail "AgentDojo could not be installed (the message above says why)" "check the network, then: make bench-authority"
printf '%s\n' "$wanted" >.bench-authority/.stamp
