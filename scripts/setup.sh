#!/bin/sh
# Installs Gitu and every plugin of this repository, editable, into .venv.
#
#   scripts/setup.sh run   what an assistant needs
#   scripts/setup.sh dev   that and the tools for tests and checks
#
# Says everything on stderr and reads nothing from stdin: `make run` is used in pipes. A stamp holds a checksum of all
# that the result depends on, so that a second call returns at once.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")/.."
. scripts/common.sh

kind=${1:-dev}
case $kind in
  run) target=. ;;
  dev) target='.[dev]' ;;
  *) fail "unknown set '$kind'" "use: scripts/setup.sh run|dev" ;;
esac

# The folder's path is part of it: an editable installation points there, and a copied .venv would point elsewhere.
# Listing the files also notices a plugin folder that came or went.
wanted=$(
  {
    pwd -P
    set -- pyproject.toml constraints.txt scripts/setup.sh scripts/browser.sh plugins/*/pyproject.toml
    printf '%s\n' "$@"
    cat -- "$@"
  } 2>/dev/null | cksum
)
stamp=.venv/.stamp-$kind
if [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi

find_python
find_uv
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' </dev/null 2>/dev/null; then
  rm -rf .venv
  "$uv" venv --quiet --python "$python" .venv </dev/null >&2
fi

say "Installing into .venv (again only when a dependency changes) ..."
rm -f .venv/.stamp-run .venv/.stamp-dev
set -- -e "$target"
for folder in plugins/*/; do
  if [ -f "${folder}pyproject.toml" ]; then set -- "$@" -e "./${folder%/}"; fi
done
"$uv" pip install --quiet --python .venv/bin/python --compile-bytecode \
  --constraint constraints.txt --build-constraint constraints.txt "$@" </dev/null >&2 ||
  fail "the installation did not finish" "read the message above; with the network back, repeat"

# A plugin whose folder is gone would stay visible as a broken one.
for name in $(.venv/bin/python scripts/stale_plugins.py </dev/null); do
  "$uv" pip uninstall --quiet --python .venv/bin/python "$name" </dev/null >&2
done
# The packages above were compiled by uv; editable sources lie outside .venv and are compiled here.
.venv/bin/python -m compileall -q gitu_core plugins </dev/null >&2 || true

if [ "$kind" = dev ]; then sh scripts/browser.sh; fi

printf '%s\n' "$wanted" >.venv/.stamp-run
if [ "$kind" = dev ]; then printf '%s\n' "$wanted" >.venv/.stamp-dev; fi
