// Prints code and name of every error that Kafka's own Java client knows, a line each.
import org.apache.kafka.common.protocol.Errors;

public class KafkaErrors {
    public static void main(String[] args) {
        for (Errors error : Errors.values()) System.out.println(error.code() + " " + error.name());
    }
}
