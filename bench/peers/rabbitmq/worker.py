# worker.py — several processes with a consumer each, one message at a time, acknowledged when its image is done.

import json
import multiprocessing
import os

import pika

from store import process


def handle(channel, method, properties, body):
    image = json.loads(body)
    process(image["id"], image["url"])
    channel.basic_ack(method.delivery_tag)


def consume():
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["BROKER_URL"])).channel()
    channel.queue_declare("images", durable=True)
    channel.basic_qos(prefetch_count=1)
    channel.basic_consume("images", handle)
    channel.start_consuming()


if __name__ == "__main__":
    for _ in range(int(os.environ["CONCURRENCY"])):
        multiprocessing.Process(target=consume).start()
