// Written by sdtd: says whether the balancer is on, or switches it. `Balancer [on|off]` prints what it was;
// `Balancer leaves HOST:PORT` marks a server that is to be given no regions any more.

import java.util.List;
import java.util.stream.Collectors;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.ServerName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ConnectionFactory;

public class Balancer {
    public static void main(String[] words) throws Exception {
        try (var connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
                var admin = connection.getAdmin()) {
            if (words.length == 2) {
                leaves(admin, words[1]);
                return;
            }
            boolean was = words.length == 0 ? admin.isBalancerEnabled() : admin.balancerSwitch(words[0].equals("on"), true);
            System.out.println(was ? "on" : "off");
        }
    }

    static void leaves(Admin admin, String at) throws Exception {
        List<ServerName> all = admin.getRegionServers().stream()
                .filter(one -> one.getAddress().toString().equals(at)).collect(Collectors.toList());
        admin.decommissionRegionServers(all, false);
        System.out.println(all.isEmpty() ? "it does not serve" : "it leaves");
    }
}
