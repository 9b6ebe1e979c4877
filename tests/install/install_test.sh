#!/usr/bin/env bash
# install_test.sh CMAKE BUILD_FOLDER DEPENDENCIES PYTHON: installs what was built, moves the tree, builds project/ against it by
# find_package(pons), and lets the installed `pons` run its worker.
set -euo pipefail
cmake=$1 build=$2 dependencies=$3 python=$4
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/project" && pwd)

# Nothing of a host that may run on this machine.
for name in PONS_SOCKET PONS_CONFIG PONS_ADAPTER_PATH; do unset $name; done
folder=$(mktemp -d)
export HOME=$folder/home XDG_RUNTIME_DIR=$folder/run XDG_STATE_HOME=$folder/state
mkdir -m 700 "$HOME" "$XDG_RUNTIME_DIR" "$XDG_STATE_HOME"
host_pid=""

finish() {
  local status=$?
  if [ -n "$host_pid" ]; then
    kill "$host_pid" 2>/dev/null || true
    wait "$host_pid" || true
  fi
  [ $status = 0 ] || tail -n 50 "$folder"/*.log
  rm -rf "$folder"
}
trap finish EXIT

# expect TEXT COMMAND...: its output has TEXT.
expect() {
  local text=$1 output status=0
  shift
  output=$("$@" 2>&1) || status=$?
  printf '%s -> %d %s\n' "$*" "$status" "$output"
  if [ $status != 0 ] || [[ $output != *"$text"* ]]; then
    echo "expected status 0 and: $text"
    exit 1
  fi
}

DESTDIR="" "$cmake" --install "$build" --prefix "$folder/first" >"$folder/install.log"
mv "$folder/first" "$folder/moved"
if grep -rIl -e "$folder/first" -e "$build" "$folder/moved"; then
  echo "the installed files above name the folder they were built in or installed to"
  exit 1
fi

launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
"$cmake" -S "$project" -B "$folder/build" -G Ninja "-DCMAKE_PREFIX_PATH=$folder/moved;$dependencies" "${launcher[@]}" >"$folder/configure.log" 2>&1
"$cmake" --build "$folder/build" >"$folder/build.log" 2>&1

pons=$folder/moved/bin/pons
expect '"text":"Hello Ada"' "$pons" call --adapter "$folder/build/hello" greet name=Ada --json
expect '"text":"hi"' "$pons" call echo:echo text=hi --json

# What `pons adapter new` writes is right as it is written.
export PATH=$folder/moved/bin:$PATH
expect "made $folder/py-mood" "$pons" adapter new py-mood --dir "$folder"
(cd "$folder/py-mood" && PYTHONPATH=$folder/moved/share/pons/python "$python" -m pytest -q -p no:cacheprovider) >"$folder/new-python.log" 2>&1
expect '"text":"Hello Ada!"' "$pons" call --adapter "$folder/py-mood" greet name=Ada --json
expect "made $folder/cpp-mood" "$pons" adapter new cpp-mood --lang cpp --dir "$folder"
"$cmake" -S "$folder/cpp-mood" -B "$folder/cpp-mood/build" -G Ninja "-DCMAKE_PREFIX_PATH=$folder/moved;$dependencies" "${launcher[@]}" >"$folder/new-cpp.log" 2>&1
"$cmake" --build "$folder/cpp-mood/build" >>"$folder/new-cpp.log" 2>&1
"$cmake" -E chdir "$folder/cpp-mood/build" ctest --output-on-failure >>"$folder/new-cpp.log" 2>&1
expect '"text":"Hello Ada!"' "$pons" call --adapter "$folder/cpp-mood" greet name=Ada --json
for file in adapter config; do
  "$python" -c 'import json, sys; json.load(open(sys.argv[1]))' "$folder/moved/share/pons/$file.schema.json"
done

# The same worker out of a configuration, called by a parent that was built on pons::client.
printf 'adapters:\n  hello: {command: [%s]}\n' "$folder/build/hello" >"$folder/pons.yaml"
"$pons" serve -c "$folder/pons.yaml" --socket "$folder/run/test.sock" >"$folder/host.log" 2>&1 &
host_pid=$!
expect "" "$pons" ping --wait 20s --socket "$folder/run/test.sock"
expect 'Hello parent' "$folder/build/parent" "$folder/run/test.sock"
