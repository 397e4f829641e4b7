#!/bin/sh
# Gets what the tests of the console need beside Python: a Chromium of the system, and axe-core, which looks for what
# people with a keyboard or a screen reader cannot use. Without one of them those tests are skipped, and say so: this
# script never fails.
#
#   scripts/browser.sh
set -u
CDPATH='' cd -- "$(dirname -- "$0")/.."
. scripts/common.sh

version=4.14.1
sum=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

later() { say "note: $1; the tests of the console that need it are skipped until: sh scripts/browser.sh"; }

found=
for candidate in chromium chromium-browser google-chrome google-chrome-stable; do
  if command -v "$candidate" >/dev/null 2>&1; then found=$candidate; fi
done
if [ -z "$found" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "Installing Chromium (first time only) ..."
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium; } </dev/null >/dev/null 2>&1; then
      later "apt-get could not install chromium"
    fi
  else
    later "there is no Chromium, and only root may install it (Debian: apt install chromium)"
  fi
fi

axe=.tools/axe-core/axe.min.js
whole() { printf '%s  %s\n' "$sum" "$1" | sha256sum --check --status 2>/dev/null; }
if ! whole "$axe"; then
  if ! command -v npm >/dev/null 2>&1; then
    later "there is no npm to fetch axe-core with"
  else
    rm -rf .tools/axe-core
    mkdir -p .tools/axe-core
    if ! (cd .tools/axe-core && npm pack --silent "axe-core@$version" </dev/null >/dev/null 2>&1 &&
      tar -xzf "axe-core-$version.tgz" --strip-components=1 package/axe.min.js package/LICENSE); then
      later "npm could not fetch axe-core $version"
    elif ! whole "$axe"; then
      rm -f "$axe"
      later "axe-core $version is not the file that was looked at"
    fi
    rm -f ".tools/axe-core/axe-core-$version.tgz"
  fi
fi
exit 0
