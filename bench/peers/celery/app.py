# app.py — a CSV or a JSON job in; a Celery task for each image, or as seeded one for the whole CSV.

import csv
import os

from celery import Celery
from fastapi import Body, FastAPI
from sqlalchemy import select

from store import add, engine, images, metadata, process

ONE_TASK_PER_CSV = os.environ["PROFILE"] == "as-seeded"

celery = Celery("images", broker=os.environ["BROKER_URL"])
api = FastAPI()
api.add_event_handler("startup", lambda: metadata.create_all(engine))


@celery.task
def process_image(image_id, url):
    process(image_id, url)


@celery.task
def process_images(request_id):
    with engine.begin() as db:
        found = db.execute(select(images.c.id, images.c.url).where(images.c.request_id == request_id)).all()
    for image_id, url in found:
        process(image_id, url)


def accept(urls):
    request_id, rows = add(urls)
    if ONE_TASK_PER_CSV:
        process_images.delay(request_id)
    else:
        for row in rows:
            process_image.delay(row["id"], row["url"])
    return {"id": request_id}


@api.post("/upload", status_code=202)
def upload(body: bytes = Body(media_type="text/csv")):
    return accept([row[2] for row in list(csv.reader(body.decode().splitlines()))[1:]])


@api.post("/jobs", status_code=202)
def submit(imageUrl: str = Body(embed=True)):
    return accept([imageUrl])
