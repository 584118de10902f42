#!/bin/sh
# A catalog in, its CSV with results out: sh catalog.sh catalog.csv output.csv
set -eu
url=${DARKROOM_URL:-http://localhost:8000}/v1/batches
ask() { curl -sS --fail-with-body ${DARKROOM_KEY:+-H "Authorization: Bearer $DARKROOM_KEY"} "$@"; }
field() { sed "s/.*\"$1\":\"\([^\"]*\)\".*/\1/"; }

id=$(ask -F "file=@$1" -F pipeline=fit:1600x/webp:80 "$url" | sed 's/^{"id":"\([^"]*\)".*/\1/')
echo "batch $id"

# Each call waits for the end, at most 30 seconds.
until ask "$url/$id?wait=30" | grep -qE '"state":"(succeeded|partially_succeeded|failed|canceled)"'; do :; done
ask -o "$2" "$url/$id/output.csv"
ask "$url/$id/failures" | tr '{' '\n' | grep '"code"' | while read -r group; do
  echo "failed: $(echo "$group" | field code): $(echo "$group" | field message)"
done
echo "written $2"
