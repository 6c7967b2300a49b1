import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** OpenSearch as one node on loopback, for tests: {@code OneNode HOME HTTP_PORT}. It needs no distribution, only its libraries. */
public final class OneNode extends Node {
    private OneNode(Environment environment) {
        super(environment, List.of(Netty4Plugin.class), false);
    }

    public static void main(String[] arguments) throws Exception {
        Path home = Path.of(arguments[0]).toAbsolutePath();
        for (String directory : List.of("config", "modules", "plugins")) {
            Files.createDirectories(home.resolve(directory));
        }
        Settings settings = Settings.builder()
            .put("path.home", home.toString())
            .put("cluster.name", "tests")
            .put("node.name", "one")
            .put("node.processors", 2)
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.type", "netty4")
            .put("http.port", arguments[1])
            // Nobody asks for it, but a node has one.
            .put("transport.type", "netty4")
            .put("transport.port", "0")
            // A machine whose disk is nearly full can still run tests.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        Path config = home.resolve("config");
        Node node = new OneNode(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), config, () -> "one"));
        node.start();
        System.out.println("OneNode is ready");
        Thread.currentThread().join();
    }
}
