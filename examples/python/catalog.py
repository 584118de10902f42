"""A catalog in, its CSV with results out: python3 catalog.py catalog.csv output.csv"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

BASE = os.environ.get("DARKROOM_URL", "http://localhost:8000") + "/v1"
KEY = os.environ.get("DARKROOM_KEY")


def ask(path, body=None, headers=None):
    """The answer's bytes. What may pass by itself is tried again; with an Idempotency-Key nothing is done twice."""
    request = urllib.request.Request(BASE + path, data=body, headers=dict(headers or {}))
    if KEY:
        request.add_header("Authorization", "Bearer " + KEY)
    for attempt in range(5):
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if attempt == 4 or not problem["retryable"]:
                sys.exit("%s: %s" % (problem["code"], problem["detail"]))
            time.sleep(int(error.headers.get("Retry-After", 2)))
        except urllib.error.URLError as error:
            if attempt == 4:
                sys.exit("no answer: %s" % error.reason)
            time.sleep(2)


def main(source, target):
    with open(source, "rb") as file:
        catalog = file.read()
    headers = {"Content-Type": "text/csv", "Idempotency-Key": str(uuid.uuid4())}
    batch = json.loads(ask("/batches?pipeline=fit:1600x/webp:80", catalog, headers))
    path = "/batches/" + batch["id"]
    while batch["finished_at"] is None:
        batch = json.loads(ask(path + "?wait=30"))
    counts = batch["counts"]
    print("%s: %d of %d images" % (batch["state"], counts["succeeded"], counts["total"]))
    for group in json.loads(ask(path + "/failures"))["items"]:
        print("failed: %d x %s: %s" % (group["count"], group["code"], group["message"]))
    with open(target, "wb") as file:
        file.write(ask(path + "/output.csv"))


if __name__ == "__main__":
    main(*sys.argv[1:3])
