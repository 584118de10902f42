#!/bin/sh
# Surface C, from its README: sends a catalog, polls, downloads the CSV with results: sh catalog.sh test.csv output.csv
set -eu
base=${DARKROOM_URL:-http://localhost:8000}

id=$(curl -sS --fail-with-body --location "$base/upload" --form "file=@\"$1\"" |
  sed 's/.*"request_id":"\([^"]*\)".*/\1/')
echo "$id"
while :; do
  status=$(curl -sS --fail-with-body "$base/status/$id" | sed 's/.*"status":"\([^"]*\)".*/\1/')
  case $status in completed | failed) break ;; esac
  sleep 1
done
echo "$status"
curl -sS --fail-with-body -o "$2" "$base/download/$id"
