#!/usr/bin/env bash
# Every test that docs/guarantees.md names is there: guarantees_test.sh CHECKOUT.
set -euo pipefail
cd "$1"
# shellcheck disable=SC2016  # the backquotes are the document's
names=$(grep -oE '`[A-Z][A-Za-z]+\.[A-Z][A-Za-z]+`' docs/guarantees.md | tr -d '`' | sort -u)
missing=0
for test in $names; do
  if ! grep -rqE "^TEST(_F|_P)?\(${test%.*}, ${test#*.}\)" tests; then
    printf 'docs/guarantees.md names %s, which is no test\n' "$test" >&2
    missing=1
  fi
done
# Of Python tests: files, and tests in them.
# shellcheck disable=SC2016
files=$(grep -oE '`(host|sdk)/test_[a-z_]+\.py(::test_[a-z_0-9]+)?`' docs/guarantees.md | tr -d '`' | sort -u)
for test in $files; do
  file=tests/python/${test%%::*}
  if [ ! -f "$file" ] || { [[ $test == *::* ]] && ! grep -q "^def ${test##*::}(" "$file"; }; then
    printf 'docs/guarantees.md names %s, which is no test\n' "$test" >&2
    missing=1
  fi
done
exit $missing
