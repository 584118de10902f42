# picture.py — the three operations as the handbook of Pillow shows them.
#
# Run by itself it is the engine without a service: `picture.py <operation> <folder> <files>` tells CPU-ms per image.

import io
import os
import sys
import time

from PIL import Image, ImageOps


def transform(operation: str, body: bytes, output: str) -> None:
    image = Image.open(io.BytesIO(body))
    if operation == "b":
        image.thumbnail((800, 600))  # its draft mode decodes a JPEG at a fraction of its size
    elif operation == "c":
        image = ImageOps.fit(image, (100, 100))
    image = image.convert("L" if operation == "c" else "RGB")
    image.save(output, "JPEG", quality=50 if operation == "a" else 80)


if __name__ == "__main__":
    _, operation, folder, *files = sys.argv
    bodies = [open(file, "rb").read() for file in files]
    begin = time.process_time()
    for number, body in enumerate(bodies):
        transform(operation, body, os.path.join(folder, f"{number}.jpg"))
    print(1000 * (time.process_time() - begin) / len(bodies))
