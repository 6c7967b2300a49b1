import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import kafka.Kafka;
import kafka.tools.StorageTool;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;

/**
 * Kafka as one broker that is its own controller, for tests: {@code OneBroker SETTINGS BOOTSTRAP [SCRAM...]}.
 *
 * <p>Each SCRAM is a login as {@code --add-scram} of kafka-storage takes it. Standard input has lines {@code NAME PARTITIONS}:
 * topics to create.
 */
public final class OneBroker {
    public static void main(String[] arguments) throws Exception {
        String settings = arguments[0];
        List<String> format = new ArrayList<>(List.of("format", "--standalone", "--ignore-formatted",
            "--cluster-id", "AAAAAAAAAAAAAAAAAAAAAA", "--config", settings));
        for (int at = 2; at < arguments.length; at++) {
            format.addAll(List.of("--add-scram", arguments[at]));
        }
        if (StorageTool.execute(format.toArray(String[]::new), System.out) != 0) {
            System.exit(1);
        }
        new Thread(() -> administer(arguments[1])).start();
        Kafka.main(new String[] {settings});
    }

    private static void administer(String bootstrap) {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap, "reconnect.backoff.max.ms", 100))) {
            // A broker that is not yet registered is not among the nodes.
            while (admin.describeCluster().nodes().get().isEmpty()) {
                Thread.sleep(100);
            }
            System.out.println("OneBroker is ready");
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] words = line.split(" ");
                NewTopic topic = new NewTopic(words[0], Optional.of(Integer.valueOf(words[1])), Optional.empty());
                admin.createTopics(List.of(topic)).all().get();
                System.out.println("OneBroker has created " + words[0]);
            }
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }
}
