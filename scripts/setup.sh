#!/usr/bin/env bash
# Installs what building, running and testing need on Debian 12 or newer, or an Ubuntu as new.
#   scripts/setup.sh           what building and running need
#   scripts/setup.sh --test    also what scripts/test.sh and scripts/check.sh need
# Says nothing when nothing is to do, one line for each package otherwise. Never removes a package: header-only libraries that
# cannot be installed beside what is there are unpacked into .deps/ of this checkout. Needs root or sudo only to install.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C.UTF-8

die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

build_packages=(g++ cmake ninja-build ccache mold nlohmann-json3-dev libcli11-dev libspdlog-dev libyaml-cpp-dev libxgboost-dev libre2-dev python3 python3-venv)
test_packages=(libgtest-dev libbenchmark-dev clang clang-format clang-tidy shellcheck erlang-base git
  python3-pytest python3-exceptiongroup mypy python3-msgpack python3-hypothesis python3-jsonschema python3-numpy python3-packaging python3-pydantic)
header_packages=(libmsgpack-cxx-dev libvalijson-dev)  # as packages they pull in Boost 1.74 and Qt
readonly minimum_boost=1.81 minimum_cmake=3.25

want_test=0
case "${1-}" in
  "") ;;
  --test) want_test=1 ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
  *) die "unknown argument $1 (try --help)" ;;
esac

[ -r /etc/os-release ] || die "no /etc/os-release here; this script knows Debian 12 or newer and Ubuntu"
# shellcheck source=/dev/null
. /etc/os-release
case " ${ID-} ${ID_LIKE-} " in
  *" debian "* | *" ubuntu "*) ;;
  *) die "this is ${PRETTY_NAME-an unknown system}; it knows only Debian 12 or newer and Ubuntu" ;;
esac
command -v apt-get >/dev/null || die "apt-get is missing"

# Two set-ups at once in one checkout wait for each other.
exec 9<.
flock 9

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root, or sudo: $*"
  fi
}

updated=0
update_lists() {
  [ "$updated" = 0 ] || return 0
  updated=1
  as_root apt-get -qq update >/dev/null || die "apt-get update failed"
}

# The version that installing a package would give, as the archive's lists have it.
candidate() { apt-cache policy "$1" | sed -n 's/^  Candidate: //p' | grep -vx '(none)' || true; }

