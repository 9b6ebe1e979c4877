#!/usr/bin/env bash
# Configures when needed and builds into build/PRESET. After a release build, build/bin/pons is the program.
#   scripts/build.sh [--tests] [PRESET] [TARGET...]
# PRESET: release (the default), dev, asan, tsan or fuzz. --tests builds the tests and benchmarks too; a folder keeps that choice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() {
  printf 'build: %s\n' "$*" >&2
  exit 1
}

tests=0
case "${1-}" in
  --tests) tests=1 && shift ;;
  -h | --help) sed -n '2,4s/^# \{0,1\}//p' "$0" && exit 0 ;;
  -*) die "unknown argument $1 (try --help)" ;;
esac
preset=${1:-release}
[ $# = 0 ] || shift
for tool in cmake ninja; do
  command -v $tool >/dev/null || die "no $tool here: run scripts/setup.sh first"
done

folder=build/$preset
logs=build/logs
mkdir -p "$logs"

# configure [CMAKE ARGUMENT...]: quiet, unless it fails.
configure() {
  cmake --preset "$preset" "$@" >"$logs/configure-$preset.log" 2>&1 ||
    { tail -n 30 "$logs/configure-$preset.log" >&2; die "could not configure $preset"; }
}

# A folder whose last configuring failed has a cache but no build.ninja.
if [ ! -f "$folder/build.ninja" ] || { [ $tests = 1 ] && ! grep -q '^PONS_BUILD_TESTS:.*=ON$' "$folder/CMakeCache.txt"; }; then
  if [ $tests = 1 ]; then configure -DPONS_BUILD_TESTS=ON; else configure -DPONS_BUILD_TESTS=OFF; fi
fi

# One job a core, and no more than fit: a file that includes all of Asio takes a gigabyte and a half.
jobs=$(nproc)
fit=$(awk '/^MemAvailable/ {print int($2 / 1500000)}' /proc/meminfo)
[ "$jobs" -le "$fit" ] || jobs=$((fit > 0 ? fit : 1))

quiet=()
[ -t 1 ] || quiet=(--quiet)
started=$SECONDS
cmake --build "$folder" -j "$jobs" ${1:+--target "$@"} -- "${quiet[@]}" || die "$preset did not build"
printf 'build: %s is ready in %s (%d s)\n' "$preset" "$folder" $((SECONDS - started))

if [ "$preset" = release ] && [ -x "$folder/bin/pons" ]; then
  mkdir -p build/bin
  ln -sfn ../release/bin/pons build/bin/pons
fi
