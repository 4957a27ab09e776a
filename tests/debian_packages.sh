#!/bin/sh
# The tests run against real parts that Debian packages. Installs what is missing where it can, else says what to do.
set -eu
missing=
command -v mosquitto >/dev/null || missing="$missing mosquitto"
command -v mosquitto_pub >/dev/null || missing="$missing mosquitto-clients"
[ -x /usr/sbin/snmpd ] || missing="$missing snmpd"
command -v snmpwalk >/dev/null || missing="$missing snmp"
command -v ffprobe >/dev/null || missing="$missing ffmpeg"
command -v chromium >/dev/null || missing="$missing chromium"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing for the tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    apt-get install -y -qq --no-install-recommends $missing fonts-noto-cjk >/dev/null
else
    echo "the tests need these Debian packages:$missing" >&2
    echo "install them: sudo apt-get install$missing" >&2
    exit 1
fi
