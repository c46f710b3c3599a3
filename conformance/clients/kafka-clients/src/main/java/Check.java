import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;

/** Apache Kafka's Java clients against one broker. */
public final class Check {
    static final String RUN = Long.toHexString(Double.doubleToLongBits(Math.random())).substring(4, 12);
    static String bootstrap;
    private static int passed;
    private static int failed;

    /** What a check does; whatever it throws is its failure. */
    interface Action {
        void run() throws Exception;
    }

    static String topic(String name) {
        return "check-" + RUN + "-" + name;
    }

    static boolean check(String what, Action action) {
        long begin = System.nanoTime();
        try {
            action.run();
        } catch (Throwable error) {
            failed++;
            System.out.printf("FAIL %s: %s%n", what, cause(error));
            if (System.getenv("TRACE") != null) error.printStackTrace(System.out);
            return false;
        }
        passed++;
        System.out.printf("ok   %s (%.1f s)%n", what, (System.nanoTime() - begin) / 1e9);
        return true;
    }

    static Throwable cause(Throwable error) {
        return error instanceof ExecutionException && error.getCause() != null ? error.getCause() : error;
    }

    static void refused(Class<? extends Throwable> wanted, Action action) throws Exception {
        try {
            action.run();
        } catch (Exception error) {
            Throwable got = cause(error);
            if (wanted.isInstance(got)) return;
            throw new AssertionError("got " + got + ", wanted " + wanted.getSimpleName());
        }
        throw new AssertionError("accepted, wanted " + wanted.getSimpleName());
    }

    static void until(String what, Callable<Boolean> question) throws Exception {
        until(what, 15, question);
    }

    static void until(String what, int seconds, Callable<Boolean> question) throws Exception {
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (!question.call()) {
            if (System.nanoTime() > end) throw new AssertionError("not within " + seconds + " s: " + what);
            Thread.sleep(100);
        }
    }

    static void same(Object got, Object wanted, String what) {
        if (!java.util.Objects.equals(got, wanted)) {
            throw new AssertionError(what + ": got " + got + ", wanted " + wanted);
        }
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        long begin = System.nanoTime();
        try (Admin admin = Admin.create(java.util.Map.of("bootstrap.servers", bootstrap, "default.api.timeout.ms", "20000", "request.timeout.ms", "10000"))) {
            boolean there = check("describe cluster", () -> {
                same(admin.describeCluster().nodes().get().size(), 1, "nodes");
                same(admin.describeCluster().clusterId().get().isEmpty(), false, "an empty cluster id");
            });
            if (there) {
                new Records(admin).checks();
                new Topics(admin).checks();
                new Groups(admin).checks();
                new Transactions(admin).checks();
                check("delete every topic", () -> {
                    Set<String> mine = new java.util.HashSet<>(admin.listTopics().names().get());
                    mine.removeIf(name -> !name.startsWith("check-" + RUN));
                    admin.deleteTopics(mine).all().get();
                    until("no topic left", () -> admin.listTopics().names().get().stream().noneMatch(mine::contains));
                });
            }
        }
        System.out.printf("# kafka-clients: %d s%n", (System.nanoTime() - begin) / 1_000_000_000L);
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.exit(failed > 0 ? 1 : 0);
    }
}
