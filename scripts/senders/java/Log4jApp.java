// An application that logs each line of its input through log4j, for scripts/senders.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;

public class Log4jApp {
  public static void main(String[] args) throws Exception {
    Logger log = LogManager.getLogger("app");
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = input.readLine()) != null; ) log.info(line);
    LogManager.shutdown();
  }
}
