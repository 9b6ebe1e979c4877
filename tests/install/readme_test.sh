#!/usr/bin/env bash
# readme_test.sh README BUILD_FOLDER: runs the README's blocks, from its first to its last, in one shell, as somebody does who pastes them.
# The first two, the picture and the scripts that have built BUILD_FOLDER, are left out.
set -euo pipefail
readme=$1 build=$2

# Nothing of a host that may run on this machine.
for name in PONS_SOCKET PONS_CONFIG PONS_ADAPTER_PATH; do unset $name; done
folder=$(mktemp -d)
export HOME=$folder/home XDG_RUNTIME_DIR=$folder/run XDG_STATE_HOME=$folder/state
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME"

finish() {
  local status=$?
  for name in demo mine; do "$build/bin/pons" stop --name $name >/dev/null 2>&1 || true; done
  [ $status = 0 ] || tail -n 50 "$folder"/output.log "$folder"/build/logs/*.log
  rm -rf "$folder"
}
trap finish EXIT

# What scripts/build.sh leaves behind.
mkdir -p "$folder/build/bin" "$folder/build/logs"
ln -s "$build" "$folder/build/release"
ln -s ../release/bin/pons "$folder/build/bin/pons"

# A block is indented by four spaces, empty lines included.
awk '
  function flush() { if (block != "" && block !~ /your application|^scripts\//) printf "%s", block; block = empty = "" }
  /^    / { block = block empty substr($0, 5) "\n"; empty = ""; next }
  /^$/ { if (block != "") empty = empty "\n"; next }
  { flush() }
  END { flush() }
' "$readme" >"$folder/blocks.sh"

cd "$folder"
bash -e "$folder/blocks.sh" >"$folder/output.log" 2>&1
for text in '{"text":"hi"}' '"resource_id":"model-' 'stopped demo' '{"text":"Hello Ada! "}' '{"text":"Hello World"}' "{'text': 'hi'}" 'pons.yaml: ok' 'stopped mine'; do
  grep -qF "$text" "$folder/output.log" || { echo "not in its output: $text"; exit 1; }
done
