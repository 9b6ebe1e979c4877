#!/usr/bin/env bash
# Checks the sources without building them: layout, layers, format, shell scripts, types of the Python code, clang-tidy.
#   scripts/check.sh          clang-tidy looks at what changed since the merge base with main, for at most five minutes
#   scripts/check.sh --all    clang-tidy looks at everything, however long it takes
# Prints a line for each check, ends with "N passed, N failed, N skipped", and non-zero if one failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8

readonly llvm=14  # other versions format and warn differently
readonly tidy_seconds=${PONS_TIDY_SECONDS:-300}

all=0
case "${1-}" in
  "") ;;
  --all) all=1 ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 0 ;;
  *) printf 'check: unknown argument %s (try --help)\n' "$1" >&2 && exit 2 ;;
esac
git rev-parse --git-dir >/dev/null || exit 2
mkdir -p build/logs

passed=0 failed=0 skipped=0

# report NAME STATUS DETAIL: STATUS as functions return it.
report() {
  if [ "$2" = 0 ]; then
    passed=$((passed + 1))
    printf 'check: %-8s ok, %s\n' "$1" "$3"
  else
    failed=$((failed + 1))
    printf 'check: %-8s FAILED, %s\n' "$1" "$3"
  fi
}

skip() {
  skipped=$((skipped + 1))
  printf 'check: %-8s skipped: %s\n' "$1" "$2"
}

# The name of an LLVM tool of the version asked for; fails if there is none.
llvm_tool() {
  local name
  for name in "$1-$llvm" "$1"; do
    if command -v "$name" >/dev/null && "$name" --version | grep -q "version $llvm\."; then
      echo "$name"
      return
    fi
  done
  return 1
}

# --- Layout: a newcomer finds the plan's folders and no others.
check_layout() {
  local others status=0
  others=$(git ls-files | sed -n 's,/.*,,p' | sort -u |
    grep -vxE '\.ci|adapters|clients|cmake|docs|host|pool|protocol|scripts|tests|worker') && status=1
  [ $status = 0 ] || printf 'top-level folder outside the plan: %s\n' "$others"
  report layout $status "top-level folders"
}

# --- Layers: which includes are allowed between folders (docs say why; the targets' links enforce the rest).
wrong_includes=""

# only ALLOWED_REGEX PATHSPEC...: quoted includes in these files that are not allowed.
only() {
  local allowed=$1
  shift
  wrong_includes+=$(git grep -nE '^ *# *include +"' -- "$@" | grep -vE "include +\"($allowed)" || true)
}

# never REGEX PATHSPEC...: any includes in these files that match.
never() {
  local refused=$1
  shift
  wrong_includes+=$(git grep -nE "^ *# *include +[<\"]($refused)" -- "$@" || true)
}

check_layers() {
  local adapter
  only 'protocol/[^/]*"' 'protocol/*' ':!protocol/transport/*'
  only 'protocol/' 'protocol/transport/*'
  only '(protocol|pool)/' 'pool/*'
  only '(protocol|pool|clients/cpp|host)/|greeting\.h"' 'host/*'  # greeting.h: of the adapters that host/cli/templates.cc writes
  only '(protocol/[^/]*"|worker/)' 'worker/*'
  only 'protocol/|clients/cpp/' 'clients/cpp/*'
  for adapter in $(git ls-files 'adapters/*/*' | cut -d/ -f1,2 | sort -u); do
    only "(protocol/[^/]*\"|worker/|$adapter/)" "$adapter/*"
  done
  never 'boost/asio|boost/process|sys/socket' 'protocol/*' ':!protocol/transport/*'
  never 'boost/asio|boost/process' 'worker/*' 'adapters/*'
  [ -z "$wrong_includes" ] || printf '%s\n' "$wrong_includes"
  report layers "$([ -z "$wrong_includes" ] && echo 0 || echo 1)" "includes between layers"
}

# --- Format
check_format() {
  local tool status=0 files
  tool=$(llvm_tool clang-format) || { skip format "no clang-format $llvm here"; return; }
  mapfile -t files < <(git ls-files '*.cc' '*.h' '*.c')
  "$tool" --dry-run -Werror "${files[@]}" >build/logs/format.log 2>&1 || status=1
  [ $status = 0 ] || grep -E 'error:' build/logs/format.log | cut -d: -f1 | sort | uniq -c | sed 's/^ *\([0-9]*\) /\1 places in /'
  report format $status "${#files[@]} files"
}

