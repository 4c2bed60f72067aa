#!/usr/bin/env bash
# Installs the pinned system packages of the named groups inside an image, and leaves no trace of where they came from.
# Usage: install.sh GROUP...    (groups without a list of their own need no system packages)
# MTPEFT_APT=newest takes today's versions of the same packages where the pinned ones are gone; default: pinned.
# Build secret apt_sources: an apt sources file (either format) used instead of the base image's own.
set -euo pipefail
cd "$(dirname "$0")"
. /etc/os-release
release="$ID-$VERSION_ID"
if [ ! -f "$release.core.txt" ]; then
    echo "mtpeft: no package list for $PRETTY_NAME; expected one of: $(ls ./*.core.txt | sed 's/^..//; s/.core.txt//' | xargs)" >&2
    echo "  to fix:   build with BASE_IMAGE=debian:12, or an image on Ubuntu 24.04" >&2
    exit 2
fi
export DEBIAN_FRONTEND=noninteractive
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
. ./lent.sh
lent_sources "$tmp"
options=()
lists=()
for group in "$@"; do [ ! -f "$release.$group.txt" ] || lists+=("$release.$group.txt"); done
[ ${#lists[@]} -gt 0 ] || exit 0
mapfile -t packages < <(sed -e '/^#/d' -e '/^$/d' "${lists[@]}")
snapshot=$(sed -n 's/^# snapshot: //p' "${lists[0]}")
if [ "${MTPEFT_APT:-pinned}" = newest ]; then
    packages=("${packages[@]%%=*}")
elif [ -n "$snapshot" ]; then
    options+=(--snapshot "$snapshot")
fi
apt-get "${options[@]}" update -qq
if ! apt-get "${options[@]}" install -y -qq --no-install-recommends --allow-downgrades "${packages[@]}" >"$tmp/log" 2>&1; then
    tail -n 20 "$tmp/log" >&2
    echo "mtpeft: the packages pinned in docker/apt/${lists[*]} could not be installed (messages above)" >&2
    echo "  to fix:   give the dated snapshot of the archive as build secret apt_sources (docker/README.md)," >&2
    echo "            or accept today's versions: --build-arg MTPEFT_APT=newest" >&2
    exit 2
fi
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
