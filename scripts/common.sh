# Sourced by the other scripts: finds a Python and a uv. Sets $python and $uv.

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $1"
  say "next:  $2"
  exit 1
}

find_python() {
  for candidate in python3.11 python3 python3.12 python3.13; do
    # A version manager's shim can be on PATH and still refuse to run, so the answer has to come from Python itself.
    python=$("$candidate" -c 'import sys; print(sys.executable if sys.version_info >= (3, 11) else "")' \
      </dev/null 2>/dev/null) || python=
    if [ -n "$python" ]; then return 0; fi
  done
  fail "no Python 3.11 or newer on PATH" "install Python 3.11 (Debian: apt install python3.11 python3.11-venv) and repeat"
}

# pip's own word about a setting, wherever it is configured: "config get" looks at the user's file alone.
pip_setting() {
  for candidate in .tools/bin/python "$python"; do
    "$candidate" -m pip config list </dev/null 2>/dev/null || continue
    break
  done | sed -nE "s/^(global|install)\.$1=['\"](.*)['\"]\$/\2/p" | tail -n 1
}

# The authority of a company or a lab stands in the system's store, which uv does not look at by itself, or in pip's
# configuration, which it does not read. Both names of the switch are set, because each release of uv knows one of them
# and passes over the other. Where the system has no store, the one that uv brings along stays.
trust_certificates() {
  if [ -z "${SSL_CERT_FILE:-}" ]; then
    certificate=${PIP_CERT:-$(pip_setting cert)}
    if [ -f "$certificate" ]; then export SSL_CERT_FILE="$certificate"; fi
  fi
  if [ -n "${UV_SYSTEM_CERTS:-}${UV_NATIVE_TLS:-}" ]; then return 0; fi
  for store in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
    /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem /System/Library/Keychains; do
    if [ -n "$store" ] && [ -e "$store" ]; then
      export UV_SYSTEM_CERTS=1 UV_NATIVE_TLS=1
      return 0
    fi
  done
}

# uv does not read pip's configuration: where it only came through pip, hand pip's mirror on.
adopt_mirror() {
  if [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
    mirror=${PIP_INDEX_URL:-$(pip_setting index-url)}
    if [ -n "$mirror" ]; then export UV_DEFAULT_INDEX="$mirror"; fi
  fi
}

bootstrap_uv() {
  say "Fetching uv into .tools (first time only) ..."
  rm -rf .tools
  if "$python" -m venv .tools </dev/null >/dev/null 2>&1; then
    .tools/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv </dev/null >&2 ||
      fail "pip could not install uv" "check the network, or install uv yourself, and repeat"
  else
    # Distributions that split venv off still let pip install into a folder.
    rm -rf .tools
    "$python" -m pip install --quiet --disable-pip-version-check -c constraints.txt --target .tools uv \
      </dev/null >&2 ||
      fail "neither venv nor pip works in $python" "install them (Debian: apt install python3.11-venv) or uv, and repeat"
  fi
}

find_uv() {
  cache=${UV_CACHE_DIR:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/uv}
  if ! { mkdir -p "$cache" && [ -w "$cache" ]; } 2>/dev/null; then
    export UV_CACHE_DIR=.tools/cache  # an account without a home can still set up
  fi
  uv=uv
  if ! "$uv" --version </dev/null >/dev/null 2>&1; then
    uv=.tools/bin/uv
    if ! "$uv" --version </dev/null >/dev/null 2>&1; then bootstrap_uv; fi
    adopt_mirror
  fi
  trust_certificates
}
