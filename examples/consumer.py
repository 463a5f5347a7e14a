# Prints each reading of the topic once, and each dead letter with its reason. pip install confluent-kafka
# python3 consumer.py [BROKERS [TOPIC [GROUP [DEAD_LETTERS]]]]
import json
import sys

from confluent_kafka import Consumer, KafkaException

defaults = ["127.0.0.1:9092", "weather.metrics.raw", "printer", "weather.metrics.dead"]
brokers, topic, group, dead_letters = sys.argv[1:] + defaults[len(sys.argv) - 1 :]
seen = {}  # The newest 100,000 readings whose message has a seq.


class Digits(str):
    """A number as it was sent: float(it) rounds, Decimal(it) does not."""

    __repr__ = str.__str__


def line_of(message):
    """The record as a line. None if the reading has been seen."""
    text = (message.value() or b"").decode(errors="replace")
    if message.topic() == dead_letters:
        return f"DEAD {(dict(message.headers() or []).get('reason') or b'?').decode(errors='replace')} {text}"
    try:
        record = json.loads(message.value() or b"", parse_float=Digits, parse_int=Digits)
        data, source = record["data"], record.get("device_id") or record["connection_id"]
        # The readings of an array share their seq: only their data tell them apart.
        key = f"{source} {record['seq']} {data}" if "seq" in record else None
        line = f"{record.get('zipcode') or source} {record.get('received_at')} {data}"
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return f"NOT A READING {text}"
    if key in seen:
        return None
    if key is not None:
        seen[key] = True
    if len(seen) > 100_000:
        del seen[next(iter(seen))]
    return line


# An offset is committed only after its record was handled.
settings = {"bootstrap.servers": brokers, "group.id": group, "enable.auto.offset.store": False}
consumer = Consumer({**settings, "auto.offset.reset": "earliest"})
consumer.subscribe([topic, dead_letters])
try:
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        if (line := line_of(message)) is not None:
            print(line, flush=True)
        consumer.store_offsets(message)
except KeyboardInterrupt:
    consumer.close()
