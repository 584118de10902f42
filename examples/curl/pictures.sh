#!/bin/sh
# Your own pictures in, two renditions of each out: sh pictures.sh a.jpg b.png
set -eu
url=${DARKROOM_URL:-http://localhost:8000}/v1
ask() { curl -sS --fail-with-body ${DARKROOM_KEY:+-H "Authorization: Bearer $DARKROOM_KEY"} "$@"; }

for file in "$@"; do set -- "$@" -F "file=@$file"; shift; done
id=$(ask "$@" -F 'renditions={"thumb": "cover:200x200/webp:75", "zoom": "fit:1600x1600"}' "$url/batches?wait=60" |
  sed 's/^{"id":"\([^"]*\)".*/\1/')

# Every rendition has a URL of its own; the name is the permission, so no key is sent.
ask "$url/batches/$id/images" | grep -oE '"url":"[^"]*/v1/files/[^"]*"' | cut -d '"' -f 4 | while read -r result; do
  curl -sS --fail-with-body -O "$result"
  echo "${result##*/}"
done
