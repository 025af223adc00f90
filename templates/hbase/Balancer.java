// Written by sdtd: says whether the balancer is on, or switches it. `Balancer [on|off]` prints what it was;
// `Balancer leaves HOST:PORT` marks a server that is to be given no regions any more, `Balancer stays HOST:PORT` one that is
// to be given some again; `Balancer takes HOST:PORT` waits until the master gives one regions that was just started.

import java.util.EnumSet;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.hadoop.hbase.ClusterMetrics.Option;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.ServerName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ConnectionFactory;

public class Balancer {
    public static void main(String[] words) throws Exception {
        try (var connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
                var admin = connection.getAdmin()) {
            if (words.length == 2 && words[0].equals("takes")) {
                waits(admin, words[1]);
                return;
            }
            if (words.length == 2) {
                marks(admin, words[0].equals("leaves"), words[1]);
                return;
            }
            boolean was = words.length == 0 ? admin.isBalancerEnabled() : admin.balancerSwitch(words[0].equals("on"), true);
            System.out.println(was ? "on" : "off");
        }
    }

    /** The master gives none to a server before its first report, some seconds after it has registered: what is moved
     * to it before goes to any server, to its own too. */
    static void waits(Admin admin, String at) throws Exception {
        long until = System.currentTimeMillis() + 60_000;
        while (admin.getClusterMetrics(EnumSet.of(Option.LIVE_SERVERS)).getLiveServerMetrics().entrySet().stream()
                .noneMatch(one -> one.getKey().getAddress().toString().equals(at) && one.getValue().getLastReportTimestamp() > 0)) {
            if (System.currentTimeMillis() > until) {
                throw new Exception(at + " has not reported to the master");
            }
            Thread.sleep(200);
        }
        System.out.println("it takes");
    }

    static void marks(Admin admin, boolean leaves, String at) throws Exception {
        List<ServerName> all = admin.getRegionServers().stream()
                .filter(one -> one.getAddress().toString().equals(at)).collect(Collectors.toList());
        if (leaves) {
            admin.decommissionRegionServers(all, false);
        } else {
            for (ServerName one : all) {
                admin.recommissionRegionServer(one, List.of());
            }
        }
        System.out.println(all.isEmpty() ? "it does not serve" : leaves ? "it leaves" : "it stays");
    }
}
