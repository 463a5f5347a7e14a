// An application that logs each line of its input through logback, for scripts/senders.
import ch.qos.logback.classic.LoggerContext;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

public class LogbackApp {
  public static void main(String[] args) throws Exception {
    Logger log = LoggerFactory.getLogger("app");
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = input.readLine()) != null; ) log.info(line);
    ((LoggerContext) LoggerFactory.getILoggerFactory()).stop();
  }
}
