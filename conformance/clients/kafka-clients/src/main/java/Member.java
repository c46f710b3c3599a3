import java.time.Duration;
import java.util.List;

/** A member that is to be killed: it reads its part of what is there, commits it, says so and asks for no more. */
public final class Member {
    public static void main(String[] arguments) throws Exception {
        Check.bootstrap = arguments[0];
        String topic = arguments[1], group = arguments[2], protocol = arguments[3];
        int wanted = Integer.parseInt(arguments[4]);
        try (var consumer = Groups.member(group, protocol, null)) {
            consumer.subscribe(List.of(topic));
            for (int got = 0; got < wanted;) {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    System.out.println(Groups.place(record));
                    got++;
                }
            }
            consumer.commitSync();
            System.out.println("committed");
            Thread.sleep(600_000);
        }
    }
}
