# api.py — a CSV or a JSON job in; a row and a persistent message for each image, a connection for each message.

import csv
import json
import os

import pika
from fastapi import Body, FastAPI

from store import add, engine, metadata

api = FastAPI()
api.add_event_handler("startup", lambda: metadata.create_all(engine))


def publish(message):
    connection = pika.BlockingConnection(pika.URLParameters(os.environ["BROKER_URL"]))
    channel = connection.channel()
    channel.queue_declare("images", durable=True)
    persistent = pika.BasicProperties(delivery_mode=2)
    channel.basic_publish("", "images", json.dumps(message), persistent)
    connection.close()


def accept(urls):
    request_id, rows = add(urls)
    for row in rows:
        publish(row)
    return {"id": request_id}


@api.post("/upload", status_code=202)
def upload(body: bytes = Body(media_type="text/csv")):
    return accept([row[2] for row in list(csv.reader(body.decode().splitlines()))[1:]])


@api.post("/jobs", status_code=202)
def submit(imageUrl: str = Body(embed=True)):
    return accept([imageUrl])