# --- Shell scripts
check_shell() {
  local status=0 files
  command -v shellcheck >/dev/null || { skip shell "no shellcheck here"; return; }
  mapfile -t files < <(git ls-files '*.sh' .ci/run)
  shellcheck "${files[@]}" || status=1
  report shell $status "${#files[@]} files"
}

# --- Types of the Python SDK
check_mypy() {
  local status=0 files
  /usr/bin/python3 -c 'import mypy' 2>/dev/null || { skip mypy "no mypy for /usr/bin/python3 here"; return; }
  mapfile -t files < <(git ls-files 'worker/python/*.py')
  # No cache: an interrupted run would leave a broken one.
  (cd worker/python && /usr/bin/python3 -m mypy --strict --cache-dir=/dev/null pons) || status=1
  report mypy $status "${#files[@]} files"
}

# --- clang-tidy

# The commit that the work at hand started from, if there is one.
base_commit() {
  local ref base
  for ref in origin/main main; do
    base=$(git merge-base HEAD "$ref" 2>/dev/null) || continue
    if [ "$base" != "$(git rev-parse HEAD)" ]; then
      echo "$base"
      return
    fi
  done
}

# What changed since then, the newest first; on main itself only what is not committed.
changed_files() {
  local base
  base=$(base_commit)
  git diff --name-only HEAD
  [ -z "$base" ] || git log --name-only --format= "$base..HEAD"
}

# A header is looked at through the source of its name, alone if it has none. Reads and prints names, each once.
tidy_units() {
  local file
  while read -r file; do
    case $file in
      *.cc) ;;
      *.h) [ ! -f "${file%.h}.cc" ] || file=${file%.h}.cc ;;
      *) continue ;;
    esac
    if [ -f "$file" ]; then echo "$file"; fi
  done | awk '!seen[$0]++'
}

# tidy_one FILE: prints what is wrong with it. Past the deadline it only notes that it was left out.
tidy_one() {
  local log
  if [ "$(date +%s)" -ge "$TIDY_DEADLINE" ]; then
    echo "$1" >>"$TIDY_FOLDER/left"
    return
  fi
  log=$TIDY_FOLDER/$(tr / _ <<<"$1")
  if ! "$TIDY_TOOL" -quiet -p build/tidy --extra-arg=-Wno-pragma-once-outside-header "$1" >"$log" 2>&1; then
    grep -vE '^[0-9]+ warnings?( and [0-9]+ errors?)? (generated|treated as)|^Error while processing|^Suppressed |^Use -' "$log"
    echo "$1" >>"$TIDY_FOLDER/failed"
  fi
}

check_tidy() {
  local files status=0 left=0
  TIDY_TOOL=$(llvm_tool clang-tidy) || { skip tidy "no clang-tidy $llvm here"; return; }
  # Compile commands as clang understands them: g++'s flags and precompiled headers would confuse it.
  if ! cmake --preset tidy >build/logs/configure-tidy.log 2>&1; then
    tail -n 20 build/logs/configure-tidy.log
    report tidy 1 "could not configure"
    return
  fi
  if [ $all = 1 ]; then
    mapfile -t files < <(git ls-files | tidy_units)
  else
    mapfile -t files < <(changed_files | tidy_units)
  fi
  TIDY_FOLDER=build/logs/tidy
  TIDY_DEADLINE=$(($(date +%s) + (all ? 1000000 : tidy_seconds)))
  rm -rf $TIDY_FOLDER && mkdir -p $TIDY_FOLDER
  export TIDY_TOOL TIDY_FOLDER TIDY_DEADLINE
  export -f tidy_one
  # shellcheck disable=SC2016  # the inner shell expands it
  [ ${#files[@]} = 0 ] || printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -I{} bash -c 'tidy_one "$1"' tidy {}
  [ ! -f $TIDY_FOLDER/failed ] || status=1
  [ ! -f $TIDY_FOLDER/left ] || left=$(wc -l <$TIDY_FOLDER/left)
  report tidy $status "$((${#files[@]} - left)) files"
  [ "$left" = 0 ] || skip tidy "$left changed files left out after $tidy_seconds s; scripts/check.sh --all looks at them"
}

check_layout
check_layers
check_format
check_shell
check_mypy
check_tidy
printf 'check: %d passed, %d failed, %d skipped\n' $passed $failed $skipped
[ $failed = 0 ]
