# Prints each reading of the topic once, and each dead letter with its reason.
# pip install confluent-kafka
# python3 consumer.py [BROKERS [TOPIC [GROUP [DEAD_LETTERS]]]]
import json
import sys

from confluent_kafka import Consumer, KafkaException

defaults = ["127.0.0.1:9092", "weather.metrics.raw", "printer", "weather.metrics.dead"]
brokers, topic, group, dead_letters = sys.argv[1:] + defaults[len(sys.argv) - 1 :]
MAX_REMEMBERED = 100_000
seen = {}


class Digits(str):
    """A number as it was sent: float(it) rounds, Decimal(it) does not."""

    __repr__ = str.__str__


def line_of(message):
    """The record as a line. None if the reading has been seen: the newest ones whose message has a seq are remembered."""
    value = message.value() or b""
    if message.topic() == dead_letters:
        return f"DEAD {dict(message.headers())['reason'].decode()} {value.decode(errors='replace')}"
    try:
        record = json.loads(value, parse_float=Digits, parse_int=Digits)
        data, connection = record["data"], record["connection_id"]
    except (ValueError, TypeError, KeyError):
        return f"NOT A READING {value.decode(errors='replace')}"
    source = record.get("device_id") or connection
    if "seq" in record:
        # The readings of an array share their seq: only their data tell them apart.
        key = (source, record["seq"], str(data))
        if key in seen:
            return None
        seen[key] = None
        if len(seen) > MAX_REMEMBERED:
            del seen[next(iter(seen))]
    return f"{record.get('zipcode') or source} {record.get('received_at')} {data}"


consumer = Consumer(
    {
        "bootstrap.servers": brokers,
        "group.id": group,
        "auto.offset.reset": "earliest",
        # An offset is committed only after its record was handled.
        "enable.auto.offset.store": False,
    }
)
consumer.subscribe([topic, dead_letters])
try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        line = line_of(message)
        if line is not None:
            print(line, flush=True)
        consumer.store_offsets(message)
except KeyboardInterrupt:
    consumer.close()
