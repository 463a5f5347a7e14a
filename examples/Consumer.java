// Prints each reading of the topic once, and each dead letter with its reason.
// java -cp 'kafka/libs/*' Consumer.java [BROKERS [TOPIC [GROUP [DEAD_LETTERS]]]]
// Needs a JDK, 17 or later, and the folder libs of Kafka's download: its client, Jackson, all codecs.
import com.fasterxml.jackson.core.*;
import com.fasterxml.jackson.databind.*;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.common.serialization.StringDeserializer;

class Consumer {
  static final LinkedHashSet<String> seen = new LinkedHashSet<>();
  // Numbers keep their digits, however many.
  static final ObjectMapper json = JsonMapper.builder().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
      .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES).build();
  static { json.getFactory().setStreamReadConstraints(StreamReadConstraints.builder().maxNumberLength(1 << 20).build()); }

  static String lineOf(ConsumerRecord<String, String> message, String deadLetters) {
    if (message.topic().equals(deadLetters)) {
      var reason = message.headers().lastHeader("reason");
      return "DEAD " + (reason == null || reason.value() == null ? "?" : new String(reason.value())) + " " + message.value();
    }
    try {
      var record = json.readTree(message.value());
      var data = record.required("data");
      var source = record.path("device_id").asText(record.required("connection_id").asText());
      // The readings of an array share their seq: only their data tell them apart.
      if (record.has("seq") && !seen.add(source + " " + record.get("seq") + " " + data)) return null;
      if (seen.size() > 100_000) seen.remove(seen.iterator().next());
      return record.path("zipcode").asText(source) + " " + record.path("received_at").asText() + " " + data;
    } catch (JsonProcessingException | IllegalArgumentException e) {
      return "NOT A READING " + message.value();
    }
  }

  public static void main(String[] args) {
    String[] given = {"127.0.0.1:9092", "weather.metrics.raw", "printer", "weather.metrics.dead"};
    System.arraycopy(args, 0, given, 0, args.length);
    // poll() commits what was handled before it. Kafka notices within 6 s that a consumer was ended.
    var consumer = new KafkaConsumer<>(Map.of("bootstrap.servers", given[0], "group.id", given[2], "auto.offset.reset", "earliest",
        "auto.commit.interval.ms", 1000, "session.timeout.ms", 6000), new StringDeserializer(), new StringDeserializer());
    consumer.subscribe(List.of(given[1], given[3]));
    while (true)
      for (var message : consumer.poll(Duration.ofSeconds(1)))
        Optional.ofNullable(lineOf(message, given[3])).ifPresent(System.out::println);
  }
}
