// Streams are joined with each other in windows, counted in windows and joined with a table that everyone has, and two
// tables are joined by a foreign key, with exactly_once_v2 while the broker may be killed. What comes out is compared with what is
// computed here from the same input. Says `seen N` as results come out, for whoever kills the broker.

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Suppressed;
import org.apache.kafka.streams.kstream.TimeWindows;

public class Joins {
    static final String LEFT = "left", RIGHT = "right", NAMES = "names", ORDERS = "orders", PRICES = "prices";
    static final String PAIRS = "pairs", NAMED = "named", WINDOWS = "windows", PRICED = "priced";
    static final int ROUNDS = 1000, KEYS = 7, GOODS = 5;
    static final long STEP = 100, NEAR = 900, WINDOW = 2000, BEGIN = System.currentTimeMillis() / WINDOW * WINDOW - 36_000_000;
    static final Duration GRACE = Duration.ofHours(1);
    /** Of records that only tell that time has gone by. */
    static final String CLOSING = "closing";
    static volatile boolean over;

    public static void main(String[] args) throws Exception {
        Application.bootstrap = args[0];
        Application.protocol = args[1];
        Application.topics(LEFT, RIGHT, NAMES, ORDERS, PRICES, PAIRS, NAMED, WINDOWS, PRICED);
        try (KafkaProducer<String, String> producer = Application.producer()) {
            for (int key = 0; key < KEYS; key++) producer.send(new ProducerRecord<>(NAMES, "key-" + key, "name-" + key)).get();
        }
        Thread feeder = new Thread(Joins::feed);
        feeder.start();
        compare();
        over = true;
        feeder.join();
        Application.end("joins and windows over " + ROUNDS + " rounds of input are what they are without kills");
    }

    static String key(int round) { return "key-" + round * 5 % KEYS; }
    static String otherKey(int round) { return "key-" + round * 3 % KEYS; }
    static String good(int number) { return "good-" + number % GOODS; }

    static void feed() {
        try (KafkaProducer<String, String> producer = Application.producer()) {
            for (int round = 0; round < ROUNDS; round++) {
                long time = BEGIN + round * STEP;
                producer.send(new ProducerRecord<>(LEFT, null, time, key(round), "l" + round));
                producer.send(new ProducerRecord<>(RIGHT, null, time, otherKey(round), "r" + round));
                producer.send(new ProducerRecord<>(ORDERS, null, time, "order-" + round % 40, good(round)));
                producer.send(new ProducerRecord<>(PRICES, null, time, good(round * 2), "price-" + round)).get();
                Application.follow(round);
                Thread.sleep(2);
            }
            // No window is whole before it is later than its grace, and that is looked at whenever a record comes.
            for (long time = BEGIN + ROUNDS * STEP + 10_800_000; !over; time += STEP) {
                for (int partition = 0; partition < Application.PARTITIONS; partition++) {
                    producer.send(new ProducerRecord<>(LEFT, partition, time, CLOSING, ""));
                    producer.send(new ProducerRecord<>(RIGHT, partition, time, CLOSING, ""));
                }
                producer.flush();
                Thread.sleep(200);
            }
        } catch (Exception failure) {
            Application.failures.add("the input cannot be written: " + failure);
        }
    }

