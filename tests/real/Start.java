import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/**
 * Runs one node of Elasticsearch on loopback until its standard input ends.
 *
 * Nothing is ever written to that input: it ends when the process that started the node closes it or dies.
 */
final class Start {
    /** @param arguments the folder of the data, the folder of the modules, and the HTTP port */
    public static void main(String[] arguments) {
        int status = 1;
        LogConfigurator.configureESLogging();
        LogConfigurator.setNodeName("real");
        try (Node node = makeNode(Path.of(arguments[0]), Path.of(arguments[1]), arguments[2])) {
            node.start();
            while (System.in.read() >= 0) {
            }
            status = 0;
        } catch (Throwable error) {
            error.printStackTrace();
        }
        System.exit(status); // threads of a node that failed to start would keep the process alive
    }

    private static Node makeNode(Path home, Path modules, String port) {
        Settings settings = Settings.builder()
            .put("path.home", home)
            .put("cluster.name", "real")
            .put("node.name", "real")
            .put("discovery.type", "single-node")
            .put("network.host", "127.0.0.1")
            .put("http.port", port)
            .put("transport.port", 0) // any free one: no other node connects
            .put("cluster.routing.allocation.disk.threshold_enabled", false) // a full disk would make indices read-only
            .build();
        var bundles = PluginsLoader.loadModulesBundles(modules, false);
        var loader = PluginsLoader.createPluginsLoader(bundles, Set.of(), Map.of(), false);
        return new Node(new Environment(settings, home.resolve("config")), loader);
    }
}
