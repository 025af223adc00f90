// Written by sdtd: says whether the balancer is on, or switches it. `Balancer [on|off]` prints what it was.

import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.client.ConnectionFactory;

public class Balancer {
    public static void main(String[] words) throws Exception {
        try (var connection = ConnectionFactory.createConnection(HBaseConfiguration.create());
                var admin = connection.getAdmin()) {
            boolean was = words.length == 0 ? admin.isBalancerEnabled() : admin.balancerSwitch(words[0].equals("on"), true);
            System.out.println(was ? "on" : "off");
        }
    }
}
