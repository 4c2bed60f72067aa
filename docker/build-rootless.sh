#!/usr/bin/env bash
# Builds the CPU image where no container engine runs and no registry can be reached: debootstrap makes the Debian 12
# base from the system's own package archive, buildah (chroot isolation, no daemon, no namespaces) does the rest.
# Usage: build-rootless.sh [IMAGE]     (default mtpeft:cpu)
# Measured on 2 busy cores: 10 minutes, 2.5 GB left after two builds; base 121 MB, image 1.3 GB (docker/README.md).
# Needs root (debootstrap makes device files) and: apt-get install buildah debootstrap debian-archive-keyring
# Environment: what docker/build.sh reads, and
#   MTPEFT_IMAGES        where images and the base are kept (default: data/cache/images)
#   MTPEFT_APT_SOURCES   apt sources for base and packages (default: this system's, where it is Debian 12)
set -euo pipefail
image=${1:-mtpeft:cpu}
cd "$(dirname "$0")/.."
fail() { printf 'mtpeft: %s\n  to fix:   %s\n' "$1" "$2" >&2; exit 2; }
[ "$(id -u)" -eq 0 ] || fail "user $(id -un) may not make a base system" "sudo make image-rootless"
for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || fail "$tool is not installed" "apt-get install buildah debootstrap debian-archive-keyring"
done

sources=${MTPEFT_APT_SOURCES:-}
if [ -z "$sources" ]; then
    . /etc/os-release
    for sources in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do [ ! -s "$sources" ] || break; done
    if [ "$ID-$VERSION_ID" != debian-12 ] || [ ! -s "$sources" ]; then
        fail "this system has no Debian 12 sources of its own" "MTPEFT_APT_SOURCES=/path/to/an/apt/sources/file"
    fi
fi
archive=$(sed -n -E -e 's/^URIs: *([^ ]+).*/\1/p' -e 's/^deb (\[[^]]*\] )?([^ ]+) .*/\2/p' "$sources" | head -n 1)
[ -n "$archive" ] || fail "$sources names no archive" "give one with a 'URIs:' or a 'deb' line"

images=$(realpath -m "${MTPEFT_IMAGES:-data/cache/images}")
mkdir -p "$images"
printf '[storage]\ndriver = "overlay"\ngraphroot = "%s/storage"\nrunroot = "%s/run"\n' "$images" "$images" >"$images/storage.conf"
export CONTAINERS_STORAGE_CONF="$images/storage.conf" BUILDAH_ISOLATION=chroot MTPEFT_ENGINE=buildah

base=localhost/mtpeft-base:debian-12
if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
    echo "mtpeft: making the Debian 12 base with debootstrap"
    root="$images/base.partial"
    rm -rf "$root"
    debootstrap --force-check-gpg --variant=minbase bookworm "$root" "$archive" >"$images/debootstrap.log" 2>&1 ||
        fail "debootstrap failed; its last lines are in $images/debootstrap.log" "check that the archive in $sources is in reach"
    # The base must not tell where it came from, nor carry what only its making needed.
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/etc/resolv.conf "$root"/etc/hostname
    echo "# No archive is set: the image is complete." >"$root/etc/apt/sources.list"
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$root" / >/dev/null
    buildah config --cmd /bin/bash "$container"
    buildah commit --quiet --format docker --rm "$container" "$base" >/dev/null
    rm -rf "$root"
fi

MTPEFT_BASE_IMAGE="$base" MTPEFT_APT_SOURCES="$sources" bash docker/build.sh cpu "$image"
echo "mtpeft: built $image; to use it:"
echo "  export CONTAINERS_STORAGE_CONF=$images/storage.conf BUILDAH_ISOLATION=chroot"
echo "  buildah run \$(buildah from $image) -- docker/entrypoint.sh make reproduce-all"
echo "  or take it elsewhere: buildah push $image docker-archive:mtpeft-cpu.tar"
