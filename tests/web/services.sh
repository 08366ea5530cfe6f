#!/bin/sh
# Install what the tests of the web drive: Chromium, PostgreSQL, and a font with Chinese letters.
set -eu

wanted=""
command -v chromium >/dev/null || wanted="$wanted chromium"
command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || wanted="$wanted postgresql"
fc-list :lang=zh 2>/dev/null | grep -q . || wanted="$wanted fonts-wqy-microhei"
[ -n "$wanted" ] || exit 0

if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "Installing for the tests of the web:$wanted"
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $wanted >/dev/null
else
    echo "Tests of the web that need them are skipped; to run them, install:$wanted"
fi
