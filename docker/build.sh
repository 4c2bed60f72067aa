#!/usr/bin/env bash
# Builds an image with whichever of docker, podman and buildah works. Usage: build.sh cpu|cuda IMAGE [BUILD OPTION...]
# Environment, all optional; files named here are lent to the build and stay in no layer:
#   MTPEFT_BASE_IMAGE    another base than docker/base-images.txt names
#   MTPEFT_GROUPS        dependency groups besides core (default: "score dev", for cuda "score train dev")
#   MTPEFT_TORCH         cpu or cuda, where the groups include train (default: the flavour)
#   MTPEFT_APT           pinned (default) or newest
#   MTPEFT_CA_BUNDLE     certificates for pip (default: what pip uses here: PIP_CERT, REQUESTS_CA_BUNDLE, SSL_CERT_FILE)
#   MTPEFT_PIP_CONF      a pip configuration (default: PIP_CONFIG_FILE or the user's)
#   MTPEFT_WHEELS        a folder of wheels that no index has (default: PIP_FIND_LINKS, where it is a folder)
#   MTPEFT_APT_SOURCES   an apt sources file instead of the base image's own
#   MTPEFT_DOTNET_IMAGE  a .NET SDK image whose /usr/share/dotnet goes into the image
set -euo pipefail
flavour=$1 image=$2; shift 2
cd "$(dirname "$0")/.."
engine=$(bash docker/engine.sh)

base=${MTPEFT_BASE_IMAGE:-}
if [ -z "$base" ]; then
    read -r _ base digest < <(grep "^$flavour " docker/base-images.txt)
    base="$base@$digest"
fi
groups="score dev"; [ "$flavour" = cpu ] || groups="score train dev"
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit="$commit-dirty"

arguments=(--tag "$image" --file Dockerfile --build-arg "BASE_IMAGE=$base" --build-arg "MTPEFT_COMMIT=$commit"
    --build-arg "MTPEFT_GROUPS=${MTPEFT_GROUPS-$groups}" --build-arg "MTPEFT_TORCH=${MTPEFT_TORCH:-$flavour}"
    --build-arg "MTPEFT_APT=${MTPEFT_APT:-pinned}"
    --build-arg "DOTNET_IMAGE=${MTPEFT_DOTNET_IMAGE:-$base}")

first_file() { local path; for path in "$@"; do if [ -f "$path" ]; then echo "$path"; return; fi; done; }
lend() { [ -z "$2" ] || arguments+=(--secret "id=$1,src=$2"); }
lend ca_bundle "$(first_file "${MTPEFT_CA_BUNDLE:-}" "${PIP_CERT:-}" "${REQUESTS_CA_BUNDLE:-}" "${SSL_CERT_FILE:-}")"
lend pip_conf "$(first_file "${MTPEFT_PIP_CONF:-}" "${PIP_CONFIG_FILE:-}" ~/.config/pip/pip.conf ~/.pip/pip.conf /etc/pip.conf)"
lend npm_conf "$(first_file "${NPM_CONFIG_USERCONFIG:-}" ~/.npmrc /etc/npmrc)"
lend apt_sources "$(first_file "${MTPEFT_APT_SOURCES:-}")"
wheels=${MTPEFT_WHEELS:-${PIP_FIND_LINKS:-}}
[ ! -d "$wheels" ] || arguments+=(--build-context "wheels=$wheels")

echo "mtpeft: building $image with $engine from $base (groups: core ${MTPEFT_GROUPS-$groups})"
case $engine in
docker) exec docker buildx build --load "${arguments[@]}" "$@" . ;;
podman) exec podman build --layers --format docker "${arguments[@]}" "$@" . ;;
buildah) exec buildah build --layers --format docker "${arguments[@]}" "$@" . ;;
esac
