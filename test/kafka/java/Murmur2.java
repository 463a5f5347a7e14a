// Reads one hex-encoded key a line and prints murmur2 and toPositive of Kafka's own Java client, space-separated.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import org.apache.kafka.common.utils.Utils;

public class Murmur2 {
    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null; ) {
            int hash = Utils.murmur2(HexFormat.of().parseHex(line.trim()));
            System.out.println(hash + " " + Utils.toPositive(hash));
        }
    }
}
