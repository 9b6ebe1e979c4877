#!/usr/bin/env bash
# Sets up, builds, and shows what Pons does: a host, a model trained and asked in a worker process, a crash that stays where it
# happened, statistics. Every command is printed before its output. Ends 0 only if each step gave what it should.
#   scripts/quickstart.sh                 needs no more than the system's packages
#   scripts/quickstart.sh --frameworks    then the same with a Python framework on a real model: downloads 330 MB (README.md)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8

frameworks=0
case "${1-}" in
  "") ;;
  --frameworks) frameworks=1 ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
  *) printf 'quickstart: unknown argument %s (try --help)\n' "$1" >&2 && exit 2 ;;
esac

scripts/setup.sh
scripts/build.sh release

PATH=$PWD/build/bin:$PATH
folder=$(mktemp -d)
export PONS_SOCKET=$folder/pons.sock
unset PONS_CONFIG PONS_ADAPTER_PATH
host_pid=""

finish() {
  local status=$?
  trap - EXIT
  if [ -n "$host_pid" ]; then
    kill "$host_pid" 2>/dev/null || true
    wait "$host_pid" || true
  fi
  if [ $status != 0 ]; then
    printf '\nquickstart: FAILED. The end of the host'\''s log:\n' >&2
    tail -n 20 "$folder/host.log" >&2 || true
  fi
  rm -rf "$folder"
  exit $status
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n# %s\n' "$*"; }

fail() {
  printf 'quickstart: %s\n' "$*" >&2
  exit 1
}

# run STATUS COMMAND...: shows the command and what it prints (long lines cut), leaves all of it in $output, and fails unless it
# ends with STATUS.
run() {
  local expected=$1 status=0 word shown=""
  shift
  for word in "$@"; do
    case $word in
      *[\ \"\{\}]*) shown+=" '$word'" ;;
      *) shown+=" $word" ;;
    esac
  done
  printf '$%s\n' "$shown"
  output=$("$@" 2>&1) || status=$?
  sed -E 's/^(.{300}).+$/\1 .../' <<<"$output"
  [ $status = "$expected" ] || fail "that ended with $status instead of $expected"
}

# value NAME: what follows "NAME": in the output, a number or a text.
value() { sed -nE "s/.*\"$1\" *: *\"?([^\",}]*).*/\1/p" <<<"$output" | head -n 1; }

say "Start a host: it serves the adapters that ship, each in worker processes of its own"
printf '$ pons serve --socket %s &\n' "$PONS_SOCKET"
pons serve --socket "$PONS_SOCKET" 2>"$folder/host.log" &
host_pid=$!
run 0 pons ping --wait 10s
run 0 pons list

say "Train XGBoost on the 1797 handwritten digits that come along; a part is held out"
run 0 pons call xgboost:create_model dataset=digits rounds:=30 seed:=7
model=$(value resource_id)
accuracy=$(sed -nE 's/.*"accuracy" *: *([0-9.]+).*/\1/p' <<<"$output")
[ -n "$model" ] || fail "no resource_id in the reply"
printf 'Accuracy on the held-out part: %s\n' "$accuracy"
awk -v a="$accuracy" 'BEGIN {exit !(a > 0.9 && a <= 1)}' || fail "an accuracy above 0.9 was expected"

say "Ask the model for ten digits"
awk 'NR > 1 && NR <= 11 {sub(/,[^,]*$/, ""); printf("%s[%s]", NR == 2 ? "{\"rows\": [" : ", ", $0)} END {print "]}"}' \
  adapters/xgboost/data/digits.csv >"$folder/ten.json"
labels=$(awk -F, 'NR > 1 && NR <= 11 {printf "%s ", $NF}' adapters/xgboost/data/digits.csv)
run 0 pons call xgboost:execute_resource resource_id="$model" "inputs:=@$folder/ten.json"
predictions=$(sed -nE 's/.*"predictions" *: *\[([^]]*)\].*/\1/p' <<<"$output" | tr -d '" ' | tr ',' ' ')
printf 'The digits were:  %s\nThe model says:   %s\n' "$labels" "$predictions"
right=$(paste -d' ' <(tr ' ' '\n' <<<"${labels% }") <(tr ' ' '\n' <<<"$predictions") | awk 'NF == 2 && $1 == $2 {n++} END {print n + 0}')
[ "$right" -ge 9 ] || fail "only $right of 10 are right"

say "Crash a worker on purpose: the request that was running fails, nothing else does"
run 0 pons call echo:whoami
before=$(value pid)
run 1 pons call echo:crash signal:=9
[[ $output == *worker_crashed* ]] || fail "worker_crashed was expected"
run 0 pons call echo:echo text='still here'
[ "$(value text)" = 'still here' ] || fail "the echo is wrong"
run 0 pons call echo:whoami
after=$(value pid)
printf 'The worker had pid %s, its successor has %s\n' "$before" "$after"
if [ -z "$before" ] || [ -z "$after" ] || [ "$before" = "$after" ]; then fail "another process was expected to answer"; fi
run 0 pons call xgboost:execute_resource resource_id="$model" "inputs:=@$folder/ten.json"
[[ $output == *predictions* ]] || fail "the model is gone"

say "A worker in Python is ten lines, and may ask others"
cat >"$folder/hello.py" <<'END'
import pons

app = pons.App("hello", version="1.0")


@app.command(idempotent=True)
def greet(ctx: pons.Context, name: str, times: int = 1) -> dict:
    """Say hello, and have it echoed."""
    return ctx.call("echo:echo", {"text": f"Hello {name}! " * times})


app.run()
END
sed 's/^/    /' "$folder/hello.py"
run 0 pons register hello "$folder/hello.py"
run 0 pons call hello:greet name=Ada times:=2
[ "$(value text)" = 'Hello Ada! Hello Ada! ' ] || fail "the greeting is wrong"
run 1 pons call hello:greet name=Ada times=two
[[ $output == *invalid_args* ]] || fail "invalid_args was expected"

if [ $frameworks = 1 ]; then
  say "Install a framework into an environment of its own, and a sentence encoder beside it"
  printf '$ pons adapter install transformers --models\n'
  pons adapter install transformers --models
  run 0 pons call transformers:create_model model=all-minilm-l6-v2
  encoder=$(value resource_id)
  say "Which sentences mean the same?"
  run 0 pons call transformers:similarity resource_id="$encoder" 'texts:=["A ship put to sea."]' \
    'others:=["The yacht left the harbour.", "Fry the onions until golden."]'
  similar=$(sed -nE 's/.*"similarity" *: *\[\[([^]]*)\]\].*/\1/p' <<<"$output")
  awk -v both="$similar" 'BEGIN {split(both, v, ","); exit !(v[1] > v[2] + 0.1)}' || fail "the first was expected to be nearer"
fi

say "What happened, in numbers"
run 0 pons stats
[[ $output == *xgboost* && $output == *echo* ]] || fail "both adapters were expected in the statistics"
run 0 pons workers
[[ $output == *"$after"* ]] || fail "the new worker was expected in the list"

say "Stop"
run 0 pons stop
status=0
wait "$host_pid" || status=$?
host_pid=""
[ $status = 0 ] || fail "the host ended with $status"
run 3 pons ping

say "All of it went as it should"
