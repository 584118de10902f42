"""Surface B, from its README: sends a catalog and polls until it has ended.

python3 image_process.py catalog.csv [webhook_url]
"""

import json
import os
import sys
import time
import urllib.request
import uuid

BASE = os.environ.get("DARKROOM_URL", "http://localhost:8000") + "/image_process"


def form(fields, file):
    """A multipart form with these fields and one file."""
    boundary = uuid.uuid4().hex
    parts = ['--%s\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (boundary, *each) for each in fields]
    name = os.path.basename(file)
    head = '--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % (boundary, name)
    with open(file, "rb") as opened:
        body = "".join(parts).encode() + head.encode() + opened.read() + ("\r\n--%s--\r\n" % boundary).encode()
    return body, {"Content-Type": "multipart/form-data; boundary=" + boundary}


def main(file, *webhook):
    body, headers = form([("webhook_url", url) for url in webhook], file)
    with urllib.request.urlopen(urllib.request.Request(BASE + "/upload/", body, headers)) as answer:
        request_id = json.load(answer)["request_id"]
    print(request_id)
    status = None
    while status not in ("completed", "failed"):
        time.sleep(0.2)
        with urllib.request.urlopen("%s/status/%s/" % (BASE, request_id)) as answer:
            status = json.load(answer)["status"]
    print(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
