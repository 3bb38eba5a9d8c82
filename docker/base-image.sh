#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
# The base image, also where no image registry can be reached: if it is neither here nor to be pulled, it is made of
# Debian's packages with mmdebstrap and imported under the same name.
# usage: docker/base-image.sh [NAME]     default: debian:bookworm-slim
set -eu
image=${1:-debian:bookworm-slim}
suite=bookworm

docker version >/dev/null || exit 1
if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0
fi
if timeout 120 docker pull -q "$image" 2>/dev/null; then
    exit 0
fi
command -v mmdebstrap >/dev/null || {
    echo "$image can't be pulled. To make it here:  apt-get install --no-install-recommends mmdebstrap" >&2
    exit 1
}
echo "$image can't be pulled: it is made of Debian's packages…" >&2
tar=$(mktemp "${TMPDIR:-/tmp}/conclave-base.XXXXXX")
trap 'rm -f "$tar"' EXIT
# Without manuals and translations, as in Debian's own slim image, now and for packages that are added later.
mmdebstrap --quiet --variant=minbase --format=tar \
    --aptopt='Acquire::Check-Valid-Until "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    "$suite" "$tar"
docker import --change 'CMD ["bash"]' "$tar" "$image" >/dev/null
