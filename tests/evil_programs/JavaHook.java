// attack: stay for ever in a shutdown hook after System.exit(0)
// kind: answering program
// expect: timeout
// limits: wall_seconds=3
public class JavaHook {
    public static void main(String[] arguments) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            while (true) {
                Thread.onSpinWait();
            }
        }));
        System.exit(0);
    }
}
