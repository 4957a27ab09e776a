#!/bin/sh
# The tests run against real parts that Debian packages. Installs what is missing where it can, else says what to do.
set -eu
missing=
command -v mosquitto >/dev/null || missing="$missing mosquitto"
command -v mosquitto_pub >/dev/null || missing="$missing mosquitto-clients"
[ -x /usr/sbin/snmpd ] || missing="$missing snmpd"
command -v snmpwalk >/dev/null || missing="$missing snmp"
command -v ffprobe >/dev/null || missing="$missing ffmpeg"
# A foreign RTSP server, for Debian's own Python.
/usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' 2>/dev/null ||
    missing="$missing python3 python3-gi gir1.2-gst-rtsp-server-1.0"
ls /usr/lib/*/gstreamer-1.0/libgstvideotestsrc.so >/dev/null 2>&1 || missing="$missing gstreamer1.0-plugins-base"
ls /usr/lib/*/gstreamer-1.0/libgstrtp.so >/dev/null 2>&1 || missing="$missing gstreamer1.0-plugins-good"
command -v influxd >/dev/null || missing="$missing influxdb"
command -v victoria-metrics >/dev/null || missing="$missing victoria-metrics"
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
