#!/usr/bin/env bash
# Troubles one host for MINUTES, in the release build: workers killed and stopped, pools that hang, floods, half frames, other hosts killed.
# Checks every promise of requests after each round. Ends with what the host holds (descriptors, threads, zombies, resident memory) before
# and after, and non-zero if a promise was broken or something leaked.
#   scripts/soak.sh [MINUTES]      10 unless given; PONS_TEST_SEED repeats a run's choices
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

case "${1-}" in
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 0 ;;
  "" | [0-9]* | .[0-9]*) ;;
  *) printf 'soak: %s is no number of minutes (try --help)\n' "$1" >&2 && exit 2 ;;
esac
scripts/build.sh --tests release pons-soak
exec env PONS_SOAK_MINUTES="${1:-10}" build/release/tests/pons-soak
