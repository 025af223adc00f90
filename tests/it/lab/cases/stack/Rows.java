import java.nio.file.*;
import java.util.*;
import org.apache.hadoop.hbase.*;
import org.apache.hadoop.hbase.client.*;
import org.apache.hadoop.hbase.util.Bytes;

/** Writes rows and reads them again: `put FROM TO`, `check FROM TO`, `until FILE FROM` (as long as there is no such file; each row
 * that was acknowledged must be there in the end). */
public class Rows {
    static final TableName NAME = TableName.valueOf("rows");
    static final byte[] FAMILY = Bytes.toBytes("f");

    static void put(Table table, long n) throws Exception {
        table.put(new Put(Bytes.toBytes(String.format("%02d-%d", n % 100, n))).addColumn(FAMILY, FAMILY, Bytes.toBytes(n)));
    }

    static void check(Table table, long n) throws Exception {
        byte[] value = table.get(new Get(Bytes.toBytes(String.format("%02d-%d", n % 100, n)))).getValue(FAMILY, FAMILY);
        if (value == null || Bytes.toLong(value) != n) throw new Exception("row " + n + " is lost");
    }

    public static void main(String[] words) throws Exception {
        try (var connection = ConnectionFactory.createConnection(HBaseConfiguration.create()); var admin = connection.getAdmin()) {
            if (!admin.tableExists(NAME)) {
                byte[][] splits = new byte[9][];
                for (int i = 1; i < 10; i++) splits[i - 1] = Bytes.toBytes(i + "0");
                admin.createTable(TableDescriptorBuilder.newBuilder(NAME).setColumnFamily(ColumnFamilyDescriptorBuilder.of(FAMILY)).build(), splits);
            }
            try (var table = connection.getTable(NAME)) {
                long n = 0, longest = 0, failed = 0, lost = 0;
                if (words[0].equals("until")) {
                    long first = Long.parseLong(words[2]);
                    List<Long> acknowledged = new ArrayList<>();
                    for (; !Files.exists(Path.of(words[1])); n++) {
                        long began = System.nanoTime();
                        try {
                            put(table, first + n);
                            acknowledged.add(first + n);
                            check(table, first + n);
                        } catch (Exception error) {
                            failed++;
                            System.out.println(error);
                        }
                        longest = Math.max(longest, (System.nanoTime() - began) / 1_000_000);
                        Thread.sleep(10);
                    }
                    for (long one : acknowledged) {
                        try {
                            check(table, one);
                        } catch (Exception error) {
                            lost++;
                            System.out.println(error);
                        }
                    }
                } else {
                    for (n = Long.parseLong(words[1]); n < Long.parseLong(words[2]); n++) {
                        if (words[0].equals("put")) put(table, n); else check(table, n);
                    }
                }
                System.out.println("rows " + n + " failed " + failed + " lost " + lost + " longest " + longest + " ms");
            }
        }
    }
}
