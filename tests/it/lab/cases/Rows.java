import java.nio.file.*;
import org.apache.hadoop.hbase.*;
import org.apache.hadoop.hbase.client.*;
import org.apache.hadoop.hbase.util.Bytes;

/** Writes rows and reads them again: `put FROM TO`, `check FROM TO`, `until FILE` (as long as there is none). */
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
                long n = 0, longest = 0, failed = 0;
                if (words[0].equals("until")) {
                    for (; !Files.exists(Path.of(words[1])); n++) {
                        long began = System.nanoTime();
                        try {
                            put(table, 1_000_000 + n);
                            check(table, 1_000_000 + n / 2);
                        } catch (Exception error) {
                            failed++;
                            System.out.println(error);
                        }
                        longest = Math.max(longest, (System.nanoTime() - began) / 1_000_000);
                        Thread.sleep(10);
                    }
                } else {
                    for (n = Long.parseLong(words[1]); n < Long.parseLong(words[2]); n++) {
                        if (words[0].equals("put")) put(table, n); else check(table, n);
                    }
                }
                System.out.println("rows " + n + " failed " + failed + " longest " + longest + " ms");
            }
        }
    }
}
