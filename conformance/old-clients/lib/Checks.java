import java.util.Objects;
import java.util.Random;

/** Runs checks one after the other, says of each what came of it, and counts. */
class Checks {
    static final int COUNT = 60;
    private static final String RUN = Integer.toHexString(new Random().nextInt());
    static String bootstrap;
    private static int passed, failed;

    interface Action { void run() throws Exception; }

    static void check(String what, Action action) {
        long begin = System.nanoTime();
        try {
            action.run();
            passed++;
            System.out.printf("ok   %s (%.1f s)%n", what, (System.nanoTime() - begin) / 1e9);
        } catch (Throwable error) {
            failed++;
            System.out.println("FAIL " + what + ": " + error);
        }
    }

    static void same(Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError("got " + got + ", wanted " + wanted);
    }

    static String topic(String name) { return "check-" + RUN + "-java-" + name; }
    static String key(int index) { return index % 7 == 0 ? null : "key-" + index % 11; }

    static void end() {
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
