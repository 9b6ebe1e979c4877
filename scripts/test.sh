#!/usr/bin/env bash
# Builds and runs all tests: release, again under ASan and UBSan, what has threads under TSan, each fuzzer for 20 seconds, the checks.
#   scripts/test.sh            everything; sets up first
#   scripts/test.sh --quick    release only
# Goes on after a failure. Ends with a table, the tests that were skipped, and "N passed, N failed"; non-zero if anything failed.
# The output of each stage is in build/logs/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8

readonly fuzz_seconds=20 logs=$PWD/build/logs

quick=0
case "${1-}" in
  "") ;;
  --quick) quick=1 ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
  *) printf 'test: unknown argument %s (try --help)\n' "$1" >&2 && exit 2 ;;
esac

rows=() skipped_tests=() total_passed=0 total_failed=0
mkdir -p "$logs"

# stage NAME COUNTER COMMAND...: runs it, then COUNTER NAME, which prints "PASSED FAILED SKIPPED" of its tests. Fails as the command does.
stage() {
  local name=$1 counter=$2 started=$SECONDS status=0 passed failed skipped
  shift 2
  "$@" >"$logs/$name.log" 2>&1 || status=$?
  read -r passed failed skipped < <("$counter" "$name")
  # A stage that failed without a failed test, by a broken build or a crash of the runner, counts as one.
  [ $status = 0 ] || [ "$failed" != 0 ] || failed=1
  if [ $status = 0 ] && [ "$failed" = 0 ]; then
    printf 'test: %-14s ok      %4d s\n' "$name" $((SECONDS - started))
  else
    printf 'test: %-14s FAILED  %4d s, the end of build/logs/%s.log:\n' "$name" $((SECONDS - started)) "$name"
    tail -n 60 "$logs/$name.log" | sed 's/^/    /'
    status=1
  fi
  rows+=("$(printf '%-14s %7d %7d %7d %8d' "$name" "$passed" "$failed" "$skipped" $((SECONDS - started)))")
  total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
  return $status
}

count_nothing() { echo 0 0 0; }

# ctest's summary says how many failed (a program that is missing among them), its JUnit file which ones ran through.
count_ctest() {
  local xml=$logs/$1.xml all failed passed
  [ -s "$xml" ] || { count_nothing && return; }
  failed=$(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests? failed out of [0-9]+$/\1/p' "$logs/$1.log" | tail -n 1)
  all=$(grep -cE '^\s*<testcase ' "$xml" || true)
  passed=$(grep -cE '^\s*<testcase .*status="run"' "$xml" || true)
  echo "$passed" "${failed:-0}" $((all - passed - ${failed:-0}))
}

count_check() { sed -nE '$s/.*: ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$logs/$1.log"; }

count_fuzzers() { awk '/^fuzzer .*: ok$/ {ok++} /^fuzzer .*: FAILED/ {bad++} END {print ok + 0, bad + 0, 0}' "$logs/$1.log"; }

# ThreadSanitizer of g++ 12 cannot live with as random an address space as newer kernels give; its programs run while building, too.
fixed_layout=()
if setarch "$(uname -m)" -R true 2>/dev/null; then fixed_layout=(setarch "$(uname -m)" -R); fi

# build PRESET
build() {
  case $1 in
    tsan) "${fixed_layout[@]}" scripts/build.sh --tests tsan pons_tests_threads ;;
    fuzz) scripts/build.sh fuzz ;;
    *) scripts/build.sh --tests "$1" ;;
  esac
}

# run_tests PRESET [CTEST ARGUMENT...]
run_tests() {
  local preset=$1 runner=()
  shift
  [ "$preset" != tsan ] || runner=("${fixed_layout[@]}")
  rm -f "$logs/$preset-tests.xml"
  "${runner[@]}" ctest --test-dir "build/$preset" -j "$(nproc)" --output-on-failure --no-tests=error --timeout 300 \
    --output-junit "$logs/$preset-tests.xml" "$@"
}

# Adds the names of the tests that ctest did not run to the list that is printed at the end.
note_skipped() {
  local name
  while read -r name; do
    skipped_tests+=("$1: $name")
  done < <(sed -nE '/^The following tests did not run:/,/^$/s/^\t *[0-9]+ - (.*)/\1/p' "$logs/$1.log")
}

# tests PRESET [CTEST ARGUMENT...]: builds, then runs what was built.
tests() {
  stage "$1-build" count_nothing build "$1" || return 0
  stage "$1-tests" count_ctest run_tests "$@" || true
  note_skipped "$1-tests"
}

# fuzz_one SOURCE: new inputs go to a folder that is thrown away, what breaks the fuzzer to build/logs/.
fuzz_one() {
  local name program temporary result=ok
  name=$(basename "$1" .cc)
  program=$(find build/fuzz -type f -name "$name" -perm -u+x)
  temporary=$(mktemp -d)
  timeout $((FUZZ_SECONDS * 3)) "$program" -max_total_time="$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="build/logs/$name-" "$temporary" "tests/fuzz/corpus/$name" >"build/logs/fuzz-$name.log" 2>&1 || result=FAILED
  grep -E 'stat::number_of_executed_units' "build/logs/fuzz-$name.log" || result=FAILED
  [ "$result" = ok ] || tail -n 25 "build/logs/fuzz-$name.log"
  rm -rf "$temporary"
  echo "fuzzer $name: $result"
  [ "$result" = ok ]
}

run_fuzzers() {
  export FUZZ_SECONDS=$fuzz_seconds
  export -f fuzz_one
  # shellcheck disable=SC2016  # the inner shell expands it
  printf '%s\n' tests/fuzz/*_fuzzer.cc | xargs -P "$(nproc)" -I{} bash -c 'fuzz_one "$1"' fuzz {}
}

started=$SECONDS
stage setup count_nothing scripts/setup.sh --test || exit 1
tests release
if [ $quick = 0 ]; then
  tests asan
  tests tsan -L '^threads$'
  if stage fuzz-build count_nothing build fuzz; then
    stage fuzzers count_fuzzers run_fuzzers || true
  fi
  stage check count_check scripts/check.sh || true
  while read -r line; do
    skipped_tests+=("$line")
  done < <(sed -nE 's/^(check: .*) +skipped: /\1: /p' "$logs/check.log")
fi

printf '\n%-14s %7s %7s %7s %8s\n' stage passed failed skipped seconds
printf '%s\n' "${rows[@]}"
if [ ${#skipped_tests[@]} -gt 0 ]; then
  printf '\nskipped:\n'
  printf '  %s\n' "${skipped_tests[@]}"
fi
printf '\n%d s in all\n%d passed, %d failed\n' $((SECONDS - started)) $total_passed $total_failed
[ $total_failed = 0 ]