# Reads the archive's lists anew, once, if they do not know a package of these.
ensure_known() {
  local package
  for package in "$@"; do
    [ -n "$(candidate "$package")" ] || update_lists
    [ -n "$(candidate "$package")" ] || die "${PRETTY_NAME-this system} has no package $package"
  done
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

# The packages with Boost headers new enough among the lines "PACKAGE VERSION" on stdin.
new_enough() {
  local package version
  while read -r package version; do
    if dpkg --compare-versions "$version" ge "$minimum_boost"; then echo "$package"; fi
  done
}

# Sets boost_package: one that is installed, else the system's own, else a numbered one beside it (Debian 12 has 1.74 and 1.81).
choose_boost() {
  boost_package=$({ dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' 'libboost-dev' 'libboost1.*-dev' 2>/dev/null || true; } |
    sed -nE 's/^installed (libboost(1\.[0-9]+)?-dev )/\1/p' | new_enough | tail -n 1)
  [ -z "$boost_package" ] || return 0
  ensure_known libboost-dev
  boost_package=$(echo "libboost-dev $(candidate libboost-dev)" | new_enough)
  [ -z "$boost_package" ] || return 0
  boost_package=$(apt-cache pkgnames libboost1. | sed -nE 's/^libboost(1\.[0-9]+)-dev$/& \1/p' | sort -V | new_enough | tail -n 1)
  [ -n "$boost_package" ] || die "${PRETTY_NAME-this system} has no Boost $minimum_boost or newer"
}

# Adds the package of clang's sanitizers and libFuzzer, which carries clang's version.
choose_clang_runtime() {
  local depends version
  if installed clang; then
    depends=$(dpkg-query -W -f 'Depends: ${Depends}' clang)
  else
    ensure_known clang
    depends=$(apt-cache show --no-all-versions clang)
  fi
  version=$(sed -nE 's/^Depends: (.*, )?clang-([0-9]+).*/\2/p' <<<"$depends" | head -n 1)
  if installed "libclang-rt-$version-dev" || [ -n "$(candidate "libclang-rt-$version-dev")" ]; then
    test_packages+=("libclang-rt-$version-dev")
  else
    test_packages+=("libclang-common-$version-dev")  # before clang 14 they were in there
  fi
}

# A trial run that would have to remove something fails.
can_install() { apt-get install -qq -s --no-remove --no-install-recommends "$@" >/dev/null 2>&1; }

install_packages() {
  local package log missing=()
  for package in "$@"; do installed "$package" || missing+=("$package"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "run it as root, or install sudo; to be installed: ${missing[*]}"
  ensure_known "${missing[@]}"
  for package in "${missing[@]}"; do
    printf 'setup: installing %s %s\n' "$package" "$(candidate "$package")"
  done
  log=$(mktemp)
  local command=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-remove --no-install-recommends
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${missing[@]}")
  if ! as_root "${command[@]}" >"$log" 2>&1; then
    # The archive may have moved on since its lists were read.
    update_lists
    as_root "${command[@]}" >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; die "apt-get install failed, see above"; }
  fi
  rm -f "$log"
}

# unpack_headers PACKAGE...: makes .deps/ hold exactly these packages' files. It is built beside and renamed, so that an
# interrupted run leaves nothing half done.
unpack_headers() {
  local package temporary stamp
  stamp=$(printf '%s\n' "${VERSION_CODENAME-}" "$@")
  [ ! -f .deps/.stamp ] || [ "$(cat .deps/.stamp)" != "$stamp" ] || return 0
  mkdir -p build
  temporary=$(mktemp -d build/deps.XXXXXX)
  # shellcheck disable=SC2064  # the folder's name of now is meant
  trap "rm -rf '$PWD/$temporary'" EXIT
  mkdir "$temporary/packages" "$temporary/prefix"
  ensure_known "$@"
  for package in "$@"; do
    printf 'setup: unpacking %s %s into .deps\n' "$package" "$(candidate "$package")"
    fetch_package "$package" "$temporary/packages" || { update_lists; fetch_package "$package" "$temporary/packages"; } ||
      die "could not download $package"
  done
  for package in "$temporary"/packages/*.deb; do
    dpkg-deb --info "$package" >/dev/null || die "${package##*/} is damaged"
    dpkg-deb -x "$package" "$temporary/prefix"
  done
  printf '%s\n' "$stamp" >"$temporary/prefix/.stamp"
  [ ! -e .deps ] || mv .deps "$temporary/old"
  mv "$temporary/prefix" .deps
  rm -rf "$temporary"
  trap - EXIT
}

# apt-get verifies what it downloads; the sandbox user could not write into a folder of ours.
fetch_package() (cd "$2" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$1" >/dev/null)

[ "$want_test" = 0 ] || choose_clang_runtime
choose_boost
if [ "$boost_package" = libboost-dev ] || installed "$boost_package" || can_install "$boost_package"; then
  build_packages+=("$boost_package")
else
  header_packages+=("$boost_package")  # another Boost stands in its way, and stays
fi

packages=("${build_packages[@]}")
[ "$want_test" = 0 ] || packages+=("${test_packages[@]}")
install_packages "${packages[@]}"
unpack_headers "${header_packages[@]}"

version=$(cmake --version | sed -n '1s/.* //p')
dpkg --compare-versions "$version" ge "$minimum_cmake" || die "CMake $version is too old, $minimum_cmake is needed"
