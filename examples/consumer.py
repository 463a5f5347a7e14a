# Prints each reading of the topic once.
# pip install confluent-kafka
# python3 consumer.py [BROKERS [TOPIC [GROUP]]]
import json
import sys
from decimal import Decimal

from confluent_kafka import Consumer, KafkaException

brokers, topic, group = sys.argv[1:] + ["127.0.0.1:9092", "weather.metrics.raw", "printer"][len(sys.argv) - 1 :]
MAX_REMEMBERED = 100_000
seen = {}


def is_copy(record):
    """True if this reading has been seen. Remembers the newest readings whose message has a seq."""
    if "seq" not in record:
        return False
    # The readings of an array share their seq: only their data tell them apart.
    key = (record.get("device_id", record["connection_id"]), record["seq"], str(record["data"]))
    if key in seen:
        return True
    seen[key] = None
    if len(seen) > MAX_REMEMBERED:
        del seen[next(iter(seen))]
    return False


consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        # An offset is committed only after its record was handled.
        "enable.auto.offset.store": False,
    }
)
consumer.subscribe([topic])
try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        record = json.loads(message.value(), parse_float=Decimal)
        if not is_copy(record):
            device = record.get("zipcode") or record.get("device_id") or record["connection_id"]
            print(device, record["received_at"], record["data"], flush=True)
        consumer.store_offsets(message)
except KeyboardInterrupt:
    consumer.close()
