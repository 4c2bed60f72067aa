// attack: end with an exception whose message fills the log
// kind: program
// expect: crashed, output_limit
public class JavaMessage {
    public static void main(String[] arguments) {
        throw new IllegalStateException("\u001b]0;owned\u0007" + "x".repeat(5_000_000));
    }
}
