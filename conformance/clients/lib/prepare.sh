# Sourced by every client's `run`. Puts what a client needs into CACHE, once per set of pinned versions.
# HERE is the client's own folder, BOOTSTRAP the broker, CACHE where installed things are kept between runs.

HERE=$(cd "$(dirname "$0")" && pwd)
BOOTSTRAP=${1:?"usage: $0 HOST:PORT"}
CACHE=${HEADWATER_CONFORMANCE_CACHE:-$HOME/.cache/headwater-conformance}
mkdir -p "$CACHE"

# The place for something made from FILE: a changed file is a new place, so versions never mix.
cache_for() { echo "$CACHE/$1-$(sha256sum "$2" | cut -c1-12)"; }

# A Python with the packages of requirements.txt; sets PYTHON.
prepare_python() {
  local home; home=$(cache_for "$(basename "$HERE")" "$HERE/requirements.txt")
  if [ ! -f "$home/ready" ]; then
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/pip" install -q --disable-pip-version-check -r "$HERE/requirements.txt" >&2
    touch "$home/ready"
  fi
  PYTHON=$home/bin/python
}

# The packages of package.json; sets NODE_PATH.
prepare_node() {
  local home; home=$(cache_for "$(basename "$HERE")" "$HERE/package.json")
  if [ ! -f "$home/ready" ]; then
    rm -rf "$home"; mkdir -p "$home"
    cp "$HERE/package.json" "$home/"
    (cd "$home" && npm install --no-audit --no-fund --loglevel=error >&2)
    touch "$home/ready"
  fi
  export NODE_PATH=$home/node_modules
}