    static Topology topology() {
        StreamsBuilder builder = new StreamsBuilder();
        KStream<String, String> left = builder.stream(LEFT), right = builder.stream(RIGHT);
        GlobalKTable<String, String> names = builder.globalTable(NAMES);
        left.leftJoin(right, (one, other) -> one + "+" + other, JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(NEAR), GRACE))
                .filter((key, pair) -> !key.equals(CLOSING)).to(PAIRS);
        left.join(names, (key, value) -> key, (value, name) -> value + " is of " + name).to(NAMED);
        left.groupByKey().windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofMillis(WINDOW), GRACE))
                .count(Materialized.with(Serdes.String(), Serdes.Long()))
                .suppress(Suppressed.untilWindowCloses(Suppressed.BufferConfig.unbounded()))
                .toStream((window, count) -> window.key() + "@" + window.window().start()).mapValues(String::valueOf)
                .filter((window, count) -> !window.startsWith(CLOSING)).to(WINDOWS);
        KTable<String, String> orders = builder.table(ORDERS), prices = builder.table(PRICES);
        orders.join(prices, good -> good, (good, price) -> good + " at " + price).toStream().to(PRICED);
        return builder.build();
    }

    /** How often each result must come: once, but for what may come at any time, of which only the last counts. */
    static Map<String, Integer> wanted(Map<String, String> last) {
        Map<String, Integer> all = new TreeMap<>();
        Map<String, Integer> windows = new TreeMap<>();
        Map<String, String> orders = new HashMap<>(), prices = new HashMap<>();
        for (int round = 0; round < ROUNDS; round++) {
            boolean alone = true;
            for (int other = 0; other < ROUNDS; other++) {
                if (Math.abs(round - other) * STEP > NEAR || !key(round).equals(otherKey(other))) continue;
                all.put(PAIRS + " " + key(round) + " l" + round + "+r" + other, 1);
                alone = false;
            }
            if (alone) all.put(PAIRS + " " + key(round) + " l" + round + "+null", 1);
            all.put(NAMED + " " + key(round) + " l" + round + " is of name-" + key(round).substring(4), 1);
            windows.merge(key(round) + "@" + (BEGIN + round * STEP) / WINDOW * WINDOW, 1, Integer::sum);
            orders.put("order-" + round % 40, good(round));
            prices.put(good(round * 2), "price-" + round);
        }
        windows.forEach((window, count) -> all.put(WINDOWS + " " + window + " " + count, 1));
        orders.forEach((order, good) -> last.put(order, good + " at " + prices.get(good)));
        return all;
    }

    /** Reads results until all are there. */
    static void compare() throws Exception {
        Map<String, String> wantedLast = new TreeMap<>(), last = new TreeMap<>();
        Map<String, Integer> wanted = wanted(wantedLast), got = new TreeMap<>();
        int seen = 0, named = 0;
        long end = System.currentTimeMillis() + Application.MOST_MILLIS, quiet = 0;
        Application application = new Application("joins");
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(Application.reading(), new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(Application.partitions(PAIRS, NAMED, WINDOWS, PRICED));
            // A moment longer than the last, for what may come twice.
            while ((!got.keySet().containsAll(wanted.keySet()) || !last.equals(wantedLast) || quiet < 20)
                    && System.currentTimeMillis() < end) {
                int before = seen;
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(100))) {
                    if (record.topic().equals(PRICED)) {
                        last.put(record.key(), record.value());
                    } else {
                        got.merge(record.topic() + " " + record.key() + " " + record.value(), 1, Integer::sum);
                        seen++;
                        if (record.topic().equals(NAMED)) named++;
                    }
                }
                quiet = seen == before ? quiet + 1 : 0;
                if (seen != before) application.seen(named, ROUNDS);
            }
        }
        System.out.println("     " + wanted.size() + " results, " + seen + " read");
        differences(wanted, got);
        differences(wantedLast, last);
    }

    static <T> void differences(Map<String, T> wanted, Map<String, T> got) {
        Map<String, String> differ = new TreeMap<>();
        wanted.forEach((result, times) -> { if (!times.equals(got.get(result))) differ.put(result, got.get(result) + " and not " + times); });
        got.forEach((result, times) -> { if (!wanted.containsKey(result)) differ.put(result, times + " and not at all"); });
        differ.entrySet().stream().limit(10).forEach(each -> Application.failures.add(each.getKey() + ": " + each.getValue()));
        if (differ.size() > 10) Application.failures.add("and " + (differ.size() - 10) + " more");
    }
}
