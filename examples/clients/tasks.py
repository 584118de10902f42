"""Surface E, from its README: scales a picture, polls its task and keeps the result.

python3 tasks.py image.jpg 800 600 result.jpg
"""

import base64
import json
import os
import sys
import time
import urllib.request
import uuid

BASE = os.environ.get("DARKROOM_URL", "http://localhost:8000") + "/api/v1"


def form(file, fields):
    """A multipart form as curl -F sends it: the file, then the fields."""
    boundary = uuid.uuid4().hex
    name = os.path.basename(file)
    head = '--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % (boundary, name)
    with open(file, "rb") as opened:
        body = head.encode() + opened.read()
    for each in fields.items():
        body += ('\r\n--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s' % (boundary, *each)).encode()
    return body + ("\r\n--%s--\r\n" % boundary).encode(), "multipart/form-data; boundary=" + boundary


def get(path):
    with urllib.request.urlopen(BASE + path) as answer:
        return json.load(answer)


def main(file, width, height, target):
    body, kind = form(file, {"width": width, "height": height, "preserve_ratio": "true"})
    request = urllib.request.Request(BASE + "/tasks", body, {"Content-Type": kind, "Accept": "application/json"})
    with urllib.request.urlopen(request) as answer:
        task = json.load(answer)
    while task["status"] not in ("completed", "failed"):
        time.sleep(0.2)
        task = get("/tasks/" + task["id"])
    result = get("/results/" + task["id"])
    if result["status"] != "completed":
        sys.exit("the task has failed")
    with open(target, "wb") as written:
        written.write(base64.b64decode(result["data"]))
    print(task["id"], task["completed_at"])


if __name__ == "__main__":
    main(*sys.argv[1:5])
