#!/usr/bin/env bash
# Builds and runs tests: release, again under ASan and UBSan, what has threads under TSan, each fuzzer for 20 seconds, the checks.
#   scripts/test.sh                 everything that needs no more than the system's packages; sets up first
#   scripts/test.sh --quick         of that the release build and its tests only
#   scripts/test.sh --frameworks    installs the environments of the adapters for Python frameworks and runs their tests, each alone and
#                                   then all in one host; downloads them (README.md says how much). And ruff.
# Goes on after a failure. Ends with a table, the tests that were skipped, and "N passed, N failed"; non-zero if anything failed.
# The output of each stage is in build/logs/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8

readonly fuzz_seconds=20 logs=$PWD/build/logs

quick=0 frameworks=0
case "${1-}" in
  "") ;;
  --quick) quick=1 ;;
  --frameworks) frameworks=1 ;;
  -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 0 ;;
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

# What pytest says in its last line, "3 failed, 40 passed, 2 skipped in 5.01s".
count_pytest() {
  awk '/ in [0-9.]+s/ {line = $0} END {
    n = split(line, words, /[ ,]+/)
    for (i = 1; i < n; ++i) {
      if (words[i + 1] == "passed") passed = words[i]
      if (words[i + 1] ~ /^(failed|errors?)$/) failed += words[i]
      if (words[i + 1] == "skipped") skipped = words[i]
    }
    print passed + 0, failed + 0, skipped + 0
  }' "$logs/$1.log"
}

# ---- The adapters for Python frameworks

# What these tests keep is in build/frameworks: environments and models of nobody else.
use_own_state() {
  export XDG_STATE_HOME=$PWD/build/frameworks/state PONS_PROGRAM=$PWD/build/bin/pons PATH=$PWD/build/bin:$PATH
  export PYTHONPATH=$PWD/worker/python PYTHONDONTWRITEBYTECODE=1
}

# install_adapter NAME: its environment, and into that what its tests need.
install_adapter() {
  local python
  use_own_state
  # A model that is not to be had is no fault: its tests are not run then, and say so.
  pons adapter install "$1" --models || pons adapter install "$1" || return
  [ -f "adapters/$1/requirements-test.txt" ] || return 0
  python=$(environment_python "$1") || return
  if command -v uv >/dev/null; then
    uv pip install --python "$python" -r "adapters/$1/requirements-test.txt"
  else
    "$python" -m pip install --disable-pip-version-check -r "adapters/$1/requirements-test.txt"
  fi
}

# The interpreter of an adapter's environment.
environment_python() { pons adapter info "$1" --json | sed -nE 's|.*"environment": *\{[^}]*"folder": *"([^"]*)".*|\1/bin/python|p' | grep .; }

# test_adapter NAME
test_adapter() {
  use_own_state
  "$(environment_python "$1")" -m pytest -ra -q -p no:cacheprovider "tests/adapters/$1"
}

# The codecs of the Python SDK where orjson is there, which the system's packages have not.
test_codecs() {
  local python
  use_own_state
  python=$(environment_python transformers) || return
  "$python" -c "import orjson" && (cd tests/python && "$python" -m pytest -ra -q sdk/test_codec.py sdk/test_app.py sdk/test_sessions.py)
}

# All of them, and those that need nothing, in one host at once.
test_together() {
  use_own_state
  /usr/bin/python3 -m pytest -ra -s -q -p no:cacheprovider tests/frameworks
}

run_ruff() {
  local tools=build/frameworks/tools
  [ -x $tools/bin/ruff ] || { /usr/bin/python3 -m venv $tools && $tools/bin/python -m pip install -q --disable-pip-version-check -r scripts/requirements-ruff.txt; } || return
  $tools/bin/ruff check --no-cache . && $tools/bin/ruff format --no-cache --check .
}

# The reasons why pytest did not run a test: "SKIPPED [1] file:line: reason".
note_skipped_pytest() {
  local line
  while read -r line; do
    skipped_tests+=("$1: $line")
  done < <(sed -nE 's/^SKIPPED \[[0-9]+\] //p' "$logs/$1.log")
}

test_frameworks() {
  local file name installed=1
  mkdir -p build/frameworks
  stage release-build count_nothing scripts/build.sh release || return 0
  for file in adapters/*/requirements.txt; do
    name=$(basename "$(dirname "$file")")
    stage "$name-install" count_nothing install_adapter "$name" || { installed=0; continue; }
    stage "$name-tests" count_pytest test_adapter "$name" || true
    note_skipped_pytest "$name-tests"
  done
  if [ $installed = 1 ]; then
    stage sdk-codecs count_pytest test_codecs || true
    stage together count_pytest test_together || true
    note_skipped_pytest together
  fi
  stage ruff count_nothing run_ruff || true
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
if [ $frameworks = 1 ]; then
  test_frameworks
else
  tests release
fi
if [ $quick = 0 ] && [ $frameworks = 0 ]; then
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
