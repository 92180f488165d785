#!/bin/sh
# What some tests use from the system: a C compiler (the crash shim) and strace (compares the shim's count). Installs what is
# missing where apt-get is there and we may use it. Never fails: a test that lacks its tool is skipped and says NOT PROVED.
missing=""
command -v cc >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1 || command -v clang >/dev/null 2>&1 || missing="gcc libc6-dev"
command -v strace >/dev/null 2>&1 || missing="$missing strace"
missing=${missing# }
[ -n "$missing" ] || exit 0

not_proved() {
    echo "system packages: $missing missing, $1; the tests that use them are skipped as NOT PROVED" >&2
    exit 0
}

command -v apt-get >/dev/null 2>&1 || not_proved "and there is no apt-get here"
if [ "$(id -u)" = 0 ]; then
    root=""
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    root="sudo -n"
else
    not_proved "and only root may install them"
fi
echo "system packages: installing $missing with apt-get"
log=$(mktemp)
# The lists are only refreshed when the package is not found with those that are there.
install="$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing"
if ! $install >"$log" 2>&1 && ! { $root apt-get update -q >>"$log" 2>&1 && $install >>"$log" 2>&1; }; then
    tail -n 5 "$log" >&2
    rm -f "$log"
    not_proved "and apt-get could not install them"
fi
rm -f "$log"
