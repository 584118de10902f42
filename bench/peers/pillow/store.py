# store.py — what both Python peers do for an image: a row, a fetch, Pillow, two UPDATEs.

import os
import uuid

import requests
from sqlalchemy import Column, DateTime, MetaData, String, Table, create_engine, func

from picture import transform

engine = create_engine(os.environ["DATABASE_URL"])
metadata = MetaData()
images = Table(
    "images",
    metadata,
    Column("id", String, primary_key=True),
    Column("request_id", String, index=True),
    Column("url", String),
    Column("status", String, default="pending"),
    Column("output", String),
    Column("finished_at", DateTime(timezone=True)),
)


def add(urls):
    request_id = str(uuid.uuid4())
    rows = [{"id": str(uuid.uuid4()), "request_id": request_id, "url": url} for url in urls]
    with engine.begin() as db:
        db.execute(images.insert(), rows)
    return request_id, rows


def process(image_id, url):
    mark(image_id, status="processing")
    try:
        output = f"{os.environ['OUTPUT']}/{image_id}.jpg"
        transform(os.environ["OPERATION"], requests.get(url, timeout=30).content, output)
        mark(image_id, status="completed", output=output, finished_at=func.now())
    except Exception as error:
        mark(image_id, status="failed", output=str(error), finished_at=func.now())


def mark(image_id, **values):
    with engine.begin() as db:
        db.execute(images.update().where(images.c.id == image_id).values(**values))
